"""Tool calls of a recorded step: each recorded once; the last one decides how the turn goes on."""

from collections.abc import Sequence
from dataclasses import replace

from domain.conversation import Question, ToolCall, ToolResult
from domain.events import EventType
from domain.ids import StepKey
from domain.json import JsonObject
from domain.mailbox import Ending, Position, Then
from store import tasks
from store.changes import Change
from store.pool import Connection
from store.queries import query


async def start_tool(connection: Connection, key: StepKey, call_id: str) -> ToolCall | Position:
    """Start a tool call; a `Position` where it is made already, or its turn is over or was asked to stop."""
    change = await Change.of(connection, key.tenant_id, key.execution_id, key.task_id)
    if not change.has_open(key.turn):
        return change.standing()
    if change.task.box.interrupted(key.turn):
        return await _interrupt(change, key)
    row = await connection.fetchrow(query("start_tool_call"), *_names(key), call_id)
    if row is None:
        return await after_call(change, key)
    call = ToolCall(call_id, row["name"], row["arguments"])
    change.say(EventType.TOOL_STARTED, {**_event(key, call_id, call.name), "arguments": call.arguments})
    await change.commit()
    return call


async def record_tool(connection: Connection, key: StepKey, result: ToolResult) -> Position:
    """Record what a tool call gave, unless that is recorded already or the turn is over."""
    change = await Change.of(connection, key.tenant_id, key.execution_id, key.task_id)
    if not change.has_open(key.turn):
        return change.standing()
    await end_call(change, key, result)
    if change.task.box.interrupted(key.turn):
        return await _interrupt(change, key)
    return await after_call(change, key)


async def add_calls(change: Change, key: StepKey, calls: Sequence[ToolCall]) -> None:
    """Add the calls that a step has asked for."""
    await change.connection.execute(
        query("add_tool_calls"),
        *_names(key),
        [call.id for call in calls],
        [call.name for call in calls],
        [call.arguments for call in calls],
    )


async def end_call(change: Change, key: StepKey, result: ToolResult) -> None:
    """Record a call's result and say so, unless it is recorded already."""
    name = await change.connection.fetchval(
        query("end_tool_call"), *_names(key), result.call_id, result.content, result.failed
    )
    if name is not None:
        data = {**_event(key, result.call_id, name), "content": result.content, "failed": result.failed}
        change.say(EventType.TOOL_COMPLETED, data)


async def after_step(change: Change, key: StepKey) -> Position:
    """Where a turn stands whose step ``key`` is recorded: calls are left, or the next step is due."""
    left = await change.connection.fetch(query("tool_calls_left"), *_names(key))
    calls = tuple(ToolCall(row["call_id"], row["name"], row["arguments"]) for row in left)
    if calls:
        return Position(Then.TOOLS, key.turn, key.step, change.box, calls, change.task.event_seq)
    return Position(Then.STEP, key.turn, key.step + 1, change.box, event_seq=change.task.event_seq)


async def after_call(change: Change, key: StepKey) -> Position:
    """Commit, and end the turn if the step asked something and no call of it is left."""
    where = await after_step(change, key)
    if where.then is Then.STEP and (asked := await _asked(change, key)):
        return await change.end_turn(Ending.ANSWERED, asked)
    return replace(where, event_seq=await change.commit())


async def _interrupt(change: Change, key: StepKey) -> Position:
    """End a turn that was asked to stop. What its recorded step asked stays to be answered, as the model is told."""
    return await change.end_turn(Ending.INTERRUPTED, await _asked(change, key))


async def _asked(change: Change, key: StepKey) -> tuple[Question, ...]:
    """The questions that a recorded step asked beside its calls, in the order of the model."""
    rows = await change.connection.fetch(query("step_questions"), *_names(key))
    return tasks.questions_of([row["question"] for row in rows])


def _names(key: StepKey) -> tuple[object, ...]:
    return key.tenant_id, key.task_id, key.turn, key.step


def _event(key: StepKey, call_id: str, name: str) -> JsonObject:
    return {"turn": key.turn, "step": key.step, "call_id": call_id, "name": name}
