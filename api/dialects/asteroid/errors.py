"""Errors as Asteroid has them: `{"code", "message"}`, where the code is the status as a number."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.dialect import ErrorStatus, ErrorTable, Failure
from api.responses import JsonResponse
from baton.domain import errors

ERRORS: Final[ErrorTable] = {
    errors.DomainError: ErrorStatus(500),
    errors.InvalidInput: ErrorStatus(400),
    errors.InvalidPlan: ErrorStatus(400),
    errors.Unauthenticated: ErrorStatus(401),
    errors.Forbidden: ErrorStatus(403),
    errors.RateLimited: ErrorStatus(429),
    errors.NotFound: ErrorStatus(404),
    errors.ExecutionNotFound: ErrorStatus(404),
    errors.TaskNotFound: ErrorStatus(404),
    errors.AgentNotFound: ErrorStatus(404),
    errors.MessageNotFound: ErrorStatus(404),
    errors.ApprovalNotFound: ErrorStatus(404),
    errors.ArtifactNotFound: ErrorStatus(404),
    errors.CompactionNotFound: ErrorStatus(404),
    errors.Conflict: ErrorStatus(409),
    errors.TaskClosed: ErrorStatus(409),
    errors.TaskBusy: ErrorStatus(409),
    errors.AlreadyDecided: ErrorStatus(409),
    errors.NotWaiting: ErrorStatus(409),
    errors.NothingToCompact: ErrorStatus(409),
    errors.MessageTaken: ErrorStatus(409),
    errors.Outdated: ErrorStatus(412),
    errors.AnswerRefused: ErrorStatus(422),
    errors.ArgumentsRefused: ErrorStatus(422),
    errors.KeyReused: ErrorStatus(422),
    errors.CursorExpired: ErrorStatus(410),
    errors.TooLarge: ErrorStatus(413),
    errors.Unavailable: ErrorStatus(503),
    errors.TooSlow: ErrorStatus(504),
}


def render(_: Request, failure: Failure) -> Response:
    """A failure in Asteroid's shape; what is wrong with an answer stands in the message."""
    message = failure.message
    if isinstance(failure.error, errors.AnswerRefused):
        message = "; ".join((message, *failure.error.problems))
    return JsonResponse({"code": failure.status, "message": message}, failure.status, failure.headers)
