"""What a caller may see: the only place that decides it.

A caller sees its own tenant's things; one whose key is for an agent, that agent's alone. All else is like what is not
there: it is looked up by the same statements, which do not find it. What the use cases read and change, they are given
as `SeenTask`, `SeenExecution` or `SeenPart`, or look up here: only the functions of this module make them
(tests/unit/test_visibility.py holds that).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from baton.domain.agents import Agent, AgentReference, Principal, parse_reference
from baton.domain.errors import AgentNotFound, NotFound
from baton.domain.ids import (
    ApprovalId,
    ArtifactId,
    Bounds,
    ErrandId,
    ExecutionId,
    ExecutionRoute,
    MessageId,
    TaskAddress,
    TaskByNumber,
    TaskRoute,
    TenantId,
    whole_tenant,
)
from baton.domain.json import INT64_MAX, INT64_MIN, unstorable_text
from baton.domain.keys import Key
from baton.service.routes import Routes
from baton.store import agents, keys
from baton.store.pool import Connection


class HasRoutes(Protocol):
    """What is needed of `baton.service.context.Baton`."""

    @property
    def routes(self) -> Routes: ...


@dataclass(frozen=True, slots=True)
class SeenTask:
    """A task that ``who`` may see and, as far as the key's scopes go, change."""

    who: Principal
    route: TaskRoute

    @property
    def tenant_id(self) -> TenantId:
        """Whose it is."""
        return self.route.tenant_id

    @property
    def id(self) -> UUID:
        """The task's."""
        return self.route.task_id


@dataclass(frozen=True, slots=True)
class SeenExecution:
    """An execution that ``who`` may see and, as far as the key's scopes go, change."""

    who: Principal
    route: ExecutionRoute

    @property
    def tenant_id(self) -> TenantId:
        """Whose it is."""
        return self.route.tenant_id

    @property
    def id(self) -> ExecutionId:
        """The execution's."""
        return self.route.execution_id

    @property
    def only_task(self) -> SeenTask | None:
        """Its task, where it is no plan."""
        return None if self.route.only is None else SeenTask(self.who, self.route.only)


@dataclass(frozen=True, slots=True)
class SeenPart:
    """A message, an errand, an approval or an artifact of a task that the caller may see."""

    task: SeenTask
    id: UUID

    @property
    def tenant_id(self) -> TenantId:
        """Whose it is."""
        return self.task.tenant_id


async def find_task(baton: HasRoutes, who: Principal, address: TaskAddress) -> SeenTask:
    """The task that a caller means. Costs no query where its route is remembered.

    Raises `TaskNotFound`, `ExecutionNotFound`, and `AgentNotFound` where the address names another agent than the
    task's or the key's. A task that was deleted may be found: what is asked of it says so.
    """
    agent = address.agent if isinstance(address, TaskByNumber) else None
    if agent is not None and who.agent_number not in (None, agent):
        raise AgentNotFound("the key is for another agent")
    return SeenTask(who, await baton.routes.find(who.bounds, address))


async def find_execution(baton: HasRoutes, who: Principal, execution_id: ExecutionId) -> SeenExecution:
    """The execution of that id, like `find_task`. Raises `ExecutionNotFound`."""
    return SeenExecution(who, await baton.routes.execution(who.bounds, execution_id))


async def find_log(baton: HasRoutes, task: SeenTask) -> tuple[SeenExecution, bool]:
    """The execution whose log a task is in, and whether the caller may read all of that: where other agents' tasks are
    in it, and the key is for one, only what is said of the task itself.

    Raises `ExecutionNotFound`.
    """
    route = await baton.routes.execution(whole_tenant(task.tenant_id), task.route.execution_id)
    return SeenExecution(task.who, route), _sees(task.who, route.agent_id)


