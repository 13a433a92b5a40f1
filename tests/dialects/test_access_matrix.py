"""Every route of every dialect × every kind of caller: what each gets, and nothing that is unexpected.

The expected cells are in `access_table.py`; **a route without a line there fails here**, and its docstring says how to
write one. Beside the cells: whoever is refused changes nothing, and another tenant's caller learns nothing, neither
from what is answered nor from what is asked of the database, that it would not of something that is not there.
"""

import json
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, cast
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.routing import APIRoute

import baton.store.pool
from api.dialects import all_dialects
from baton.domain.agents import Agent, Scope
from baton.store import agents
from tests.dialects.access_table import ADMIN, KUBIYA_PLAN, LISTS, TABLE, Entry
from tests.dialects.conftest import QUICK
from tests.dialects.requests import start_plan, start_task, task_ids
from tests.dialects.test_approvals import hold
from tests.dialects.test_artifacts import set_apart_by_a_call
from tests.dialects.test_compactions import compact, talk
from tests.support.api import NOWHERE, RunningApi, running_api
from tests.support.keys import create_key, list_keys, revoke_key
from tests.support.postgres import PostgresServer

CALLERS: Final = (
    "no key",
    "broken key",
    "expired",
    "revoked",
    "wrong scope",
    "too often",
    "other tenant",
    "other agent",
    "right",
)
_CHEAP: Final = "/baton/v1/tasks?limit=1"
_PLACE: Final = re.compile(r"\{(\w+)\}")
_NAME: Final = re.compile(r"\$([A-Z_]+)")


def routes() -> Iterator[str]:
    """Every route that is mounted, as `access_table` names it."""
    for dialect in all_dialects():
        for route in dialect.app.routes:
            if isinstance(route, APIRoute):
                yield from (f"{method} {route.path}" for method in route.methods or ())


def expected(entry: Entry) -> dict[str, int]:
    """What each kind of caller is to get."""
    other_agent = entry.other if entry.other_agent is None else entry.other_agent
    refused = dict.fromkeys(CALLERS[:4], 401)
    return refused | {
        "wrong scope": 403,
        "too often": 429,
        "other tenant": abs(entry.other),
        "other agent": abs(other_agent),
        "right": entry.status,
    }


def test_every_route_has_a_line_and_every_line_a_route() -> None:
    mounted = list(routes())
    assert len(set(mounted)) == len(mounted)
    assert sorted(set(mounted) - set(TABLE)) == [], "routes without a line in access_table.py: its docstring says how"
    assert sorted(set(TABLE) - set(mounted)) == [], "lines of routes that are gone"


@dataclass
class World:
    """A tenant with something of each kind, and callers of all kinds. ``names``: what places and `$NAMES` stand for."""

    api: RunningApi
    other_agent: int
    keys: dict[str, str]
    statements: list[str]
    names: dict[str, Any] = field(default_factory=dict[str, Any])

    async def key(self, caller: str, scope: Scope) -> str | None:
        """The key that a caller presents to a route that needs ``scope``."""
        match caller:
            case "no key":
                return None
            case "wrong scope":
                return self.keys[f"all but {scope}"]
            case "right":
                return self.keys[f"only {scope}"]
            case _:
                return self.keys[caller]


@pytest.fixture(scope="module")
async def world(postgres: PostgresServer) -> AsyncGenerator[World]:
    """A world in a database of its own; what is asked of the database there can be seen."""
    statements: list[str] = []
    prepare = baton.store.pool.prepare_connection

    def listen(asked: Any) -> None:
        statements.append(asked.query)

    async def prepare_and_listen(connection: Any) -> None:
        await prepare(connection)
        connection.add_query_logger(listen)

    dsn = await postgres.create_database()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", NOWHERE)
        patch.setattr("baton.store.pool.prepare_connection", prepare_and_listen)
        patch.setattr("baton.service.last_uses._WRITE_SECONDS", 3600.0)  # only requests ask
        patch.setattr("baton.service.health._WRONG_SECONDS", 3600.0)
        quiet: dict[str, Any] = {
            "relay_interval_seconds": 3600.0,
            "feed_poll_seconds": 3600.0,
            "principal_cache_seconds": 3600.0,
        }
        async with running_api(dsn, **(QUICK | quiet)) as started:
            await started.app.state.baton.health.first()
            api = await started.for_new_tenants()
            yield await _world(api, statements)
            await api.close_clients()
    await postgres.drop_database(dsn)


