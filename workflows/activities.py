"""How workflows call activities: time limits, retries, heartbeats.

What Baton's own parts do wrong or cannot reach (a worker killed, PostgreSQL away) is retried without end and soon; a
model that fails is counted in PostgreSQL, and its last failure is not retryable.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutError, is_cancelled_exception

from workflows.contracts import WAITS_FOR_OTHERS, Outcome
from workflows.typed import TypedOutcome

#: A worker that is not heard of for so long is taken to be dead. Workers beat four times as often.
HEARTBEAT_TIMEOUT: Final = timedelta(seconds=6)
STEP_TIMEOUT: Final = timedelta(hours=1)
#: All attempts of a step together, also those that wait for a worker.
STEP_DEADLINE: Final = timedelta(days=7)
#: An activity that only writes to PostgreSQL.
WRITE_TIMEOUT: Final = timedelta(seconds=30)
#: What was typed into Temporal waits so long for a database that is away. A workflow cannot close while it does.
TYPED_DEADLINE: Final = timedelta(days=1)
RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=5)
)

#: Why Temporal tries an activity not again that nobody has given up.
_UNDONE: Final = (RetryState.CANCEL_REQUESTED, RetryState.INTERNAL_SERVER_ERROR)


def start_step(activity: Any, arg: object, summary: str) -> workflow.ActivityHandle[Outcome]:
    """Start a model step or a tool call; cancelling the handle lets it record what it has before it returns."""
    return workflow.start_activity(
        activity,
        arg,
        result_type=Outcome,
        start_to_close_timeout=STEP_TIMEOUT,
        schedule_to_close_timeout=STEP_DEADLINE,
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        retry_policy=RETRY,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
    )


async def write(
    activity: Any, arg: object, result_type: type[Any] = Outcome, *, deadline: timedelta | None = None
) -> Any:
    """Run an activity that only writes to PostgreSQL, until it has, or until ``deadline`` has passed."""
    return await workflow.execute_activity(
        activity,
        arg,
        result_type=result_type,
        start_to_close_timeout=WRITE_TIMEOUT,
        schedule_to_close_timeout=deadline,
        retry_policy=RETRY,
    )


async def write_typed(activity: Any, arg: object) -> TypedOutcome:
    """Run an activity that records what somebody typed into Temporal. It ends, whatever that was."""
    return await write(activity, arg, TypedOutcome, deadline=TYPED_DEADLINE)


def is_undone(error: ActivityError) -> bool:
    """Whether an activity came to no end of its own, so that nobody knows what it would have been.

    Temporal tries nothing again that it was asked to cancel, so that a cancelled attempt which its worker's death, or a
    database that was away, has ended is the last one, though nothing was decided. Nor does it where it stumbled itself,
    or where the deadline has passed: what only waited until then was never begun.
    """
    return is_cancelled_exception(error) or error.retry_state in _UNDONE or _only_waited(error)


def _only_waited(error: ActivityError) -> bool:
    """Whether an activity came to its deadline while it waited for others, as its last attempt said."""
    last = error.cause.__cause__ if isinstance(error.cause, TimeoutError) else error.cause
    return (
        error.retry_state is RetryState.TIMEOUT and isinstance(last, ApplicationError) and last.type in WAITS_FOR_OTHERS
    )


def failure_code(error: ActivityError) -> str:
    """The stable code of why an activity failed for good."""
    match error.cause:
        case ApplicationError(type=str(code)):
            return code
        case TimeoutError():
            return "step_timed_out"
        case _:
            return "step_failed"
