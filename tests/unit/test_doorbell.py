"""When the doorbell rings, and when it need not."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import pytest
from temporalio.service import GrpcCompression

from baton.domain.bells import TaskBell, of_message
from baton.domain.errors import Unavailable
from baton.domain.ids import TaskRoute
from baton.domain.messages import Receipt
from baton.domain.states import TaskState
from baton.service.doorbell import Doorbell
from baton.service.temporal import Temporal, connect

ROUTE = TaskRoute(uuid4(), "acme", uuid4(), uuid4(), 1, False, "queue", "assistant", uuid4(), "a task", "a task")


class Bells:
    """Takes rings in Temporal's place; while ``away`` it takes none."""

    def __init__(self) -> None:
        self.rung: list[dict[str, Any]] = []
        self.away = False

    async def ring_task(
        self, route: TaskRoute, seq: int, turn: int, interrupt: int = 0, *, runs: bool, starts: bool, unheard: bool
    ) -> None:
        """Take a ring."""
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("away") from OSError()
        self.rung.append({"seq": seq, "turn": turn, "interrupt": interrupt, "runs": runs, "starts": starts})


@pytest.fixture
def bells() -> Bells:
    return Bells()


@pytest.fixture
def doorbell(bells: Bells) -> Doorbell:
    return Doorbell(cast("Temporal", bells), 8)


def accepted(was: TaskState, version: int, turn: int = 1, *, turn_open: bool = False, interrupts: int = 0) -> TaskBell:
    """The bell of a message that was accepted."""
    running = TaskState.RUNNING
    receipt = Receipt(
        uuid4(), version, ROUTE.task_id, ROUTE.execution_id, datetime.now(UTC), running, version, turn, turn_open,
        interrupts, was,
    )  # fmt: skip
    bell = of_message(receipt, in_plan=False).task
    assert bell is not None
    return bell


async def test_messages_for_a_turn_that_is_due_ring_once(bells: Bells, doorbell: Doorbell) -> None:
    assert await doorbell.ring_for(ROUTE, accepted(TaskState.WAITING, 2))
    for version in (3, 4, 5):
        assert await doorbell.ring_for(ROUTE, accepted(TaskState.RUNNING, version))
    assert [ring["seq"] for ring in bells.rung] == [2]


async def test_those_that_come_while_a_ring_is_on_its_way_wait_for_it(bells: Bells, doorbell: Doorbell) -> None:
    rings = [doorbell.ring_for(ROUTE, accepted(TaskState.WAITING, 2))]
    rings += [doorbell.ring_for(ROUTE, accepted(TaskState.RUNNING, version)) for version in (3, 4)]
    assert await asyncio.gather(*rings) == [True, True, True]
    assert len(bells.rung) == 1


async def test_the_next_turn_is_rung_for_by_itself(bells: Bells, doorbell: Doorbell) -> None:
    await doorbell.ring_for(ROUTE, accepted(TaskState.WAITING, 2))
    for version in (4, 5):
        await doorbell.ring_for(ROUTE, accepted(TaskState.RUNNING, version, turn=2, turn_open=True))
    assert [ring["seq"] for ring in bells.rung] == [2, 4]


@pytest.mark.parametrize("was", [TaskState.WAITING, TaskState.PAUSED, TaskState.SUCCEEDED, TaskState.FAILED])
async def test_a_task_that_did_not_run_is_always_rung(bells: Bells, doorbell: Doorbell, was: TaskState) -> None:
    """Its workflow may have looked for the same turn before, and found nothing to do."""
    await doorbell.ring_for(ROUTE, accepted(was, 2))
    await doorbell.ring_for(ROUTE, accepted(was, 4))
    assert [ring["seq"] for ring in bells.rung] == [2, 4]


async def test_an_interrupt_is_always_rung(bells: Bells, doorbell: Doorbell) -> None:
    await doorbell.ring_for(ROUTE, accepted(TaskState.RUNNING, 4, turn=2, turn_open=True))
    await doorbell.ring_for(ROUTE, accepted(TaskState.RUNNING, 5, turn=2, turn_open=True, interrupts=2))
    assert [ring["interrupt"] for ring in bells.rung] == [0, 2]


async def test_a_ring_that_was_not_taken_is_not_relied_on(bells: Bells, doorbell: Doorbell) -> None:
    bells.away = True
    assert not await doorbell.ring_for(ROUTE, accepted(TaskState.WAITING, 2))
    assert not await doorbell.ring_for(ROUTE, accepted(TaskState.RUNNING, 3))
    bells.away = False
    assert await doorbell.ring_for(ROUTE, accepted(TaskState.RUNNING, 4))
    assert [ring["seq"] for ring in bells.rung] == [4]


@pytest.mark.parametrize(
    ("bell", "runs"),
    [
        (accepted(TaskState.RUNNING, 2, turn=0), False),
        (accepted(TaskState.WAITING, 2), True),
        (accepted(TaskState.SUCCEEDED, 2), False),
        (accepted(TaskState.FAILED, 2), False),
    ],
)
async def test_a_workflow_is_started_where_none_is_likely_to_run(
    bells: Bells, doorbell: Doorbell, bell: TaskBell, runs: bool
) -> None:
    await doorbell.ring_for(ROUTE, bell)
    assert bells.rung[0]["runs"] is runs


async def test_one_who_knows_of_no_workflow_is_enough(bells: Bells, doorbell: Doorbell) -> None:
    await asyncio.gather(
        doorbell.ring_for(ROUTE, accepted(TaskState.WAITING, 2)),
        doorbell.ring_task(ROUTE, 3, 2),
        return_exceptions=True,
    )
    assert bells.rung == [{"seq": 3, "turn": 2, "interrupt": 0, "runs": False, "starts": True}]


async def test_a_workflow_is_started_if_any_of_those_who_ring_has_something_for_it_to_do(
    bells: Bells, doorbell: Doorbell
) -> None:
    await doorbell.ring_task(ROUTE, 3, 2, starts=False)
    await asyncio.gather(doorbell.ring_task(ROUTE, 4, 2, starts=False), doorbell.ring_task(ROUTE, 5, 2))
    assert [ring["starts"] for ring in bells.rung] == [False, True]


async def test_rings_are_not_compressed() -> None:
    """They are ids and numbers: it would cost both sides more than it saves."""
    client = await connect(lazy=True)
    assert client.service_client.config.grpc_compression is GrpcCompression.NONE
