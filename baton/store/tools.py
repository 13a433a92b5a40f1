"""Tool calls of a recorded step: each recorded once; the last one decides how the turn goes on."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import asyncpg

from baton.domain.approvals import Approval, ApprovalState, Policy, ToolRules, digest_of
from baton.domain.artifacts import READ_ARTIFACT
from baton.domain.conversation import Question, ToolCall, ToolResult
from baton.domain.doubts import question_about
from baton.domain.events import ToolCompleted, ToolStarted
from baton.domain.ids import StepKey
from baton.domain.json import JsonObject
from baton.domain.mailbox import Ending, Standing, Then
from baton.domain.states import CallState
from baton.store import artifacts
from baton.store.changes import Change
from baton.store.codecs import QUESTIONS
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow, fetchval, of_step

#: A step, or a call, whose workers died so often is given up.
MOST_DEATHS: Final = 3
#: What a call gives whose approval does not cover it: somebody changed one of them by hand.
NOT_APPROVED: Final = "Not called: it is not what was approved."
#: The same where workers have died of it: after so many it is not made again.
WORKER_DIED: Final = "Ended without a result: the program that made the call was killed each time."
#: The same where the agent has lost the tool since it asked for the call.
NOT_ALLOWED: Final = "Not called: this agent may not call it any more."


@dataclass(frozen=True, slots=True)
class StartedCall:
    """A call that is to be made now. ``once``: it may not be repeated, whatever becomes of this ``attempt``."""

    call: ToolCall
    attempt: int
    once: bool


class NoSlot(Exception):
    """A worker has no free slot for a call of ``tool``: nothing has changed."""

    def __init__(self, tool: str) -> None:
        super().__init__(tool)
        self.tool = tool


async def _admitted(_: str) -> bool:
    return True


async def start_tool(
    connection: Connection,
    key: StepKey,
    call_id: str,
    once: Collection[str] = (),
    forbidden: str | None = None,
    admit: Callable[[str], Awaitable[bool]] = _admitted,
) -> StartedCall | Standing:
    """Start a tool call; a `Standing` where it is made already or may not be made, or its turn is over or interrupted.

    A call that needed an approval is compared with what was approved once more, here, and every call with what its
    agent may call now: it may have been a while since the model asked. ``once``: the names of tools that may not be
    repeated; where a call of theirs was started before and may have happened, the turn ends with a question about it.
    ``forbidden``: why a call that has not begun may not be made, unless somebody has consented to it.
    ``admit`` says whether a call of a tool may begin now; where it may not this raises `NoSlot`, which the caller's
    transaction must not survive.
    """
    change = await Change.of(connection, key.tenant_id, key.execution_id, key.task_id)
    box = change.task.box
    if not box.makes_calls_of(key.turn, key.step):
        return change.standing()
    if box.interrupted(box.turn):
        return await _interrupt(change, key)
    row = await fetchrow(connection, "start_tool_call", **of_step(key), call=call_id, once=list(once))
    if row is None or row["state"] == CallState.UNSURE:
        return await after_call(change, key)
    call = ToolCall(call_id, row["name"], row["arguments"])
    if refusal := _refusal(row, call, forbidden):
        await end_call(change, key, ToolResult(call_id, refusal, failed=True))
        return await after_call(change, key)
    if not await admit(call.name):
        raise NoSlot(call.name)
    started = StartedCall(call, row["attempt"], row["once"])
    change.say(
        ToolStarted(
            turn=key.turn,
            step=key.step,
            call_id=call_id,
            name=call.name,
            arguments=call.arguments,
            attempt=started.attempt,
        )
    )
    await change.write()
    return started


def _refusal(row: asyncpg.Record, call: ToolCall, forbidden: str | None) -> str | None:
    """Why a call may not be made after all."""
    if forbidden is not None and row["attempt"] == 1 and row["approval"] is None:
        return forbidden
    if row["deaths"] >= MOST_DEATHS:
        return WORKER_DIED
    if row["approval"] is not None and not _covers(row["approval"], call):
        return NOT_APPROVED
    tools, policies = row["agent"]["tools"], row["agent"]["policies"]
    denied = call.name not in (*tools, READ_ARTIFACT) or ToolRules(policies).policy(call.name, ()) is Policy.DENY
    return NOT_ALLOWED if denied else None


def _covers(approval: JsonObject, call: ToolCall) -> bool:
    """Whether an approval is given, and for this very call."""
    return approval["state"] == ApprovalState.APPROVED and approval["digest"] == digest_of(call.name, call.arguments)


async def survived(connection: Connection, key: StepKey, started: StartedCall) -> None:
    """Note that a call came to nothing although its worker lives."""
    await execute(connection, "call_survived", **of_step(key), call=started.call.id)


async def not_begun(connection: Connection, key: StepKey, started: StartedCall) -> None:
    """Note that an attempt at a call came to nothing before the tool was called: it surely did not happen."""
    await execute(connection, "call_not_begun", **of_step(key), call=started.call.id, attempt=started.attempt)


async def deaths(connection: Connection, key: StepKey, call_id: str) -> int:
    """How many attempts at a call that is not done have ended without a word; one under way counts, too."""
    return await fetchval(connection, "call_deaths", **of_step(key), call=call_id) or 0


async def record_tool(connection: Connection, key: StepKey, result: ToolResult) -> Standing:
    """Record what a tool call gave, unless that is recorded already or the turn is over."""
    change = await Change.of(connection, key.tenant_id, key.execution_id, key.task_id)
    box = change.task.box
    if not box.makes_calls_of(key.turn, key.step):
        return change.standing()
    await end_call(change, key, result)
    if box.interrupted(box.turn):
        return await _interrupt(change, key)
    return await after_call(change, key)


async def add_calls(
    change: Change,
    key: StepKey,
    calls: Sequence[ToolCall],
    held: Collection[str],
    parameters: Mapping[str, JsonObject],
) -> None:
    """Add the calls that a step has asked for. ``held``: the ids of those that wait for consent; ``parameters``: as
    `ToolRules` has them."""
    await execute(
        change.connection,
        "add_tool_calls",
        **of_step(key),
        call_ids=[call.id for call in calls],
        names=[call.name for call in calls],
        arguments=[call.arguments for call in calls],
        states=[CallState.HELD if call.id in held else CallState.PENDING for call in calls],
        parameters=[parameters.get(call.name) if call.id in held else None for call in calls],
    )


async def end_call(change: Change, key: StepKey, result: ToolResult) -> None:
    """Record a call's result and say so, unless it is recorded already."""
    name = await fetchval(
        change.connection,
        "end_tool_call",
        **of_step(key),
        call=result.call_id,
        content=result.content,
        failed=result.failed,
    )
    if name is not None:
        kept = result.artifact
        if kept is not None:
            await artifacts.add(change.connection, key, result.call_id, kept)
        completed = ToolCompleted(
            turn=key.turn,
            step=key.step,
            call_id=result.call_id,
            name=name,
            content=result.content,
            failed=result.failed,
            artifact_id=None if kept is None else str(kept.id),
            artifact_bytes=None if kept is None else len(kept.content),
        )
        change.say(completed)


