"""Model steps: started, recorded, interrupted or failed, each in one transaction that the caller opens.

Every function locks the execution and the task first and decides by `baton.domain.mailbox`. All may be repeated, and
may come late: what is recorded already stays as it is, and the result says where the task stands now.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from baton.domain.approvals import Policy, ToolRules
from baton.domain.conversation import ModelReply, Question, ToolCall, ToolResult, Usage
from baton.domain.events import (
    NewEvent,
    ReasoningDelta,
    StepCompleted,
    StepStarted,
    StepVoided,
    TextDelta,
    TurnStarted,
)
from baton.domain.ids import ExecutionId, StepKey, TaskId, TenantId
from baton.domain.mailbox import Ending, Next, Standing, Then, begin, next_for
from baton.domain.results import Judged
from baton.domain.states import StepState
from baton.store import approvals, doubts, events
from baton.store.changes import Change, told
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow, of_step
from baton.store.step_rows import add_unrecorded, end_step, locked, stand
from baton.store.tools import add_calls, after_call, after_step, end_call

MOST_QUESTIONS: Final = 50
"""The questions that a task may have open at once."""
_TOO_MANY: Final = f"ask_user was not called: a task has at most {MOST_QUESTIONS} open questions. Wait for answers."

_NO_RULES: Final = ToolRules({"*": Policy.ALLOW})


@dataclass(frozen=True, slots=True)
class StepAttempt:
    """A step that is to be taken now. ``attempt`` fences it: only the latest attempt can record.

    ``failures``: how many attempts the model has failed already. ``position``: the task's integer in its plan.
    ``deaths``: how many attempts ended without a word, as where the worker was killed.
    """

    attempt: int
    failures: int
    event_seq: int
    position: int
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text that a step has streamed, or of ``reasoning`` before it."""

    task_id: TaskId
    position: int
    turn: int
    step: int
    attempt: int
    text: str
    reasoning: bool = False

    def event(self) -> NewEvent:
        """The event that says so."""
        kind = ReasoningDelta if self.reasoning else TextDelta
        body = kind(turn=self.turn, step=self.step, attempt=self.attempt, text=self.text)
        return NewEvent(body, self.task_id)


async def start_step(connection: Connection, key: StepKey) -> StepAttempt | Standing:
    """Start or retry a step; the first of a turn claims all messages that were accepted so far.

    A `Standing` says that there is nothing to do here: the step is recorded, or the task stands elsewhere.
    """
    change = await locked(connection, key)
    match next_for(change.task.box, key.turn, key.step):
        case Next.BEGIN:
            return await _begin_turn(change, key)
        case Next.WORK:
            return await _go_on(change, key)
        case Next.NEXT_TURN:
            return change.standing()
        case Next.REST:
            await execute(connection, "heard", tenant=key.tenant_id, task=key.task_id)
            return change.standing()


async def _begin_turn(change: Change, key: StepKey) -> StepAttempt | Standing:
    """Begin a turn: claim the messages. Calls that were held back and may be made now come before its first step."""
    task, held = change.task, _held_step(change, key)
    change.box = begin(task.box)
    first_event = task.event_seq + 2 if held is None else None
    claimed = await fetch(
        change.connection, "begin_turn", tenant=key.tenant_id, task=key.task_id, turn=key.turn, first_event=first_event
    )
    change.say(TurnStarted(turn=key.turn, messages=told(claimed)))
    await approvals.allow_tools(change, claimed)
    if held is not None:
        await doubts.settle(change, held, claimed)
        if calls := await approvals.settle(change, held, claimed):
            return Standing(Then.TOOLS, held.turn, held.step, change.box, calls, await change.write())
        return await _begin_step(change, key)
    change.say(StepStarted(turn=key.turn, step=0))
    return StepAttempt(1, 0, await change.write(), task.position)


async def _begin_step(change: Change, key: StepKey) -> StepAttempt:
    task = change.task
    first_event = task.event_seq + len(change.events) + 1
    await execute(change.connection, "begin_step", **of_step(key), first_event=first_event)
    change.say(StepStarted(turn=key.turn, step=key.step))
    return StepAttempt(1, 0, await change.write(), task.position)


async def _go_on(change: Change, key: StepKey) -> StepAttempt | Standing:
    """Within the open turn: the step is recorded, or starts, or is tried again."""
    connection, task = change.connection, change.task
    row = await fetchrow(connection, "read_step", **of_step(key), execution=key.execution_id)
    if row is not None and row["state"] != StepState.RUNNING:
        return await after_step(change, key)
    if task.box.interrupted(key.turn):
        if row is not None:
            return await _interrupt_lost(change, key, row["attempt"], row["streamed"])
        return await change.end_turn(Ending.INTERRUPTED)
    if row is None:
        return await _held_calls(change, key) or await _begin_step(change, key)
    again = await fetchrow(connection, "retry_step", **of_step(key))
    assert again is not None
    if row["streamed"] or row["reasoned"]:
        change.say(StepVoided(turn=key.turn, step=key.step, attempt=row["attempt"]))
    return StepAttempt(again["attempt"], again["failures"], await change.write(), task.position, again["deaths"])


async def _held_calls(change: Change, key: StepKey) -> Standing | None:
    """The calls that were held back before and that the turn begins with, as long as they are not made."""
    held = _held_step(change, key)
    if key.step > 0 or held is None:
        return None
    where = await after_step(change, held)
    return where if where.then is Then.TOOLS else None


