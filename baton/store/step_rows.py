"""A step's row, and where its task stands: what recording a step, its failure and its end share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from baton.domain.conversation import Question, ToolCall, Usage
from baton.domain.events import StepUsed
from baton.domain.ids import StepKey
from baton.domain.json import JsonObject
from baton.domain.mailbox import Standing, Then, standing
from baton.domain.states import StepState
from baton.store.changes import Change
from baton.store.codecs import CALLS, QUESTIONS
from baton.store.pool import Connection
from baton.store.queries import fetchval, of_step

NOTHING: Final = Usage()


async def locked(connection: Connection, key: StepKey) -> Change:
    """A change to the task of a step: the execution and the task are locked until the transaction ends."""
    return await Change.of(connection, key.tenant_id, key.execution_id, key.task_id)


def stand(change: Change, key: StepKey) -> Standing:
    """Where the task stands for an attempt that comes too late to record."""
    if change.has_open(key.turn):
        return Standing(Then.STEP, key.turn, key.step, change.task.box, event_seq=change.task.event_seq)
    return standing(change.task.box, event_seq=change.task.event_seq)


async def end_step(
    change: Change,
    key: StepKey,
    attempt: int,
    state: StepState,
    text: str,
    response: JsonObject | None,
    calls: Sequence[ToolCall] = (),
    asked: Sequence[Question] = (),
    usage: Usage = NOTHING,
    finish_reason: str = "",
    refused: str = "",
) -> Usage | None:
    """Record what ``attempt`` came to, if it may: its turn is open, its step is not over, nobody tried again.

    Returns what it used, with the attempts before it that were lost with their workers. None: it may not; what it used
    is counted all the same.
    """
    lost = None
    if change.has_open(key.turn):
        lost = await fetchval(
            change.connection,
            "end_step",
            **of_step(key),
            attempt=attempt,
            state=state,
            text=text,
            response=response,
            calls=CALLS.write(calls),
            questions={question.call_id: QUESTIONS.write_one(question) for question in asked},
            finish_reason=finish_reason,
            refused=refused,
            **used(usage),
        )
    if lost is None:
        await unrecorded(change, key, attempt, usage)
        return None
    return with_lost(usage, lost)


async def unrecorded(change: Change, key: StepKey, attempt: int, usage: Usage = NOTHING) -> None:
    """Note that ``attempt`` came to nothing although its worker lives, and what it used. Writes the change."""
    if await add_unrecorded(change, key, attempt, usage):
        await change.write()


async def add_unrecorded(change: Change, key: StepKey, attempt: int, usage: Usage = NOTHING) -> bool:
    """The same, for a change that the caller writes. Whether there is anything to write."""
    calls = await fetchval(change.connection, "count_unrecorded", **of_step(key), attempt=attempt, **used(usage))
    return calls is not None and say_used(change, key, attempt, replace(usage, calls=calls))


def say_used(change: Change, key: StepKey, attempt: int, usage: Usage) -> bool:
    """Say what was used up to ``attempt`` that no other event says. Whether there is anything to say."""
    if usage == NOTHING:
        return False
    change.say(StepUsed(turn=key.turn, step=key.step, attempt=attempt, usage=usage))
    return True


def with_lost(usage: Usage, lost: int) -> Usage:
    """``usage`` with that of attempts that were ``lost`` with their workers: nobody knows it, so each is one call."""
    return replace(usage, calls=usage.calls + lost)


def used(usage: Usage) -> dict[str, object]:
    """What an attempt used, as arguments of the queries that add it to its step's row."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "model_calls": usage.calls,
        "usd": usage.usd,
    }
