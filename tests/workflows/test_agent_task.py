"""One task's agent on a real Temporal server: asks, waits, goes on, is interrupted, fails, is reopened."""

import asyncio
from contextlib import suppress
from uuid import UUID

import pytest
from temporalio.client import WorkflowFailureError

from baton.domain.errors import AnswerRefused, TaskClosed
from baton.domain.events import Event, EventType
from baton.domain.ids import TaskById
from baton.domain.states import SendMode
from baton.service import control
from tests.support.system import System, eventually
from workflows.contracts import task_workflow_id


def texts(log: list[Event]) -> list[str]:
    """What the agent said, step by step."""
    return [str(event.data["text"]) for event in log if event.type is EventType.STEP_COMPLETED and event.data["text"]]


def gapless(log: list[Event]) -> bool:
    return [event.seq for event in log] == list(range(1, len(log) + 1))


async def test_a_question_waits_and_its_answer_goes_on(system: System) -> None:
    task = await system.start("!say Hello\n!ask Which region?\n!say Going on\n!finish Done")
    waiting = await system.until(task, "waiting")
    assert [question["text"] for question in waiting["open_questions"]] == ["Which region?"]
    await system.send(task, "eu-west")
    row = await system.until(task, "succeeded")
    assert row["result"] == "You said: eu-west\nGoing on\nDone"
    log = await system.log(await system.execution_of(task))
    assert gapless(log)
    assert texts(log) == ["Hello", "You said: eu-west\nGoing on\nDone"]


async def test_a_message_reopens_a_task_whose_workflow_has_closed(system: System) -> None:
    task = await system.start("!finish One")
    await system.until(task, "succeeded")
    handle = system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    assert await handle.result() == "succeeded"
    for n in (1, 2, 3):
        receipt = await system.send(task, f"again {n}")
        assert receipt.reopened
        row = await system.until(task, "succeeded")
        assert row["result"] == f"You said: again {n}"
    assert row["turn"] == 4


async def test_a_burst_is_read_in_order_by_few_turns(system: System) -> None:
    task = await system.start("!sleep 0.5\n!finish first")
    await eventually(lambda: _in_turn(system, task))  # what its first turn reads, its !finish leaves unsaid
    await asyncio.gather(*(system.send(task, f"m{n}") for n in range(50)))
    row = await system.until(task, "succeeded")
    assert (row["accepted_seq"], row["unclaimed"]) == (50, 0)
    assert row["turn"] <= 4
    async with system.baton.pool.connection() as connection:
        sent = await connection.fetch("SELECT text, state FROM messages WHERE task_id = $1 ORDER BY seq", task)
    assert {message["state"] for message in sent} == {"processed"}
    said = "\n".join(texts(await system.log(await system.execution_of(task))))
    assert [line for line in said.splitlines() if line.startswith("You said: m")] == [
        f"You said: {message['text']}" for message in sent
    ]


async def test_tools_are_made_and_the_model_reads_what_they_gave(system: System) -> None:
    task = await system.start("!tool clock {}\n!say after\n!tool nonsense {}\n!finish end")
    row = await system.until(task, "succeeded", "failed")
    log = await system.log(await system.execution_of(task))
    done = [event.data for event in log if event.type is EventType.TOOL_COMPLETED]
    assert [(call["name"], call["failed"]) for call in done] == [("clock", False), ("nonsense", True)]
    assert row["state"] == "succeeded"
    assert "end" in row["result"]


async def test_an_answer_that_breaks_the_schema_is_refused_and_the_task_keeps_waiting(system: System) -> None:
    task = await system.start('!ask {"question": "How many?", "schema": {"type": "integer", "minimum": 1}}')
    await system.until(task, "waiting")
    for wrong in ("many", "0", "1.5"):
        with pytest.raises(AnswerRefused) as refused:
            await system.send(task, wrong)
        assert refused.value.problems
    assert (await system.row(task))["state"] == "waiting"
    await system.send(task, "3")
    await system.until(task, "succeeded")


