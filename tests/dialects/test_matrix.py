"""What a message does, by state, mode and door: the whole table, none missing.

The mode is the header's, else the dialect's, else the agent's, else `queue`. A refusal is a conflict in the dialect's
own shape that names the state, and stores nothing.
"""

from typing import Final

import pytest

from baton.domain.ids import TaskRoute
from baton.domain.states import SendMode, TaskState
from baton.service.tenants import default_agent
from tests.dialects.spoken import SPOKEN, Door, Spoken
from tests.store.world import World
from tests.support.api import RunningApi

S, M = TaskState, SendMode


DOORS: Final = [pytest.param(spoken, door, id=door.name) for spoken in SPOKEN.values() for door in spoken.doors]

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
    assert all(spoken.doors for spoken in SPOKEN.values())


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
@pytest.mark.parametrize(("spoken", "door"), DOORS)
async def test_a_message(
    api: RunningApi, spoken: Spoken, door: Door, state: TaskState, turn_open: bool, mode: SendMode, by: str
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
        assert state in spoken.sentence(answer)
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
