"""Rings on a real Temporal server: not more than needed, and never one too few."""

import asyncio
from uuid import UUID

from temporalio.api.enums.v1 import EventType

from baton.domain.ids import TaskById
from baton.domain.messages import Draft
from baton.service import messages
from tests.support.system import Row, System, eventually
from workflows.contracts import task_workflow_id


async def rings(system: System, task: UUID) -> int:
    """How often the task's present workflow was rung."""
    history = await system.temporal.client.get_workflow_handle(task_workflow_id(str(task))).fetch_history()
    signaled = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    return sum(event.event_type == signaled for event in history.events)


async def tell(system: System, task: UUID, text: str) -> bool:
    """Send a message; whether Temporal was told."""
    draft = Draft(text, origin="test")
    sent = await messages.send_message(system.baton, system.who, TaskById(task), draft, budget_seconds=5)
    return sent.signaled


async def test_a_burst_to_a_waiting_task_rings_once_for_each_turn(system: System) -> None:
    task = await system.start("!ask One?\n!sleep 0.5\n!ask Two?")
    await system.until(task, "waiting")
    before = await rings(system, task)
    assert all(await asyncio.gather(*(tell(system, task, f"m{n}") for n in range(20))))
    row = await eventually(lambda: _all_read(system, task))
    assert await rings(system, task) - before <= row["turn"] - 1


async def test_a_task_that_waits_is_rung_though_its_workflow_is_gone(system: System) -> None:
    task = await system.start("!ask One?\n!ask Two?")
    await system.until(task, "waiting")
    await system.temporal.client.get_workflow_handle(task_workflow_id(str(task))).terminate()
    assert await tell(system, task, "go on")
    row = await eventually(lambda: _all_read(system, task))
    assert (row["turn"], row["open_questions"][0]["text"]) == (2, "Two?")


async def _all_read(system: System, task: UUID) -> Row | None:
    row = await system.row(task)
    return row if row["state"] == "waiting" and not row["turn_open"] and not row["unclaimed"] else None
