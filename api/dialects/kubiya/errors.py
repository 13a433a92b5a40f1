"""Errors as Kubiya has them: `{"detail": …}`, which for a 422 is FastAPI's list."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.answers import Json
from api.dialect import Answer, ErrorTable, Failure
from baton.domain import errors

ERRORS: Final[ErrorTable] = {
    errors.DomainError: Answer(500),
    errors.InvalidInput: Answer(422),
    errors.InvalidPlan: Answer(422),
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
    errors.TooSlow: Answer(503),
}


def render(_: Request, failure: Failure) -> Response:
    """A failure in Kubiya's shape."""
    detail: object = failure.message
    if failure.status == 422:
        detail = [{"loc": problem.where, "msg": problem.message, "type": problem.kind} for problem in failure.problems]
    return Json({"detail": detail}, failure.status, failure.headers)
