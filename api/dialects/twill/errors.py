"""Errors as Twill has them: `{"error": {"code", "message", "details"?}}`; what is wrong with a request is a 400."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from api.answers import Json
from api.dialect import Answer, ErrorTable, Failure
from baton.domain import errors

_INVALID: Final = "validation_error"
_NOT_FOUND: Final = "not_found"
_UNAVAILABLE: Final = "service_unavailable"

ERRORS: Final[ErrorTable] = {
    errors.DomainError: Answer(500, "internal_error"),
    errors.InvalidInput: Answer(400, _INVALID),
    errors.InvalidPlan: Answer(400, _INVALID),
    errors.Unauthenticated: Answer(401, "unauthorized"),
    errors.Forbidden: Answer(403, "forbidden"),
    errors.RateLimited: Answer(429, "rate_limited"),
    errors.NotFound: Answer(404, _NOT_FOUND),
    errors.ExecutionNotFound: Answer(404, _NOT_FOUND),
    errors.TaskNotFound: Answer(404, _NOT_FOUND),
    errors.AgentNotFound: Answer(404, _NOT_FOUND),
    errors.MessageNotFound: Answer(404, _NOT_FOUND),
    errors.ApprovalNotFound: Answer(404, _NOT_FOUND),
    errors.Conflict: Answer(409, "conflict"),
    errors.TaskClosed: Answer(409, "task_cancelled"),
    errors.TaskBusy: Answer(409, "task_busy"),
    errors.NotWaiting: Answer(409, "not_waiting"),
    errors.ApprovalDecided: Answer(409, "conflict"),
    errors.MessageTaken: Answer(409, "conflict"),
    errors.Outdated: Answer(412, "precondition_failed"),
    errors.AnswerRefused: Answer(400, _INVALID),
    errors.KeyReused: Answer(422, "idempotency_key_reused"),
    errors.CursorExpired: Answer(410, "cursor_expired"),
    errors.TooLarge: Answer(413, "payload_too_large"),
    errors.Unavailable: Answer(503, _UNAVAILABLE),
    errors.TooSlow: Answer(504, "timeout"),
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
    return Json({"error": error}, failure.status, failure.headers)
