"""The edge between activities and Temporal: errors cross it as codes, never with text that a user may have written."""

import logging
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from baton.domain.errors import DomainError, NotFound
from baton.runtime.logging import whereabouts

_log = logging.getLogger(__name__)


class ErrorsAsCodes(Interceptor):
    """Turns whatever an activity raises into an `ApplicationError` whose type and message are a code.

    All of them are retryable but what is gone; what else is not, the activities say themselves.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Put the edge around an activity."""
        return _Edge(next)


class _Edge(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
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
            _log.error("%s failed: %s", activity.info().activity_type, whereabouts(error))
        raise ApplicationError(code, type=code)