async def calls_to_make(change: Change, key: StepKey) -> tuple[ToolCall, ...]:
    """The calls of a recorded step that are to be made, in the order of the model."""
    return (await _left(change, key)).to_make


async def after_step(change: Change, key: StepKey) -> Standing:
    """Where a turn stands whose step ``key`` is recorded: calls are left, or the next step is due."""
    return _after(change, key, await calls_to_make(change, key))


async def after_call(change: Change, key: StepKey) -> Standing:
    """Write what changed. Ends the turn if no call of the step is left to make, and it asked or held back something."""
    left = await _left(change, key)
    if not left.to_make:
        own = key.turn == change.box.turn
        asked, held = (await _asked(change, key), left.held) if own else ((), ())
        if asked or held or left.unsure:
            return await change.end_turn(
                Ending.ANSWERED,
                (*asked, *await _doubts(change, key, left.unsure)),
                held=[_approval(key, call) for call in held],
                unsure=(key.turn, key.step) if left.unsure else None,
            )
    return replace(_after(change, key, left.to_make), event_seq=await change.write())


def _after(change: Change, key: StepKey, calls: tuple[ToolCall, ...]) -> Standing:
    box, event_seq = change.box, change.task.event_seq
    if calls:
        return Standing(Then.TOOLS, key.turn, key.step, box, calls, event_seq)
    step = key.step + 1 if key.turn == box.turn else 0  # calls that were held back come ahead of all steps
    return Standing(Then.STEP, box.turn, step, box, event_seq=event_seq)


@dataclass(frozen=True, slots=True)
class _Left:
    """The calls of a step that are not done: to be made, to be decided on, to be asked about."""

    to_make: tuple[ToolCall, ...]
    held: tuple[ToolCall, ...]
    unsure: tuple[ToolCall, ...]


async def _left(change: Change, key: StepKey) -> _Left:
    rows = await fetch(change.connection, "tool_calls_left", **of_step(key))

    def in_state(*states: CallState) -> tuple[ToolCall, ...]:
        return tuple(ToolCall(row["call_id"], row["name"], row["arguments"]) for row in rows if row["state"] in states)

    return _Left(in_state(CallState.PENDING, CallState.RUNNING), in_state(CallState.HELD), in_state(CallState.UNSURE))


async def _doubts(change: Change, key: StepKey, unsure: Sequence[ToolCall]) -> tuple[Question, ...]:
    """What is asked about calls that may have happened, kept with their step."""
    asked = tuple(question_about(call, change.box.turn) for call in unsure)
    if asked:
        questions = {question.call_id: QUESTIONS.write_one(question) for question in asked}
        await execute(change.connection, "ask_about_calls", **of_step(key), questions=questions)
    return asked


def _approval(key: StepKey, call: ToolCall) -> Approval:
    """The approval that a call which is held back asks for."""
    return Approval(
        id=str(uuid4()),
        call_id=call.id,
        turn=key.turn,
        step=key.step,
        tool=call.name,
        arguments=call.arguments,
        digest=digest_of(call.name, call.arguments),
        asked_at=datetime.now(UTC).isoformat(),
    )


async def _interrupt(change: Change, key: StepKey) -> Standing:
    """End a turn that was asked to stop. What its recorded step asked stays to be answered, as the model is told."""
    asked = await _asked(change, key) if key.turn == change.box.turn else ()
    return await change.end_turn(Ending.INTERRUPTED, asked)


async def _asked(change: Change, key: StepKey) -> tuple[Question, ...]:
    """The questions that a recorded step asked beside its calls, in the order of the model."""
    rows = await fetch(change.connection, "step_questions", **of_step(key))
    return QUESTIONS.read([row["question"] for row in rows])