async def test_an_interrupt_ends_the_turn_and_keeps_what_was_said(system: System) -> None:
    task = await system.start("!stream 4000\n!say never")
    execution = await system.execution_of(task)

    async def streaming() -> bool:
        return any(event.type is EventType.TEXT_DELTA for event in await system.log(execution))

    await eventually(streaming)
    receipt = await system.send(task, "stop, please", mode=SendMode.INTERRUPT)
    assert receipt.interrupts == 1
    row = await system.until(task, "succeeded", seconds=10)
    log = await system.log(execution)
    cut = next(event for event in log if event.type is EventType.STEP_COMPLETED)
    assert cut.data["interrupted"]
    streamed = "".join(str(e.data["text"]) for e in log if e.type is EventType.TEXT_DELTA and e.data["turn"] == 1)
    assert streamed == cut.data["text"] != ""
    assert len(streamed.split()) < 4000
    assert "You said: stop, please" in row["result"]


async def test_pause_interrupts_and_resume_takes_a_new_turn(system: System) -> None:
    task = await system.start("!sleep 60\n!finish slept")
    await eventually(lambda: _in_turn(system, task))
    assert (await control.pause(system.baton, system.who, TaskById(task))).task.state == "paused"
    row = await system.until(task, "paused", seconds=10)
    assert row["turn"] == 1
    assert (await control.resume(system.baton, system.who, TaskById(task))).task.state == "running"
    row = await system.until(task, "succeeded", seconds=10)
    assert (row["turn"], row["result"]) == (2, "slept")


async def test_cancel_is_final_and_ends_the_workflow(system: System) -> None:
    task = await system.start("!sleep 60")
    await eventually(lambda: _in_turn(system, task))
    queued = await system.send(task, "unread")
    assert (await control.cancel(system.baton, system.who, TaskById(task))).task.state == "cancelled"
    handle = system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    async with asyncio.timeout(20):
        assert await handle.result() == "cancelled"
    async with system.baton.pool.connection() as connection:
        state = await connection.fetchval("SELECT state FROM messages WHERE id = $1", queued.message_id)
    assert state == "dead"
    with pytest.raises(TaskClosed) as closed:
        await system.send(task, "more")
    assert closed.value.state == "cancelled"


async def test_a_failing_model_is_retried_and_what_it_streamed_is_void(system: System) -> None:
    task = await system.start("!stream 30\n!fail 1 not yet\n!finish there")
    row = await system.until(task, "succeeded")
    log = await system.log(await system.execution_of(task))
    kinds = [event.type for event in log]
    assert (
        kinds.index(EventType.STEP_FAILED) < kinds.index(EventType.STEP_VOIDED) < kinds.index(EventType.STEP_COMPLETED)
    )
    assert str(row["result"]).endswith("there")
    kept = "".join(str(e.data["text"]) for e in log if e.type is EventType.TEXT_DELTA and e.data["attempt"] == 2)
    assert kept == row["result"]


async def test_a_model_that_fails_for_good_fails_the_task_until_a_message_reopens_it(system: System) -> None:
    task = await system.start("!fatal broken")
    row = await system.until(task, "failed")
    assert row["error_code"] == "scripted_fatal"
    await system.send(task, "try something else")
    row = await system.until(task, "succeeded")
    assert row["result"] == "You said: try something else"
    assert row["error_code"] is None


async def test_messages_of_a_turn_that_failed_for_good_are_dead(system: System) -> None:
    task = await system.start("!ask What?")
    await system.until(task, "waiting")
    receipt = await system.send(task, "!fatal no")
    await system.until(task, "failed")
    async with system.baton.pool.connection() as connection:
        row = await connection.fetchrow("SELECT state, reason FROM messages WHERE id = $1", receipt.message_id)
    assert row is not None
    assert (row["state"], row["reason"]) == ("dead", "scripted_fatal")


async def test_what_is_typed_into_temporal_is_a_message_like_any_other(system: System) -> None:
    task = await system.start("!ask Which?")
    await system.until(task, "waiting")
    handle = system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    await handle.signal("user_message", "typed by hand")
    row = await system.until(task, "succeeded")
    assert row["result"] == "You said: typed by hand"


async def test_a_workflow_cancelled_in_temporal_cancels_its_task(system: System) -> None:
    task = await system.start("!ask Which?")
    await system.until(task, "waiting")
    handle = system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    await handle.cancel()
    await system.until(task, "cancelled", seconds=15)
    running = await system.start("!sleep 60")
    await eventually(lambda: _in_turn(system, running))
    await system.temporal.client.get_workflow_handle(task_workflow_id(str(running))).cancel()
    await system.until(running, "cancelled", seconds=15)


