"""Errors as Maia has them: `application/problem+json`, with what is wrong with a request as `violations`."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.dialect import ErrorStatus, ErrorTable, Failure, Problem
from api.errors import status_phrase
from api.responses import to_json
from baton.domain import errors

ERRORS: Final[ErrorTable] = {
    errors.DomainError: ErrorStatus(500, "internal-error"),
    errors.InvalidInput: ErrorStatus(400, "invalid-request"),
    errors.InvalidPlan: ErrorStatus(400, "invalid-request"),
    errors.Unauthenticated: ErrorStatus(401, "unauthenticated"),
    errors.Forbidden: ErrorStatus(403, "forbidden"),
    errors.RateLimited: ErrorStatus(429, "rate-limited"),
    errors.NotFound: ErrorStatus(404, "not-found"),
    errors.ExecutionNotFound: ErrorStatus(404, "task-not-found"),
    errors.TaskNotFound: ErrorStatus(404, "task-not-found"),
    errors.AgentNotFound: ErrorStatus(404, "agent-not-found"),
    errors.MessageNotFound: ErrorStatus(404, "message-not-found"),
    errors.ApprovalNotFound: ErrorStatus(404, "decision-not-found"),
    errors.ArtifactNotFound: ErrorStatus(404, "not-found"),
    errors.CompactionNotFound: ErrorStatus(404, "not-found"),
    errors.Conflict: ErrorStatus(409, "conflict"),
    errors.TaskClosed: ErrorStatus(409, "task-closed"),
    errors.TaskBusy: ErrorStatus(409, "task-busy"),
    errors.NotWaiting: ErrorStatus(409, "not-waiting"),
    errors.NothingToCompact: ErrorStatus(409, "conflict"),
    errors.AlreadyDecided: ErrorStatus(409, "already-decided"),
    errors.MessageTaken: ErrorStatus(409, "message-taken"),
    errors.Outdated: ErrorStatus(412, "outdated"),
    errors.AnswerRefused: ErrorStatus(422, "answer-refused"),
    errors.ArgumentsRefused: ErrorStatus(422, "arguments-refused"),
    errors.KeyReused: ErrorStatus(422, "idempotency-key-reused"),
    errors.CursorExpired: ErrorStatus(410, "cursor-expired"),
    errors.TooLarge: ErrorStatus(413, "too-large"),
    errors.Unavailable: ErrorStatus(502, "upstream-unavailable"),
    errors.TooSlow: ErrorStatus(504, "upstream-timeout"),
}

#: What is said where no rule of the domain was broken.
_CODES: Final = {
    400: "invalid-request",
    404: "no-such-path",
    405: "method-not-allowed",
    415: "unsupported-media-type",
    500: "internal-error",
}
_VIOLATED: Final = frozenset({400, 422})
#: What the vendor calls what Baton names in paths.
_FIELDS: Final = {"granted_tools": "grantedPermissions", "grants": "grantedPermissions"}


def render(request: Request, failure: Failure) -> Response:
    """A failure as Maia's problem document."""
    code = failure.code or _CODES.get(failure.status, "error")
    problem: dict[str, object] = {
        "type": f"urn:baton:problem:{code}",
        "title": status_phrase(failure.status),
        "status": failure.status,
        "detail": failure.message,
        "instance": request.scope["path"],
    }
    if failure.status in _VIOLATED:
        problem["violations"] = [_violation(one) for one in failure.problems]
    return Response(to_json(problem), failure.status, failure.headers, "application/problem+json")


def _violation(problem: Problem) -> str:
    """Where something is wrong, and what: `message: must not be empty`."""
    steps = problem.where[1:] if problem.where[:1] == ("body",) else problem.where
    where = ".".join(_FIELDS.get(step, step) if isinstance(step, str) else str(step) for step in steps)
    return f"{where}: {problem.message}" if where else problem.message
