"""The edge between activities and Temporal: errors cross it as codes, never with text that a user may have written."""

import logging
from typing import Any, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from baton.domain.errors import DomainError, NotFound
from baton.runtime.logging import about, whereabouts

_log = logging.getLogger(__name__)

#: Activities that record what somebody typed into Temporal: their workflow cannot close while one of them is tried.
_TYPED: Final = frozenset({"accept_message", "decide_approvals"})
#: How often one of those may fail in a way that nobody foresaw.
_TYPED_ATTEMPTS: Final = 8


class ErrorsAsCodes(Interceptor):
    """Turns whatever an activity raises into an `ApplicationError` whose type and message are a code.

    All of them are retryable but what is gone, and what was typed into Temporal and cannot be recorded; what else is
    not, the activities say themselves.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Put the edge around an activity."""
        return _Edge(next)


class _Edge(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        told = activity.info()
        about(workflow_id=told.workflow_id or "", activity=told.activity_type, attempt=str(told.attempt))
        try:
            return await super().execute_activity(input)
        except (ApplicationError, CancelledError):
            raise
        except NotFound as error:  # it was deleted: no attempt will find it
            raise ApplicationError(error.code, type=error.code, non_retryable=True) from None
        except DomainError as error:
            code = error.code
        except Exception as error:  # noqa: BLE001 - the process's edge: its text could hold what a user wrote
            code = type(error).__name__
            _log.error("%s failed: %s", told.activity_type, whereabouts(error))
            if told.activity_type in _TYPED and told.attempt >= _TYPED_ATTEMPTS:
                raise ApplicationError(code, type=code, non_retryable=True) from None
        raise ApplicationError(code, type=code)
