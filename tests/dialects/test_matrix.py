"""What a message does, by state, mode and door: the whole table, none missing.

The mode is the header's, else the dialect's, else the agent's, else `queue`. A refusal is a conflict in the dialect's
own shape that names the state, and stores nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from api.dialects import all_dialects
from baton.domain.ids import TaskRoute
from baton.domain.states import SendMode, TaskState
from baton.service.tenants import default_agent
from tests.store.world import World
from tests.support.api import RunningApi

S, M = TaskState, SendMode


@dataclass(frozen=True)
class Door:
    """A way in: how a message to a task is sent, what says that it was taken, and the dialect's own mode.

    ``request`` is given the task's route, its integer, and its agent's.
    """

    name: str
    dialect: str
    request: Callable[[TaskRoute, int, int], tuple[str, dict[str, Any]]]
    taken: int
    detail: Callable[[httpx.Response], str]
    mode: SendMode | None = None


DOORS: Final = (
    Door(
        "baton",
        "baton",
        lambda route, _task, _agent: (f"/baton/v1/tasks/{route.task_id}/messages", {"text": "hello"}),
        202,
        lambda answer: answer.json()["detail"],
    ),
    Door(
        "kubiya plan",
        "kubiya",
        lambda route, _task, _agent: (
            f"/api/v1/tasks/plan/{route.execution_id}/tasks/{route.position}/message",
            {"message": "hello"},
        ),
        200,
        lambda answer: answer.json()["detail"],
    ),
    Door(
        "kubiya execution",
        "kubiya",
        lambda route, _task, _agent: (f"/api/v1/executions/{route.task_id}/message", {"message": "hello"}),
        202,
        lambda answer: answer.json()["detail"],
    ),
    Door(
        "kubiya continue",
        "kubiya",
        lambda route, _task, _agent: (
            f"/api/v1/tasks/plan/{route.execution_id}/continue",
            {"responses": [{"execution_id": str(route.task_id), "message": "hello"}]},
        ),
        200,
        lambda answer: answer.json()["detail"],
    ),
    Door(
        "chat tasks",
        "chat_tasks",
        lambda _, task, agent: (
            f"/v1/chat/tasks/{task}/messages",
            {"agent_id": agent, "message": {"role": "user", "content": "hello"}},
        ),
        202,
        lambda answer: answer.json()["error"]["message"],
        M.REJECT,
    ),
    Door(
        "maia",
        "maia",
        lambda route, _task, _agent: (f"/v1/ai/agents/tasks/{route.task_id}/messages", {"message": "hello"}),
        202,
        lambda answer: answer.json()["detail"],
    ),
    Door(
        "twill",
        "twill",
        lambda route, _task, _agent: (f"/api/v1/tasks/{route.task_id}/messages", {"message": "hello"}),
        200,
        lambda answer: answer.json()["error"]["message"],
        M.INTERRUPT,
    ),
    Door(
        "asteroid",
        "asteroid",
        lambda route, _task, _agent: (
            f"/agents/v2/executions/{route.execution_id}/user-messages",
            {"message": "hello"},
        ),
        201,
        lambda answer: answer.json()["message"],
    ),
)

#: The table of design: the state after the message; None: refused.
TABLE: Final[dict[tuple[TaskState, bool], dict[SendMode, TaskState | None]]] = {
    (S.PENDING, False): {M.QUEUE: S.PENDING, M.INTERRUPT: S.PENDING, M.REJECT: None},
    (S.RUNNING, False): {M.QUEUE: S.RUNNING, M.INTERRUPT: S.RUNNING, M.REJECT: None},
    (S.RUNNING, True): {M.QUEUE: S.RUNNING, M.INTERRUPT: S.RUNNING, M.REJECT: None},
    (S.WAITING, False): dict.fromkeys(M, S.RUNNING),
    (S.PAUSED, False): dict.fromkeys(M, S.RUNNING),
    (S.SUCCEEDED, False): dict.fromkeys(M, S.RUNNING),
    (S.FAILED, False): dict.fromkeys(M, S.RUNNING),
    (S.CANCELLED, False): dict.fromkeys(M, None),
}


def test_no_state_and_no_dialect_is_missing() -> None:
    assert {state for state, _ in TABLE} == set(TaskState)
    assert all(set(row) == set(SendMode) for row in TABLE.values())
    assert {door.dialect for door in DOORS} == {dialect.name for dialect in all_dialects()}


async def world_of(api: RunningApi, agents_mode: SendMode | None = None) -> World:
    """The tenant of the API's keys, for tests that bring tasks into states."""
    agent = await default_agent(api.pool, api.tenant)
    world = World(api.pool, api.settings.dsn, await api.tenant_id(), agent)
    if agents_mode is not None:
        world.agent = await world.new_agent(agents_mode)
    return world


async def number_of(api: RunningApi, route: TaskRoute) -> int:
    async with api.pool.connection() as connection:
        return await connection.fetchval("SELECT number FROM tasks WHERE id = $1", route.task_id)


@pytest.mark.parametrize("by", ["header", "agent"])
@pytest.mark.parametrize("mode", SendMode)
@pytest.mark.parametrize(("state", "turn_open"), TABLE, ids=lambda value: str(value))
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
async def test_a_message(
    api: RunningApi, door: Door, state: TaskState, turn_open: bool, mode: SendMode, by: str
) -> None:
    world = await world_of(api, mode if by == "agent" else None)
    route = await world.in_state(state, turn_open=turn_open)
    before = await world.row(route)
    path, body = door.request(route, await number_of(api, route), world.agent.number)
    answer = await api.http.post(path, json=body, headers={"Baton-Mode": mode} if by == "header" else {})
    effective = mode if by == "header" or door.mode is None else door.mode
    after = TABLE[state, turn_open][effective]
    if after is None:
        assert answer.status_code == 409, answer.text
        assert state in door.detail(answer)
        assert await world.row(route) == before
        assert await world.messages(route) == []
        return
    assert answer.status_code == door.taken, answer.text
    box = await world.box(route)
    assert box.state is after
    assert (box.accepted_seq, box.unclaimed) == (1, 1)
    assert (box.turn_open and box.interrupted(1)) is (turn_open and effective is M.INTERRUPT)
    (message,) = await world.messages(route)
    assert str(message["id"]) == answer.headers["Baton-Message-Id"]
    assert list(message["answers"]) == (["q"] if state is S.WAITING else [])
