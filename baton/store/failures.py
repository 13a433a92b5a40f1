"""Attempts at a step that came to nothing, and turns that failed: counted, said, and asked about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from baton.domain.conversation import Question, Usage
from baton.domain.events import StepFailed, StepVoided
from baton.domain.ids import StepKey
from baton.domain.mailbox import Ending, Standing
from baton.domain.states import StepState
from baton.store import limits
from baton.store.pool import Connection
from baton.store.queries import fetchrow, fetchval, of_step
from baton.store.step_rows import (
    NOTHING,
    add_unrecorded,
    end_step,
    locked,
    say_used,
    stand,
    unrecorded,
    used,
    with_lost,
)
from baton.store.steps import Delta


class FailureVerdict(Enum):
    """What becomes of a step whose attempt has failed."""

    TRY_AGAIN = auto()
    ASK = auto()  #: patience is at its end: a person says whether to go on
    GIVE_UP = auto()


class AskedElsewhere(Exception):
    """Another task of the plan asks already what is to be asked once."""


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """Why an attempt failed: a stable code, and in words. ``asked_seconds``: the wait that the provider asked for;
    ``usage``: what the attempt used all the same."""

    code: str
    message: str = ""
    asked_seconds: float = 0.0
    usage: Usage = NOTHING


async def count_failure(
    connection: Connection,
    key: StepKey,
    attempt: int,
    failure: FailedAttempt,
    streamed: Sequence[Delta],
    judge: Callable[[int, float], tuple[FailureVerdict, float]],
) -> tuple[FailureVerdict, float, float]:
    """Count an attempt that the model failed, and say so in the log. Returns what becomes of the step, the seconds
    until the next attempt, and for how many its attempts have failed, less the waits that the provider asked for.

    ``judge`` decides the first two, by how many attempts have failed and for how long. An attempt that was overtaken is
    judged by the one that overtook it.
    """
    change = await locked(connection, key)
    row = await fetchrow(
        connection,
        "count_failure",
        **of_step(key),
        attempt=attempt,
        error_message=failure.message,
        asked_seconds=failure.asked_seconds,
        **used(failure.usage),
    )
    if row is None:
        await unrecorded(change, key, attempt, failure.usage)
        return FailureVerdict.TRY_AGAIN, 0.0, 0.0
    failing = row["failing_seconds"]
    verdict, pause = judge(row["failures"], failing)
    retrying = verdict is FailureVerdict.TRY_AGAIN
    retry_at = datetime.now(UTC) + timedelta(seconds=pause)
    change.events += [delta.event() for delta in streamed]
    change.say(
        StepFailed(
            turn=key.turn,
            step=key.step,
            attempt=attempt,
            code=failure.code,
            retrying=retrying,
            message=failure.message,
            retry_at=retry_at.isoformat() if retrying else "",
            usage=with_lost(failure.usage, row["lost"]),
        )
    )
    await change.write()
    return verdict, pause, failing


async def ask_instead(
    connection: Connection,
    key: StepKey,
    attempt: int,
    question: Question,
    usage: Usage = NOTHING,
    *,
    once_in_plan: bool = False,
) -> Standing:
    """End a step by a question that the model has not asked, and the turn with it: a limit is reached.

    What the attempt had streamed is void, what it has used (``usage``) counts. ``once_in_plan``: no other task of the
    plan may ask; raises AskedElsewhere where one does.
    """
    change = await locked(connection, key)
    if once_in_plan and await limits.asked_elsewhere(connection, key.tenant_id, key.execution_id, key.task_id):
        raise AskedElsewhere
    if change.has_open(key.turn) and change.task.box.interrupted(key.turn):
        await add_unrecorded(change, key, attempt, usage)
        return await change.end_turn(Ending.INTERRUPTED)
    shown = await fetchrow(connection, "read_step", **of_step(key), execution=key.execution_id)
    counted = await end_step(change, key, attempt, StepState.RECORDED, "", None, asked=(question,), usage=usage)
    if counted is None:
        return stand(change, key)
    say_used(change, key, attempt, counted)
    if shown is not None and (shown["streamed"] or shown["reasoned"]):
        change.say(StepVoided(turn=key.turn, step=key.step, attempt=attempt))
    return await change.end_turn(Ending.ANSWERED, (question,))


async def survived(connection: Connection, key: StepKey, attempt: int, usage: Usage = NOTHING) -> None:
    """Note that an attempt was given up although its worker lives, and what it had used."""
    await unrecorded(await locked(connection, key), key, attempt, usage)


async def deaths(connection: Connection, key: StepKey) -> int:
    """How many attempts at a step that is not over have ended without a word; one under way counts, too."""
    return await fetchval(connection, "step_deaths", **of_step(key)) or 0


async def fail_turn(connection: Connection, key: StepKey, code: str) -> Standing:
    """Record that a turn failed for good: its messages are dead, and the task failed unless another message waits."""
    change = await locked(connection, key)
    if not change.task.box.makes_calls_of(key.turn, key.step):
        return change.standing()
    message = await fetchval(connection, "failure_of", tenant=key.tenant_id, task=key.task_id, turn=key.turn)
    return await change.end_turn(Ending.FAILED, code=code, message=message or "")