async def test_the_cancel_signal_cancels(system: System) -> None:
    task = await system.start("!sleep 60")
    await eventually(lambda: _in_turn(system, task))
    await system.temporal.client.get_workflow_handle(task_workflow_id(str(task))).signal("cancel")
    await system.until(task, "cancelled", seconds=15)


async def test_temporal_shows_state_and_question(system: System) -> None:
    task = await system.start("!ask Which region shall it be?")
    await system.until(task, "waiting")
    handle = system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))

    async def shown() -> bool:
        status = await handle.query("status")
        return "Which region shall it be?" in status["details"] and status["state"] == "waiting"

    await eventually(shown)

    async def listed() -> bool:
        query = f'BatonState="waiting" AND WorkflowId="{handle.id}" AND BatonTenant="acme" AND BatonAgent="assistant"'
        return [found.id async for found in system.temporal.client.list_workflows(query)] == [handle.id]

    await eventually(listed)


async def test_it_continues_as_new_and_loses_nothing(rolling: System) -> None:
    task = await rolling.start("!ask 0?")
    for n in range(1, 13):
        await rolling.until(task, "waiting")
        await rolling.send(task, f"!ask {n}?")
    await rolling.until(task, "waiting")
    handle = rolling.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    described = await handle.describe()
    assert described.raw_description.workflow_execution_info.first_run_id != described.run_id
    row = await rolling.row(task)
    assert (row["accepted_seq"], row["unclaimed"]) == (12, 0)
    # A burst that meets the roll-over.
    await asyncio.gather(*(rolling.send(task, f"b{n}") for n in range(40)))
    row = await rolling.until(task, "succeeded")
    assert (row["accepted_seq"], row["unclaimed"]) == (52, 0)


async def test_a_message_in_the_instant_the_task_finishes_is_never_lost(system: System) -> None:
    """The gap between the commit that ends a turn and the workflow's end, aimed at 200 times."""
    delays = [n * 0.0005 for n in range(20)] * 10

    async def once(n: int, delay: float) -> None:
        task = await system.start(f"!finish {n}")

        async def ending() -> bool:
            return (await system.row(task))["state"] == "succeeded"

        async with asyncio.timeout(30):
            while not await ending():
                await asyncio.sleep(0)
        await asyncio.sleep(delay)
        await system.send(task, f"late {n}")
        row = await system.until(task, "succeeded", seconds=30)
        assert row["result"] == f"You said: late {n}", row

    for start in range(0, len(delays), 8):
        await asyncio.gather(*(once(n, delays[n]) for n in range(start, min(start + 8, len(delays)))))


async def test_a_step_is_one_activity_and_histories_hold_no_text(system: System) -> None:
    secret = "xyzzy-plugh"
    plain = await system.start(f"!say {secret}-described\n!finish {secret}-first")
    broken = await system.start(f'!tool {secret} {{"{secret}": 1}}\n!fail 1 {secret}\n!fatal {secret}')
    for task, state in ((plain, "succeeded"), (broken, "failed")):
        await system.until(task, state)
        handle = system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
        with suppress(WorkflowFailureError):
            await handle.result()
        history = await handle.fetch_history()
        raw = b"".join(event.SerializeToString() for event in history.events)
        assert secret.encode() not in raw
        if task == plain:
            assert sum(e.HasField("activity_task_scheduled_event_attributes") for e in history.events) == 1


async def test_a_step_that_fails_as_nobody_foresaw_is_not_tried_for_ever(
    system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = 0

    async def broken(*_: object) -> None:
        nonlocal tried
        tried += 1
        raise KeyError("what a " + "user wrote")  # the line itself stands in the traceback

    with monkeypatch.context() as patched:
        patched.setattr("activities.steps.take_next", broken)
        patched.setattr("activities.failures.MODEL_ATTEMPTS", 2)
        task = await system.start("!say hello")
        row = await system.until(task, "failed")
    assert (row["error_code"], tried) == ("step_broken", 2)
    assert "what a user wrote" not in caplog.text
    await system.send(task, "go on")
    await system.until(task, "succeeded")


async def _in_turn(system: System, task: UUID) -> bool:
    return bool((await system.row(task))["turn_open"])
