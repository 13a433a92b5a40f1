"""What people, and programs, may send to a workflow in Temporal itself: nothing of it stops the workflow."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage as Stage
from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest, UpdateWorkflowExecutionRequest
from temporalio.service import RPCError

from activities import edge, messages
from baton.domain.ids import TaskById
from baton.domain.states import SendMode
from baton.service import control
from tests.support.postgres import PostgresServer
from tests.support.system import System, eventually, running_system
from tests.support.temporal import RunningTemporal
from workflows.contracts import plan_workflow_id, task_workflow_id

JSON: Final = {"encoding": b"json/plain"}


def json(text: str) -> Payload:
    return Payload(metadata=JSON, data=text.encode())


NULL: Final = json("null")
#: By a name for each: the inputs that come with a signal or an update.
MALFORMED: Final[dict[str, list[Payload]]] = {
    "none": [],
    "null": [NULL],
    "two nulls": [NULL, NULL],
    "a null, then a text": [NULL, json('"x"')],
    "two texts": [json('"x"'), json('"y"')],
    "many": [json("{}")] * 50,
    "true": [json("true")],
    "a number": [json("7")],
    "a number that is none": [json("NaN")],
    "a number without end": [json('{"seq": 1e999, "task_id": 1e999}')],
    "an empty object": [json("{}")],
    "an object of others": [json('{"a": {"b": []}}')],
    "a list": [json("[]")],
    "a list of lists": [json("[" * 5000 + "]" * 5000)],
    "nulls inside": [json('{"seq": null, "task_id": null, "user_message": null, "decision": null, "text": null}')],
    "wrong types": [json('{"seq": "1", "task_id": "1", "user_message": 1, "decision": [], "text": {}}')],
    "half of it": [json('{"task_id": 1, "approval_id": "x"}')],
    "broken JSON": [json('{"seq": ')],
    "no JSON": [json("hello")],
    "bytes that are no text": [Payload(metadata=JSON, data=b"\xff\xfe")],
    "nothing in it": [Payload(metadata=JSON)],
    "no encoding": [Payload(data=b"x")],
    "an encoding of others": [Payload(metadata={"encoding": b"binary/secret"}, data=b"x")],
    "bytes": [Payload(metadata={"encoding": b"binary/plain"}, data=b"x")],
    "binary null": [Payload(metadata={"encoding": b"binary/null"})],
    "a message of protobuf": [
        Payload(metadata={"encoding": b"binary/protobuf", "messageType": b"no.such.Type"}, data=b"x")
    ],
    "a blank text": [json('"  "')],
    "a text with NUL": [json('"a\\u0000b"')],
    "half a character": [json('"\\ud800"')],
    "a large one": [json('"' + "x" * 200_000 + '"'), json("1")],
}
#: Signals that a task or a plan has, and one that it does not.
TASK_SIGNALS: Final = ("doorbell", "user_message", "decide", "cancel", "no_such_signal")
PLAN_SIGNALS: Final = ("doorbell", "continue_task_signal", "cancel", "no_such_signal")
#: What these signals do take: not malformed for them.
FITS: Final = {("cancel", name) for name in ("none", "null", "two nulls", "binary null")}


@pytest.fixture(scope="module")
async def bare(postgres: PostgresServer, temporal_server: RunningTemporal) -> AsyncGenerator[System]:
    """A Baton whose workflow tasks fail for ever where a handler raises, as they would in production."""
    dsn = await postgres.create_database()
    async with running_system(dsn, temporal_server, fail_fast=False, tools_modules=("tests.support.tools",)) as running:
        yield running


async def send_signal(
    system: System, workflow_id: str, name: str, inputs: list[Payload], identity: str = "temporal-cli:ann@laptop"
) -> None:
    await system.temporal.client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name=name,
            input=Payloads(payloads=inputs),
            identity=identity,
            request_id=str(uuid4()),
        )
    )


async def fails_to_update(system: System, workflow_id: str, name: str, inputs: list[Payload]) -> bool:
    """Send an update, wait for its outcome, and say whether that is a failure."""
    request = UpdateWorkflowExecutionRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        wait_policy=WaitPolicy(lifecycle_stage=Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED),
        request=Request(
            meta=Meta(update_id=str(uuid4()), identity="temporal-cli:ann@laptop"),
            input=Input(name=name, args=Payloads(payloads=inputs)),
        ),
    )
    async with asyncio.timeout(20):
        answer = await system.temporal.client.workflow_service.update_workflow_execution(request)
    return answer.outcome.HasField("failure")


async def send_all(system: System, workflow_id: str, signals: tuple[str, ...]) -> int:
    """Send everything malformed there is; how many signals and updates that were."""
    sent = 0
    for name, inputs in MALFORMED.items():
        for signal in signals:
            if (signal, name) not in FITS:
                await send_signal(system, workflow_id, signal, inputs)
                sent += 1
    for name, inputs in MALFORMED.items():
        for update in ("answer", "decide", "no_such_update"):
            assert await fails_to_update(system, workflow_id, update, inputs), (update, name)
            sent += 1
    return sent


async def is_well(system: System, workflow_id: str) -> Any:
    """What a workflow answers when it is asked for its status: it does not where its task fails."""
    handle = system.temporal.client.get_workflow_handle(workflow_id)
    async with asyncio.timeout(20):
        status = await handle.query("status")
    described = await handle.describe()
    assert described.raw_description.pending_workflow_task.attempt <= 1
    return status


async def _running(system: System) -> UUID:
    task = await system.start("!sleep 60")

    async def open_() -> bool:
        return bool((await system.row(task))["turn_open"])

    await eventually(open_)
    return task


async def _waiting(system: System) -> UUID:
    task = await system.start("!ask go?")
    await system.until(task, "waiting")
    return task


async def _approval(system: System) -> UUID:
    task = await system.start('!tool record {"text": "x"}', await system.agent("record", policies={"*": "ask"}))
    await system.until(task, "waiting")
    return task


async def _paused(system: System) -> UUID:
    task = await _waiting(system)
    await control.pause(system.baton, system.who, TaskById(task))
    await system.until(task, "paused")
    return task


STATES: Final[dict[str, Callable[[System], Awaitable[UUID]]]] = {
    "running": _running,
    "waiting": _waiting,
    "approval": _approval,
    "paused": _paused,
}


@pytest.mark.parametrize("state", STATES)
async def test_nothing_malformed_stops_a_task(bare: System, state: str, caplog: pytest.LogCaptureFixture) -> None:
    task = await STATES[state](bare)
    before = await bare.row(task)
    sent = await send_all(bare, task_workflow_id(str(task)), TASK_SIGNALS)
    status = await is_well(bare, task_workflow_id(str(task)))
    assert sent > 200
    assert status["dropped"] > 50, "it is shown"
    assert "dropped" in str(status["notice"])
    assert "dropped" in caplog.text, "and logged"
    assert "xxxx" not in caplog.text, "but never what was sent"
    after = await bare.row(task)
    kept = ("state", "accepted_seq", "turn", "open_questions", "open_approvals")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    await bare.send(task, "end", mode=SendMode.INTERRUPT)
    row = await bare.until(task, "succeeded", "waiting", seconds=20)
    if row["state"] == "waiting":  # what a paused task is sent answers no question
        await bare.send(task, "end")
        row = await bare.until(task, "succeeded", seconds=20)
    assert "You said: end" in str(row["result"])


async def test_nothing_malformed_stops_a_plan(bare: System) -> None:
    execution = await bare.start_plan(("!ask go?", ()), ("!finish two", (1,)))
    await eventually(lambda: _state(bare, execution, 1, "waiting"))
    assert await send_all(bare, plan_workflow_id(str(execution)), PLAN_SIGNALS) > 150
    assert await is_well(bare, plan_workflow_id(str(execution))) == "waiting", "where its task came to rest"
    tasks = await bare.tasks_of(execution)
    assert [tasks[n]["state"] for n in (1, 2)] == ["waiting", "pending"]
    assert [tasks[n]["accepted_seq"] for n in (1, 2)] == [0, 0]
    await bare.send((execution, 1), "go")
    await eventually(lambda: _state(bare, execution, 2, "succeeded"))


async def test_what_comes_before_the_first_turn_and_at_the_end_stops_nothing(bare: System) -> None:
    """Signals that are in the workflow's first activation, and those that race with its last."""
    task = await bare.start("!finish one")
    handle = bare.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    for name in MALFORMED:
        try:
            await send_signal(bare, handle.id, "user_message", MALFORMED[name])
        except RPCError:  # it has closed, or has not begun
            await asyncio.sleep(0.01)
    await bare.until(task, "succeeded")
    async with asyncio.timeout(20):
        assert await handle.result() == "succeeded"


async def test_a_task_hears_its_doorbell_while_something_typed_cannot_be_recorded(
    bare: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is at fault is tried a few times, then dropped; meanwhile the task ends, is reopened, and ends again."""

    def broken(identity: str) -> str:
        if identity == "poison":
            raise ZeroDivisionError
        return identity

    monkeypatch.setattr(messages, "author", broken)
    monkeypatch.setattr(edge, "_TYPED_ATTEMPTS", 5)
    task = await bare.start("!ask go?")
    await bare.until(task, "waiting")
    handle = bare.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    await send_signal(bare, handle.id, "user_message", [json('"lost"')], "poison")
    await bare.send(task, "one")
    await bare.until(task, "succeeded")
    assert (await handle.describe()).raw_description.pending_activities, "it is still tried"
    await bare.send(task, "two")
    row = await bare.until(task, "succeeded", seconds=4)
    assert row["turn"] == 3
    async with asyncio.timeout(30):
        assert await handle.result() == "succeeded"
    assert "signal user_message dropped: ZeroDivisionError" in caplog.text


async def _state(system: System, execution: UUID, position: int, state: str) -> bool:
    return (await system.tasks_of(execution))[position]["state"] == state
