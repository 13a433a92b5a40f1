"""Questions that nobody answers: a reminder, an escalation, a default at the deadline."""

import asyncio
import json
from typing import cast

from baton.domain.events import EventType
from tests.support.system import System, eventually


def ask(**more: object) -> str:
    return "!ask " + json.dumps({"question": "Which?", **more})


async def test_a_deadline_takes_the_default(system: System) -> None:
    task = await system.start(ask(deadline_seconds=0.4, default="blue") + "\n!finish end")
    row = await system.until(task, "succeeded")
    assert row["result"] == "You said: blue\nend"
    log = await system.log(await system.execution_of(task))
    accepted = next(event.data for event in log if event.type is EventType.MESSAGE_ACCEPTED)
    assert (accepted["origin"], accepted["text"]) == ("deadline", "blue")
    assert len(cast("list[str]", accepted["answers"])) == 1


async def test_an_answer_before_the_deadline_counts_and_the_default_does_not(system: System) -> None:
    task = await system.start(ask(deadline_seconds=1.0, default="blue") + "\n!ask And?")
    await system.until(task, "waiting")
    await system.send(task, "red")
    await system.until(task, "waiting")
    await asyncio.sleep(1.2)  # the deadline passes
    assert (await system.row(task))["state"] == "waiting"
    await system.send(task, "end")
    row = await system.until(task, "succeeded")
    assert row["accepted_seq"] == 2


async def test_it_reminds_then_escalates_and_goes_on_waiting(system: System) -> None:
    task = await system.start(ask(remind_after_seconds=0.2, escalate_after_seconds=0.5))
    execution = await system.execution_of(task)

    async def escalated() -> bool:
        return any(event.type is EventType.QUESTION_ESCALATED for event in await system.log(execution))

    await eventually(escalated)
    kinds = [event.type for event in await system.log(execution)]
    assert kinds.count(EventType.QUESTION_REMINDED) == kinds.count(EventType.QUESTION_ESCALATED) == 1
    assert kinds.index(EventType.QUESTION_REMINDED) < kinds.index(EventType.QUESTION_ESCALATED)
    assert (await system.row(task))["state"] == "waiting"


async def test_a_default_that_breaks_the_schema_is_no_question(system: System) -> None:
    task = await system.start(ask(deadline_seconds=60, default="many", schema={"type": "integer"}))
    row = await system.until(task, "succeeded", "waiting")
    assert row["state"] == "succeeded"
