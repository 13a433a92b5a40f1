"""Errors as the chat task API has them: `{"error": {"code", "message"}}`. Clients know the published codes by name."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.dialect import ErrorStatus, ErrorTable, Failure
from api.responses import JsonResponse
from baton.domain import errors

_INVALID: Final = "invalid_input"

ERRORS: Final[ErrorTable] = {
    errors.DomainError: ErrorStatus(500, "internal_error"),
    errors.InvalidInput: ErrorStatus(422, _INVALID),
    errors.InvalidPlan: ErrorStatus(422, _INVALID),
    errors.Unauthenticated: ErrorStatus(401, "invalid_api_key"),
    errors.Forbidden: ErrorStatus(403, "forbidden"),
    errors.RateLimited: ErrorStatus(429, "rate_limited"),
    errors.NotFound: ErrorStatus(404, "not_found"),
    errors.ExecutionNotFound: ErrorStatus(404, "task_not_found"),
    errors.TaskNotFound: ErrorStatus(404, "task_not_found"),
    errors.AgentNotFound: ErrorStatus(404, "agent_not_found"),
    errors.MessageNotFound: ErrorStatus(404, "message_not_found"),
    errors.ApprovalNotFound: ErrorStatus(404, "approval_not_found"),
    errors.ArtifactNotFound: ErrorStatus(404, "not_found"),
    errors.CompactionNotFound: ErrorStatus(404, "not_found"),
    errors.Conflict: ErrorStatus(409, "conflict"),
    errors.TaskClosed: ErrorStatus(409, "task_closed"),
    errors.TaskBusy: ErrorStatus(409, "task_busy"),
    errors.NotWaiting: ErrorStatus(409, "no_pending_interaction"),
    errors.NothingToCompact: ErrorStatus(409, "conflict"),
    errors.AlreadyDecided: ErrorStatus(409, "approval_decided"),
    errors.MessageTaken: ErrorStatus(409, "message_taken"),
    errors.Outdated: ErrorStatus(412, "outdated"),
    errors.AnswerRefused: ErrorStatus(422, _INVALID),
    errors.ArgumentsRefused: ErrorStatus(422, _INVALID),
    errors.KeyReused: ErrorStatus(422, _INVALID),
    errors.CursorExpired: ErrorStatus(410, "cursor_expired"),
    errors.TooLarge: ErrorStatus(413, "too_large"),
    errors.Unavailable: ErrorStatus(503, "temporarily_unavailable"),
    errors.TooSlow: ErrorStatus(503, "temporarily_unavailable"),
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
    return JsonResponse({"error": {"code": code, "message": message}}, failure.status, failure.headers)