def _held_step(change: Change, key: StepKey) -> StepKey | None:
    """The step whose calls were held back before the turn of ``key``."""
    if change.task.box.held is None:
        return None
    turn, step = change.task.box.held
    return replace(key, turn=turn, step=step)


async def record_step(
    connection: Connection,
    key: StepKey,
    attempt: int,
    reply: ModelReply,
    asked: Sequence[Question],
    refused: Sequence[ToolResult],
    streamed: Sequence[Delta],
    rules: ToolRules = _NO_RULES,
    judged: Judged | None = None,
) -> Standing:
    """Record a model's reply, and the end of its turn where there is nothing left to do in it.

    ``asked`` are the questions of its `ask_user` calls, ``refused`` results of calls that cannot be made (the model
    reads them in the next step), ``streamed`` the last deltas, not yet in the log. ``rules`` say which of the other
    calls are made, held back for an approval, or refused. ``judged`` is the task's result, if the reply ends it (None:
    its text); where that is not valid, the next step of the turn answers again, and it goes on with a reply that is
    cut. An attempt that was overtaken, or whose turn is over, records nothing.
    """
    change = await locked(connection, key)
    if change.task.box.interrupted(key.turn):
        return await _interrupt(change, key, attempt, replace(reply, calls=()), streamed)
    judged = judged or Judged(reply.text)
    room = max(MOST_QUESTIONS - len(change.box.questions), 0)
    too_many = tuple(ToolResult(question.call_id, _TOO_MANY, failed=True) for question in asked[room:])
    asked, refused = asked[:room], (*refused, *too_many)
    wrong = "" if reply.calls else judged.refused
    usage = await end_step(
        change,
        key,
        attempt,
        StepState.RECORDED,
        reply.text,
        reply.response,
        reply.calls,
        asked,
        reply.usage,
        reply.finish_reason,
        wrong,
    )
    if usage is None:
        return stand(change, key)
    _say_completed(change, key, streamed, replace(reply, usage=usage), interrupted=False, refused=wrong)
    asking = {question.call_id for question in asked}
    calls = [call for call in reply.calls if call.id not in asking]
    if wrong or reply.is_cut:
        return Standing(Then.STEP, key.turn, key.step + 1, change.box, event_seq=await change.write())
    if not calls:
        return await change.end_turn(Ending.ANSWERED, asked, judged)
    held, denied = _judged(change, rules, calls, {result.call_id for result in refused})
    await add_calls(change, key, calls, held, rules.parameters)
    for result in (*refused, *denied):
        await end_call(change, key, result)
    return await after_call(change, key)


def _judged(
    change: Change, rules: ToolRules, calls: Sequence[ToolCall], refused: Collection[str]
) -> tuple[set[str], list[ToolResult]]:
    """The ids of calls that wait for consent, and the results of those that the rules forbid."""
    granted, plan_only = change.task.granted, change.task.plan_only
    held: set[str] = set()
    denied: list[ToolResult] = []
    for call in calls:
        if call.id in refused:
            continue
        if reason := rules.refusal(call.name, granted, plan_only=plan_only):
            denied.append(ToolResult(call.id, reason, failed=True))
        elif rules.policy(call.name, granted) is Policy.ASK:
            held.add(call.id)
    return held, denied


async def record_interrupted(
    connection: Connection,
    key: StepKey,
    attempt: int,
    reply: ModelReply,
    streamed: Sequence[Delta],
) -> Standing:
    """Record what a step had streamed when it was interrupted; its turn ends, its messages count as processed."""
    return await _interrupt(await locked(connection, key), key, attempt, reply, streamed)


async def _interrupt(
    change: Change, key: StepKey, attempt: int, reply: ModelReply, streamed: Sequence[Delta]
) -> Standing:
    state = StepState.INTERRUPTED
    usage = await end_step(change, key, attempt, state, reply.text, reply.response, usage=reply.usage)
    if usage is None:
        return stand(change, key)
    _say_completed(change, key, streamed, replace(reply, usage=usage), interrupted=True)
    return await change.end_turn(Ending.INTERRUPTED)


async def _interrupt_lost(change: Change, key: StepKey, attempt: int, streamed: str | None) -> Standing:
    """Interrupt a step whose last attempt's worker is gone, so that it counts as one call. What callers have seen of it
    is kept."""
    await add_unrecorded(change, key, attempt, Usage(calls=1))
    if streamed:
        return await _interrupt(change, key, attempt, ModelReply(streamed, (), None), ())
    return await change.end_turn(Ending.INTERRUPTED)


async def append_deltas(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, deltas: Sequence[Delta]
) -> int:
    """Append what an execution's steps have streamed, of all its tasks, in one statement."""
    return await events.append(
        connection,
        tenant_id,
        execution_id,
        [delta.event() for delta in deltas],
        positions={delta.task_id: delta.position for delta in deltas},
    )


def _say_completed(
    change: Change, key: StepKey, streamed: Sequence[Delta], reply: ModelReply, *, interrupted: bool, refused: str = ""
) -> None:
    change.events += [delta.event() for delta in streamed]
    change.say(
        StepCompleted(
            turn=key.turn,
            step=key.step,
            text=reply.text,
            calls=reply.calls,
            interrupted=interrupted,
            finish_reason=reply.finish_reason,
            usage=reply.usage if reply.usage.calls else None,
            model=reply.model,
            refused=refused,
        )
    )
