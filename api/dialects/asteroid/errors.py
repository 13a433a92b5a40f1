"""Errors as Asteroid has them: `{"code", "message"}`, where the code is the status as a number."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.answers import Json
from api.dialect import Answer, ErrorTable, Failure
from baton.domain import errors

ERRORS: Final[ErrorTable] = {
    errors.DomainError: Answer(500),
    errors.InvalidInput: Answer(400),
    errors.InvalidPlan: Answer(400),
    errors.Unauthenticated: Answer(401),
    errors.Forbidden: Answer(403),
    errors.RateLimited: Answer(429),
    errors.NotFound: Answer(404),
    errors.ExecutionNotFound: Answer(404),
    errors.TaskNotFound: Answer(404),
    errors.AgentNotFound: Answer(404),
    errors.MessageNotFound: Answer(404),
    errors.ApprovalNotFound: Answer(404),
    errors.Conflict: Answer(409),
    errors.TaskClosed: Answer(409),
    errors.TaskBusy: Answer(409),
    errors.ApprovalDecided: Answer(409),
    errors.NotWaiting: Answer(409),
    errors.MessageTaken: Answer(409),
    errors.Outdated: Answer(412),
    errors.AnswerRefused: Answer(422),
    errors.KeyReused: Answer(422),
    errors.CursorExpired: Answer(410),
    errors.TooLarge: Answer(413),
    errors.Unavailable: Answer(503),
    errors.TooSlow: Answer(504),
}


def render(_: Request, failure: Failure) -> Response:
    """A failure in Asteroid's shape; what is wrong with an answer stands in the message."""
    message = failure.message
    if isinstance(failure.error, errors.AnswerRefused):
        message = "; ".join((message, *failure.error.problems))
    return Json({"code": failure.status, "message": message}, failure.status, failure.headers)
