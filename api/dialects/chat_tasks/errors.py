"""Errors as the chat task API has them: `{"error": {"code", "message"}}`. Clients know the published codes by name."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.answers import Json
from api.dialect import Answer, ErrorTable, Failure
from baton.domain import errors

_INVALID: Final = "invalid_input"

ERRORS: Final[ErrorTable] = {
    errors.DomainError: Answer(500, "internal_error"),
    errors.InvalidInput: Answer(422, _INVALID),
    errors.InvalidPlan: Answer(422, _INVALID),
    errors.Unauthenticated: Answer(401, "invalid_api_key"),
    errors.Forbidden: Answer(403, "forbidden"),
    errors.RateLimited: Answer(429, "rate_limited"),
    errors.NotFound: Answer(404, "not_found"),
    errors.ExecutionNotFound: Answer(404, "task_not_found"),
    errors.TaskNotFound: Answer(404, "task_not_found"),
    errors.AgentNotFound: Answer(404, "agent_not_found"),
    errors.MessageNotFound: Answer(404, "message_not_found"),
    errors.ApprovalNotFound: Answer(404, "approval_not_found"),
    errors.Conflict: Answer(409, "conflict"),
    errors.TaskClosed: Answer(409, "task_closed"),
    errors.TaskBusy: Answer(409, "task_busy"),
    errors.NotWaiting: Answer(409, "no_pending_interaction"),
    errors.ApprovalDecided: Answer(409, "approval_decided"),
    errors.MessageTaken: Answer(409, "message_taken"),
    errors.Outdated: Answer(412, "outdated"),
    errors.AnswerRefused: Answer(422, _INVALID),
    errors.KeyReused: Answer(422, _INVALID),
    errors.CursorExpired: Answer(410, "cursor_expired"),
    errors.TooLarge: Answer(413, "too_large"),
    errors.Unavailable: Answer(503, "temporarily_unavailable"),
    errors.TooSlow: Answer(503, "temporarily_unavailable"),
}

#: What is said where no rule of the domain was broken.
_CODES: Final = {
    404: "not_found",
    405: "method_not_allowed",
    415: "unsupported_media_type",
    429: "rate_limited",
    500: "internal_error",
    503: "temporarily_unavailable",
}


def render(_: Request, failure: Failure) -> Response:
    """A failure in the chat task API's shape; what is wrong with an answer stands in the message."""
    message = failure.message
    if isinstance(failure.error, errors.AnswerRefused):
        message = "; ".join((message, *failure.error.problems))
    code = failure.code or _CODES.get(failure.status, _INVALID)
    return Json({"error": {"code": code, "message": message}}, failure.status, failure.headers)