async def find_message(baton: HasRoutes, who: Principal, message_id: MessageId) -> SeenPart:
    """The message of that id. Raises `MessageNotFound`."""
    route = await baton.routes.of_message(who.bounds, message_id)
    return SeenPart(SeenTask(who, route), message_id)


async def find_errand(baton: HasRoutes, who: Principal, errand_id: ErrandId) -> SeenPart:
    """The errand of that id. Raises `MessageNotFound`."""
    route = await baton.routes.of_errand(who.bounds, errand_id)
    return SeenPart(SeenTask(who, route), errand_id)


async def find_approval(baton: HasRoutes, who: Principal, approval_id: ApprovalId) -> SeenPart:
    """The approval of that id. Raises `ApprovalNotFound`."""
    route = await baton.routes.of_approval(who.bounds, approval_id)
    return SeenPart(SeenTask(who, route), approval_id)


async def find_artifact(baton: HasRoutes, who: Principal, artifact_id: ArtifactId) -> SeenPart:
    """The artifact of that id. Raises `ArtifactNotFound`."""
    route = await baton.routes.of_artifact(who.bounds, artifact_id)
    return SeenPart(SeenTask(who, route), artifact_id)


async def find_agent(connection: Connection, who: Principal, reference: AgentReference) -> Agent:
    """The agent that a caller means. Text is taken for a uuid or an integer where it reads as one, else for a name.

    Raises `AgentNotFound`, also for an agent that exists but is not the key's own.
    """
    agent = await _agent(connection, who, reference)
    if agent is None or not _sees(who, agent.id):
        raise AgentNotFound("there is no such agent" if reference is not None else "there is no default agent")
    return agent


async def find_agents(
    connection: Connection, who: Principal, references: Collection[AgentReference]
) -> dict[AgentReference, Agent]:
    """The agents that a caller means, each named as `parse_reference` gives it; those that it may use."""
    found = await agents.among(
        connection,
        who.bounds,
        ids=[one for one in references if isinstance(one, UUID)],
        numbers=[one for one in references if isinstance(one, int) and INT64_MIN <= one <= INT64_MAX],
        names=[one for one in references if isinstance(one, str) and not unstorable_text(one)],
    )
    named: dict[AgentReference, Agent] = {}
    for agent in found:
        named |= {agent.id: agent, agent.number: agent, agent.name: agent}
    return {reference: named[reference] for reference in references if reference in named}


async def find_bounds(connection: Connection, who: Principal, agent: AgentReference) -> Bounds:
    """What ``who`` may see, and of that what is of one agent where it names one. Raises `AgentNotFound`."""
    if agent is None:
        return who.bounds
    return Bounds(who.tenant_id, (await find_agent(connection, who, agent)).id, shared=not who.is_for_one_agent)


async def find_key(connection: Connection, who: Principal, key_id: UUID) -> Key:
    """The key of that id; who has a key for one agent sees that agent's. Raises `NotFound`."""
    key = await keys.by_id(connection, who.tenant_id, key_id)
    if key is None or not _sees(who, key.agent_id):
        raise NotFound("there is no such key")
    return key


async def _agent(connection: Connection, who: Principal, reference: AgentReference) -> Agent | None:
    if reference is None:
        if who.agent_id is not None:
            return await agents.by_id(connection, who.tenant_id, who.agent_id)
        return await agents.default(connection, who.tenant_id)
    if isinstance(reference, str):
        reference = parse_reference(reference)
    if isinstance(reference, UUID):
        return await agents.by_id(connection, who.tenant_id, reference)
    if isinstance(reference, int):
        if not INT64_MIN <= reference <= INT64_MAX:
            return None
        return await agents.by_number(connection, who.tenant_id, reference)
    return None if unstorable_text(reference) else await agents.by_name(connection, who.tenant_id, reference)


def _sees(who: Principal, agent_id: UUID | None) -> bool:
    """The rule: a caller sees what is of its agent, or of any where its key is for none. None: what is of no agent."""
    return who.agent_id is None or who.agent_id == agent_id