async def _world(api: RunningApi, statements: list[str]) -> World:
    async with api.pool.connection() as connection:
        new = Agent(await api.tenant_id(), uuid4(), 0, "second", "scripted")
        second = (await agents.insert(connection, new)).number
    expired = await create_key(api.pool, api.tenant, tuple(Scope), expires_in=timedelta(days=1), name="expired")
    revoked = await create_key(api.pool, api.tenant, tuple(Scope), name="revoked")
    async with api.pool.connection() as connection:
        await connection.execute("UPDATE keys SET expires_at = now() WHERE name = 'expired'")
    (found,) = [key for key in await list_keys(api.pool, api.tenant) if key.name == "revoked"]
    await revoke_key(api.pool, api.tenant, found.id)
    keys = {
        "broken key": api.key[:-1] + ("x" if api.key[-1] != "x" else "y"),
        "expired": expired,
        "revoked": revoked,
        "too often": await api.new_key(per_minute=1),
        "other tenant": api.other_key,
        "other agent": await api.new_key(agent_number=second),
    }
    for scope in Scope:
        keys[f"only {scope}"] = await api.new_key(scope)
        keys[f"all but {scope}"] = await api.new_key(*(one for one in Scope if one not in (scope, ADMIN)))
    return World(api, second, keys, statements)


async def _make(world: World, needs: str) -> None:
    """Make something of each kind, the task in the state that a route needs."""
    api, http = world.api, world.api.http
    execution = await start_task(http)
    task = execution["tasks"][0]
    plan = await start_plan(http)
    sent = (await http.post(f"/baton/v1/tasks/{task['id']}/messages", json={"text": "x"})).json()["id"]
    approval = None
    if needs == "approval":
        task = (await start_task(http))["tasks"][0]
        (approval,) = await hold(api, task["id"])
    if needs == "compacted":
        await compact(api, task["id"])
    artifact = await set_apart_by_a_call(api, task["id"]) if needs == "artifact" else str(uuid4())
    await STATES[needs](api, task["id"])
    name = str(uuid4())
    await create_key(api.pool, api.tenant, name=name)
    (key,) = [one for one in await list_keys(api.pool, api.tenant) if one.name == name]
    world.names = {
        "EXECUTION": task["execution_id"],
        "TASK": task["id"],
        "TASK_NUMBER": task["number"],
        "PLAN": plan,
        "PLAN_TASK": (await task_ids(http, plan))[1],
        "MESSAGE": sent,
        "APPROVAL": str(uuid4()) if approval is None else approval["id"],
        "ARTIFACT": artifact,
        "NUMBER": 1,
        "AGENT": task["agent"]["id"],
        "AGENT_NUMBER": task["agent"]["number"],
        "KEY": str(key.id),
        "NEW": str(uuid4()),
    }


async def _as_it_is(_: RunningApi, __: str) -> None:
    pass


async def _ask(api: RunningApi, task: str) -> None:
    await api.ask(task, "Which?")


async def _pause(api: RunningApi, task: str) -> None:
    assert (await api.http.post(f"/baton/v1/tasks/{task}/pause")).status_code == 200


async def _kill(api: RunningApi, task: str) -> None:
    async with api.pool.connection() as connection:
        await connection.execute(
            "UPDATE messages SET state = 'dead', reason = 'x', ended_at = now() WHERE task_id = $1", UUID(task)
        )
    await api.set_task(task, unclaimed=0)


#: How a task comes into the state that a route needs; one that waits for consent is made so from the start.
STATES: Final = {
    "running": _as_it_is,
    "waiting": _ask,
    "paused": _pause,
    "dead": _kill,
    "approval": _as_it_is,
    "artifact": _as_it_is,
    "compacted": _as_it_is,
    "talked": talk,
}


def place_of(path: str, place: str) -> str:
    """What a path's place stands for, in words of `World.names`."""
    if path.startswith("/api/v1/tasks/plan"):
        return {"execution_id": "PLAN", "task_id": "ONE"}[place]
    if path.startswith("/v1/chat"):
        return {"task_id": "TASK_NUMBER"}[place]
    return {
        "execution_id": "EXECUTION",
        "executionId": "EXECUTION",
        "task_id": "TASK",
        "taskId": "TASK",
        "taskIdOrSlug": "TASK",
        "jobId": "MESSAGE",
        "message_id": "MESSAGE",
        "approval_id": "APPROVAL",
        "artifact_id": "ARTIFACT",
        "number": "NUMBER",
        "agent_id": "AGENT_NUMBER",
        "agentId": "AGENT",
        "key_id": "KEY",
    }[place]


def filled(value: Any, names: dict[str, Any]) -> Any:
    """``value`` with what its `$NAMES` stand for."""
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [filled(item, names) for item in cast("list[Any]", value)]
    if isinstance(value, str) and (found := _NAME.fullmatch(value)):
        return names[found[1]]
    return value


def _nothing(names: dict[str, Any]) -> dict[str, Any]:
    """Names of the same kinds, of nothing that there is."""
    return {name: 2**40 if isinstance(value, int) else str(uuid4()) for name, value in names.items()}


