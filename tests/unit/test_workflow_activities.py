"""Which activities have failed, and which nobody knows the end of."""

import pytest
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    RetryState,
    TimeoutError,
    TimeoutType,
)

from workflows.activities import is_undone

WORKER_DIED = TimeoutError("", type=TimeoutType.HEARTBEAT, last_heartbeat_details=[])


def deadline_of(last: ApplicationError | None) -> TimeoutError:
    """The end of an activity whose deadline has passed after its ``last`` attempt."""
    error = TimeoutError("", type=TimeoutType.SCHEDULE_TO_CLOSE, last_heartbeat_details=[])
    error.__cause__ = last
    return error


def ended(cause: BaseException, state: RetryState) -> ActivityError:
    error = ActivityError(
        "", scheduled_event_id=1, started_event_id=2, identity="", activity_type="", activity_id="", retry_state=state
    )
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "state", "undone"),
    [
        (CancelledError(), RetryState.CANCEL_REQUESTED, True),
        (WORKER_DIED, RetryState.CANCEL_REQUESTED, True),
        (WORKER_DIED, RetryState.INTERNAL_SERVER_ERROR, True),
        (ApplicationError("too_slow"), RetryState.CANCEL_REQUESTED, True),
        (ApplicationError("model_refused", non_retryable=True), RetryState.NON_RETRYABLE_FAILURE, False),
        (WORKER_DIED, RetryState.TIMEOUT, False),
        (ApplicationError("", type="limit_waits"), RetryState.TIMEOUT, True),
        (deadline_of(ApplicationError("", type="tool_busy")), RetryState.TIMEOUT, True),
        (deadline_of(ApplicationError("", type="too_slow")), RetryState.TIMEOUT, False),
        (deadline_of(None), RetryState.TIMEOUT, False),
    ],
)
def test_only_what_was_tried_to_the_end_has_failed(cause: BaseException, state: RetryState, undone: bool) -> None:
    assert is_undone(ended(cause, state)) is undone
