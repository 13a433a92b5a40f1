"""The edge between activities and Temporal: errors cross it as codes, never with text that a user may have written."""

import logging
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from domain.errors import DomainError

_log = logging.getLogger(__name__)


class ErrorsAsCodes(Interceptor):
    """Turns whatever an activity raises into an `ApplicationError` whose type and message are a code.

    All of them are retryable: what is not, the activities say themselves.
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
        except DomainError as error:
            code = error.code
        except Exception as error:  # noqa: BLE001 - the process's edge: its text could hold what a user wrote
            code = type(error).__name__
            info = activity.info()
            where = error.__traceback__
            while where and where.tb_next:
                where = where.tb_next
            _log.error(
                "%s failed with %s at %s:%s (workflow %s, attempt %s)",
                info.activity_type,
                code,
                where.tb_frame.f_code.co_filename if where else "?",
                where.tb_lineno if where else 0,
                info.workflow_id,
                info.attempt,
            )
        raise ApplicationError(code, type=code)