async def _call(world: World, route: str, entry: Entry, key: str | None, names: dict[str, Any]) -> httpx.Response:
    """Call a route. A stream's body is not read."""
    method, _, path = route.partition(" ")
    names = names | {"ONE": 1}
    target = _PLACE.sub(lambda m: str(names[entry.ids.get(m[1]) or place_of(path, m[1])]), path) + entry.query
    body = None if entry.body is None else json.dumps(filled(entry.body, names)).encode()
    headers = {} if body is None else {"Content-Type": "application/json"}
    if key is not None:
        headers |= {"Authorization": f"Bearer {key}", "X-Asteroid-Agents-Api-Key": key}
    async with world.api.client(None).stream(method, target, content=body, headers=headers) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            await answer.aread()
    return answer


async def _standing(world: World) -> list[str]:
    """All that a refused call could have changed."""
    tables = ("executions", "tasks", "messages", "approvals", "agents", "events")
    async with world.api.pool.connection() as connection:
        found = [
            await connection.fetch(f"SELECT t::text FROM {table} t WHERE tenant_id = $1 ORDER BY 1", tenant)
            for table in tables
            for tenant in (await world.api.tenant_id(),)
        ]
        keys = await connection.fetch("SELECT id, name, revoked_at FROM keys ORDER BY id")
    return [str(rows) for rows in (*found, keys)]


async def _window_left(world: World) -> None:
    """Use a key's only request of this minute, with some of the minute left."""
    client = world.api.client(world.keys["too often"])
    while True:
        found = re.search(r"t=(\d+)", (await client.get(_CHEAP)).headers["ratelimit"])
        assert found is not None
        if int(found[1]) > 5:
            return


@pytest.mark.parametrize("route", TABLE)
async def test_the_cells_of_a_route(world: World, route: str) -> None:
    entry = TABLE[route]
    await _make(world, entry.needs)
    ours = {str(value) for value in world.names.values() if isinstance(value, str)}
    cells: dict[str, int] = {}
    standing = await _standing(world)
    for caller in CALLERS:
        makes_own = caller.startswith("other") and expected(entry)[caller] < 300
        if caller == "too often":
            await _window_left(world)
        answer = await _call(world, route, entry, await world.key(caller, entry.scope), world.names)
        cells[caller] = answer.status_code
        streamed = "text/event-stream" in answer.headers.get("content-type", "")
        if makes_own:
            standing = await _standing(world)
        elif caller != "right":
            assert await _standing(world) == standing, f"{caller} has changed something"
            assert not streamed
        if entry.other == LISTS:
            seen = any(one in answer.text for one in ours)
            assert seen == (caller == "right"), f"{caller} {'sees' if seen else 'misses'} what is ours"
        if cells[caller] >= 400:
            assert answer.text, "an error says what is wrong"
    print(f"{route}: {cells}")
    assert cells == expected(entry)


def _masked(text: str, names: dict[str, Any]) -> str:
    """What an answer says without what the caller had named: uuids anywhere, numbers where they stand in a path."""
    for value in names.values():
        text = re.sub(rf"/{value}\b", "/…", text) if isinstance(value, int) else text.replace(value, "…")
    return text


@dataclass(frozen=True)
class Told:
    """What a caller can compare: the answer without the names that were in the call, and what was asked for it."""

    status: int
    text: str
    headers: dict[str, str]
    asked: tuple[str, ...]


def _headers(answer: httpx.Response) -> dict[str, str]:
    """An answer's headers, but for what tells its length (the names in it have lengths of their own) and its time."""
    return {name: value for name, value in answer.headers.items() if name not in ("content-length", "date")}


def _hidden(caller: str) -> list[str]:
    """Routes that name something which ``caller`` may not see."""
    return [route for route, entry in TABLE.items() if expected(entry)[caller] == 404]


async def _same_answer(world: World, caller: str, calls: Sequence[tuple[str, Entry, dict[str, Any]]]) -> Told:
    """What ``caller`` is answered to each of these calls, and what is asked of the database for it: the same."""
    told: list[Told] = []
    for _ in range(2):  # whatever is looked up once, has been
        told.clear()
        for route, entry, names in calls:
            world.statements.clear()
            answer = await _call(world, route, entry, world.keys[caller], names)
            told.append(
                Told(answer.status_code, _masked(answer.text, names), _headers(answer), tuple(world.statements))
            )
    assert all(one == told[0] for one in told[1:])
    return told[0]


@pytest.mark.parametrize(
    ("caller", "route"), [(caller, route) for caller in ("other tenant", "other agent") for route in _hidden(caller)]
)
async def test_what_belongs_to_others_is_like_none(world: World, caller: str, route: str) -> None:
    entry = TABLE[route]
    await _make(world, entry.needs)
    told = await _same_answer(world, caller, [(route, entry, names) for names in (world.names, _nothing(world.names))])
    assert told.status == 404
    names_the_wrong_agent = caller == "other agent" and "AGENT_NUMBER" in str(entry.body)
    assert told.asked or names_the_wrong_agent, "the database was asked nothing that could be compared"


