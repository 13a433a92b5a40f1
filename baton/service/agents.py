"""Agents as data: made, read and changed by those who may."""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, cast
from uuid import uuid4

from baton.domain.agent_limits import check_limits
from baton.domain.agents import Agent, AgentReference, Principal
from baton.domain.approvals import check_policies
from baton.domain.catalog import NameKind, Used, policies_used, tools_used
from baton.domain.errors import AgentNotFound, Forbidden, InvalidInput, Outdated
from baton.domain.ids import AgentId
from baton.domain.json import JsonObject, unstorable
from baton.domain.model_settings import (
    MOST_FALLBACKS,
    ModelAccess,
    base_url,
    check_model_settings,
    is_address,
    summary_model,
)
from baton.domain.results import check_result_schema
from baton.domain.starts import keyed
from baton.domain.states import SendMode
from baton.domain.texts import check_text
from baton.domain.views import Page
from baton.service.catalog import judge
from baton.service.context import Baton
from baton.service.cursors import NUMBER, decode_cursor, encode_cursor
from baton.service.filters import check_search
from baton.service.numbered import NUMBERED_BYTES, check_whole
from baton.service.once import once
from baton.service.visibility import find_agent
from baton.store import agents
from baton.store.pool import Connection

_NAME_CHARACTERS: Final = 255
_INSTRUCTIONS_CHARACTERS: Final = 100_000
_MOST_TOOLS: Final = 100
_MOST_POLICIES: Final = 1000


@dataclass(frozen=True, slots=True)
class AgentChange:
    """What an agent is to be; None leaves that as it is. Lists and objects are replaced whole."""

    name: str | None = None
    model: str | None = None
    instructions: str | None = None
    tools: tuple[str, ...] | None = None
    policies: JsonObject | None = None
    limits: JsonObject | None = None
    model_settings: JsonObject | None = None
    fallbacks: tuple[JsonObject, ...] | None = None
    result_schema: JsonObject | None = None
    mode: SendMode | None = None
    is_default: bool | None = None

    def given(self) -> dict[str, Any]:
        """What is to change."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    def names(self, changed: Agent) -> list[Used]:
        """The names of tools and models in it. ``changed``: the agent, once it is changed."""
        settings = changed.model_settings
        models = [] if self.model is None else [_model_used(self.model, settings, "model")]
        if self.model_settings is not None and (summary := summary_model(settings)) is not None:
            served = settings if summary.partition(":")[0] == changed.model.partition(":")[0] else {}
            models.append(_model_used(summary, served, "model_settings", "summary_model"))
        for number, one in enumerate(self.fallbacks or ()):
            own = cast("JsonObject", one["model_settings"])
            models.append(_model_used(cast("str", one["model"]), own, "fallbacks", number, "model"))
        tools = tools_used(self.tools or (), ("body", "tools"))
        return [*models, *tools, *policies_used(self.policies or {}, ("body", "policies"))]


def _model_used(name: str, settings: JsonObject, *where: str | int) -> Used:
    kind = NameKind.MODEL if base_url(settings) is None else NameKind.SERVED_MODEL
    return Used(kind, name, ("body", *where))


async def list_agents(baton: Baton, who: Principal, *, limit: int, cursor: str | None = None) -> Page[Agent]:
    """A page of the tenant's agents, oldest first; a key for one agent sees that one. Raises `InvalidInput`."""
    after = None if cursor is None else decode_cursor(cursor, NUMBER)[0]
    async with baton.pool.connection() as connection:
        found = await agents.page(connection, who.bounds, limit=limit, after=after)
    page = tuple(found)
    return Page(page, encode_cursor(page[-1].number) if found.more else None)


async def page_agents(
    baton: Baton, who: Principal, *, limit: int, offset: int = 0, search: str | None = None, parameter: str = "limit"
) -> Page[Agent]:
    """The tenant's agents by offset, oldest first, with their total; a key for one agent sees that one.

    ``search``: what their names hold, in any case. Raises `InvalidInput` like `check_whole` and `check_search`.
    """
    check_search(search)
    async with baton.pool.connection() as connection:
        found = await agents.search(
            connection, who.bounds, limit=limit, most_bytes=NUMBERED_BYTES, offset=offset, text=search
        )
        check_whole(found, parameter)
        total = await agents.count(connection, who.bounds, text=search)
    return Page(tuple(found), total=total)


async def get_agent(baton: Baton, who: Principal, reference: AgentReference) -> Agent:
    """An agent by any of its names. Raises `AgentNotFound`."""
    async with baton.pool.connection() as connection:
        return await find_agent(connection, who, reference)


@dataclass(frozen=True, slots=True)
class WrittenAgent:
    """An agent as it was written. ``replayed``: before, by a request under the same Idempotency-Key. ``warnings``:
    names in it that may be wrong."""

    agent: Agent
    warnings: tuple[str, ...]
    replayed: bool = False


