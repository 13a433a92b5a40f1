"""Errors as Twill has them: `{"error": {"code", "message", "details"?}}`; what is wrong with a request is a 400."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from api.dialect import ErrorStatus, ErrorTable, Failure
from api.responses import JsonResponse
from baton.domain import errors

_INVALID: Final = "validation_error"
_NOT_FOUND: Final = "not_found"
_UNAVAILABLE: Final = "service_unavailable"

ERRORS: Final[ErrorTable] = {
    errors.DomainError: ErrorStatus(500, "internal_error"),
    errors.InvalidInput: ErrorStatus(400, _INVALID),
    errors.InvalidPlan: ErrorStatus(400, _INVALID),
    errors.Unauthenticated: ErrorStatus(401, "unauthorized"),
    errors.Forbidden: ErrorStatus(403, "forbidden"),
    errors.RateLimited: ErrorStatus(429, "rate_limited"),
    errors.NotFound: ErrorStatus(404, _NOT_FOUND),
    errors.ExecutionNotFound: ErrorStatus(404, _NOT_FOUND),
    errors.TaskNotFound: ErrorStatus(404, _NOT_FOUND),
    errors.AgentNotFound: ErrorStatus(404, _NOT_FOUND),
    errors.MessageNotFound: ErrorStatus(404, _NOT_FOUND),
    errors.ApprovalNotFound: ErrorStatus(404, _NOT_FOUND),
    errors.ArtifactNotFound: ErrorStatus(404, _NOT_FOUND),
    errors.CompactionNotFound: ErrorStatus(404, _NOT_FOUND),
    errors.Conflict: ErrorStatus(409, "conflict"),
    errors.TaskClosed: ErrorStatus(409, "task_cancelled"),
    errors.TaskBusy: ErrorStatus(409, "task_busy"),
    errors.NotWaiting: ErrorStatus(409, "not_waiting"),
    errors.NothingToCompact: ErrorStatus(409, "conflict"),
    errors.AlreadyDecided: ErrorStatus(409, "conflict"),
    errors.MessageTaken: ErrorStatus(409, "conflict"),
    errors.Outdated: ErrorStatus(412, "precondition_failed"),
    errors.AnswerRefused: ErrorStatus(400, _INVALID),
    errors.ArgumentsRefused: ErrorStatus(400, _INVALID),
    errors.KeyReused: ErrorStatus(422, "idempotency_key_reused"),
    errors.CursorExpired: ErrorStatus(410, "cursor_expired"),
    errors.TooLarge: ErrorStatus(413, "payload_too_large"),
    errors.Unavailable: ErrorStatus(503, _UNAVAILABLE),
    errors.TooSlow: ErrorStatus(504, "timeout"),
}

#: What is said where no rule of the domain was broken.
_CODES: Final = {
    404: _NOT_FOUND,
    405: "method_not_allowed",
    415: "unsupported_media_type",
    429: "rate_limited",
    500: "internal_error",
    503: _UNAVAILABLE,
}


def render(_: Request, failure: Failure) -> Response:
    """A failure in Twill's shape. What is wrong with which field stands in `details`."""
    code = failure.code or _CODES.get(failure.status, _INVALID)
    message = "there is no such job" if isinstance(failure.error, errors.MessageNotFound) else failure.message
    error: dict[str, Any] = {"code": code, "message": message}
    if code == _INVALID and failure.problems:
        error["details"] = {
            "issues": [
                {"field": ".".join(map(str, problem.where[1:])), "message": problem.message}
                for problem in failure.problems
            ]
        }
    return JsonResponse({"error": error}, failure.status, failure.headers)