@pytest.mark.parametrize("route", [route for route in _hidden("other agent") if "/v1/chat/tasks/{" in route])
async def test_an_own_agent_finds_no_task_of_others(world: World, route: str) -> None:
    """Who counts integers, naming the agent that the key is for, learns nothing."""
    entry = TABLE[route]
    await _make(world, entry.needs)
    own = {"AGENT_NUMBER": world.other_agent}
    calls = [(route, entry, names | own) for names in (world.names, _nothing(world.names))]
    told = await _same_answer(world, "other agent", calls)
    assert (told.status, bool(told.asked)) == (404, True)


#: Where else than in a path an agent or an execution may be named: the call, and what a key for another agent gets.
_NAMED: Final[dict[str, tuple[str, Any, int]]] = {
    "Baton, start": ("POST /baton/v1/executions", {"prompt": "!say hi", "agent": "$AGENT"}, 404),
    "Baton, key": ("POST /baton/v1/keys", {"name": "x", "agent": "$AGENT"}, 404),
    "Baton, list": ("GET /baton/v1/tasks?execution=$EXECUTION", None, 200),
    "Kubiya, plan": (
        "POST /api/v1/tasks/plan/execute",
        {"plan": KUBIYA_PLAN, "worker_queue_id": "q", "agent_id": "$AGENT"},
        404,
    ),
    "Kubiya, list": ("GET /api/v1/executions?agent_id=$AGENT", None, 404),
    "Maia, start": ("POST /v1/ai/agents/tasks", {"agentConfig": {"name": "$AGENT"}, "message": "hello"}, 404),
    "Twill, start": ("POST /api/v1/tasks", {"command": "!say hi", "agent": "$AGENT"}, 404),
    "Asteroid, list": ("GET /agents/v2/executions?agentId=$AGENT", None, 404),
}


@pytest.mark.parametrize("place", _NAMED)
async def test_an_agent_of_others_is_like_none_wherever_it_is_named(world: World, place: str) -> None:
    route, body, status = _NAMED[place]
    await _make(world, "running")
    calls: list[tuple[str, Entry, dict[str, Any]]] = []
    for names in (world.names, _nothing(world.names)):
        path, _, query = route.partition("?")
        query = _NAME.sub(lambda found, known=names: str(known[found[1]]), query)
        calls.append((path, Entry(Scope.READ, body=body, query=f"?{query}"), names))
    assert (await _same_answer(world, "other agent", calls)).status == status


#: What people and models have written, as the test below plants it where an answer could show it.
_WRITTEN: Final = "something-that-somebody-wrote"


async def _write_everywhere(world: World) -> None:
    """Have everything that tasks, messages, agents and approvals say hold `_WRITTEN`; the task asks something, too."""
    asked = {"id": "q1", "text": _WRITTEN, "choices": [_WRITTEN], "schema": None, "asked_at": "2026-01-01T00:00:00Z"}
    changes = (
        "UPDATE tasks SET title = $2, description = $2, result = $2",
        "UPDATE executions SET title = $2, summary = $2, metadata = jsonb_build_object('text', $2::text)",
        "UPDATE messages SET text = $2, sender = $2",
        "UPDATE approvals SET arguments = jsonb_build_object('text', $2::text)",
        "UPDATE agents SET instructions = $2, tools = ARRAY[$2::text]",
    )
    async with world.api.pool.connection() as connection:
        tenant = await world.api.tenant_id()
        for change in changes:
            await connection.execute(f"{change} WHERE tenant_id = $1", tenant, _WRITTEN)
        await connection.execute(
            "UPDATE tasks SET open_questions = $2 WHERE id = $1", UUID(world.names["TASK"]), [asked]
        )


@pytest.mark.parametrize(
    "route", [route for route, entry in TABLE.items() if not route.startswith("GET ") and entry.scope is not ADMIN]
)
async def test_who_may_only_write_is_shown_nothing_that_others_wrote(world: World, route: str) -> None:
    entry = TABLE[route]
    await _make(world, entry.needs)
    await _write_everywhere(world)
    key = await world.key("right", entry.scope)
    if route.startswith("PATCH /baton/v1/messages"):  # what is not edited is as somebody wrote it
        attachment = {"filename": "a", "media_type": "text/plain", "url": "data:text/plain,a"}
        entry = replace(entry, body={"attachments": [attachment]})
    answer = await _call(world, route, entry, key, world.names)
    assert answer.status_code == entry.status, answer.text
    assert _WRITTEN not in answer.text + str(answer.headers)