async def create_agent(baton: Baton, who: Principal, change: AgentChange, *, key: str | None = None) -> WrittenAgent:
    """Make an agent; it needs a name and a model. ``key``: the Idempotency-Key. Raises `InvalidInput`, also for names
    that no worker has, `KeyReused`, `Conflict` for a name that is taken, and `Forbidden` for a key that is for one
    agent."""
    if who.is_for_one_agent:
        raise Forbidden("a key bound to one agent cannot create others")
    for name in ("name", "model"):
        if getattr(change, name) is None:
            raise InvalidInput(f"an agent needs a {name}", ("body", name), "missing")
    _check(baton, change)
    new = Agent(tenant_id=who.tenant_id, id=uuid4(), number=0, **change.given())
    start = keyed(who, key, "agent", change.given())

    async def make(connection: Connection) -> WrittenAgent:
        warnings = (await judge(connection, change.names(new))).check()
        async with connection.transaction():
            if new.is_default:
                await agents.lock_all(connection, who.tenant_id)
                await agents.unset_default(connection, who.tenant_id)
            return WrittenAgent(await agents.insert(connection, new), warnings)

    async def again(connection: Connection, agent_id: AgentId) -> WrittenAgent:
        found = await agents.by_id(connection, who.tenant_id, agent_id)
        if found is None:
            raise AgentNotFound("what was created under this Idempotency-Key has been deleted")
        at = found.created_at
        first = replace(new, id=found.id, number=found.number, created_at=at, updated_at=at)
        return WrittenAgent(first, (await judge(connection, change.names(new))).told(), replayed=True)

    return await once(baton.pool, start, new.id, make, again)


async def change_agent(
    baton: Baton,
    who: Principal,
    reference: AgentReference,
    change: AgentChange,
    *,
    if_versions: tuple[int, ...] | None = None,
) -> WrittenAgent:
    """Change an agent: turns that begin from then on are its new self's. Changing nothing changes nothing.

    ``if_versions``: the agent's version must be one of these; None for any. A default agent stays it until another is
    made so. Names are judged as in `create_agent`, those that the change writes. Raises `AgentNotFound`,
    `InvalidInput`, `Conflict`, `Outdated`, and `Forbidden` where a key for one agent would make it the default.
    """
    if change.is_default and who.is_for_one_agent:
        raise Forbidden("a key bound to one agent cannot change the default")
    _check(baton, change)
    async with baton.pool.transaction() as connection:
        named = await find_agent(connection, who, reference)
        if change.is_default:
            await agents.lock_all(connection, who.tenant_id)
        agent = await agents.lock(connection, who.tenant_id, named.id)
        if agent is None:
            raise AgentNotFound("there is no such agent")
        if if_versions is not None and agent.version not in if_versions:
            raise Outdated("the agent has changed: read it again", agent.version, ())
        if change.is_default is False and agent.is_default:
            raise InvalidInput(
                "a tenant needs a default agent: make another agent the default first", ("body", "is_default")
            )
        changed = replace(agent, **change.given())
        names = await judge(connection, change.names(changed))
        if changed == agent:
            return WrittenAgent(agent, names.told())
        warnings = names.check()
        if changed.is_default and not agent.is_default:
            await agents.unset_default(connection, who.tenant_id)
        return WrittenAgent(await agents.update(connection, changed), warnings)


def _check(baton: Baton, change: AgentChange) -> None:
    for name, longest in (
        ("name", _NAME_CHARACTERS),
        ("model", _NAME_CHARACTERS),
        ("instructions", _INSTRUCTIONS_CHARACTERS),
    ):
        check_text(getattr(change, name), name, longest=longest, may_be_empty=name == "instructions")
    _check_model(change.model or "", "model")
    tools = change.tools or ()
    if len(tools) > _MOST_TOOLS or len(set(tools)) < len(tools):
        raise InvalidInput(f"tools must be at most {_MOST_TOOLS} distinct names", ("body", "tools"))
    for number, tool in enumerate(tools):
        check_text(tool, "tools", number, longest=_NAME_CHARACTERS)
    if len(change.policies or ()) > _MOST_POLICIES:
        raise InvalidInput(f"there are at most {_MOST_POLICIES} policies", ("body", "policies"))
    for field, value in (
        ("policies", change.policies),
        ("limits", change.limits),
        ("model_settings", change.model_settings),
    ):
        if value and (reason := unstorable(value)):
            raise InvalidInput(reason, ("body", field))
    check_policies(change.policies or {})
    check_limits(change.limits or {})
    check_result_schema(change.result_schema or {})
    access = ModelAccess(baton.settings.model_keys, baton.settings.model_hosts)
    check_model_settings(change.model_settings or {}, access)
    _check_fallbacks(change.fallbacks or (), access)


def _check_model(model: str, *where: str | int) -> None:
    if is_address(model):
        raise InvalidInput("a model's name must not be an address: that belongs in base_url", ("body", *where))


def _check_fallbacks(fallbacks: tuple[JsonObject, ...], access: ModelAccess) -> None:
    if len(fallbacks) > MOST_FALLBACKS:
        raise InvalidInput(f"an agent has at most {MOST_FALLBACKS} fallbacks", ("body", "fallbacks"))
    for number, one in enumerate(fallbacks):
        check_text(cast("str", one["model"]), "fallbacks", number, longest=_NAME_CHARACTERS)
        _check_model(cast("str", one["model"]), "fallbacks", number, "model")
        where = ("body", "fallbacks", number, "model_settings")
        if reason := unstorable(one):
            raise InvalidInput(reason, where)
        check_model_settings(cast("JsonObject", one["model_settings"]), access, where)
