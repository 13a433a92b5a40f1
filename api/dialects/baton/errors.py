"""Errors as `application/problem+json` (RFC 9457), with a stable `code` and the error's data as further members."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.dialect import ErrorStatus, ErrorTable, Failure
from api.errors import status_phrase
from api.responses import to_json
from baton.domain import errors

ERRORS: Final[ErrorTable] = {
    errors.DomainError: ErrorStatus(500, "internal_error"),
    errors.InvalidInput: ErrorStatus(422, "invalid_input"),
    errors.InvalidPlan: ErrorStatus(422, "invalid_plan"),
    errors.Unauthenticated: ErrorStatus(401, "unauthenticated"),
    errors.Forbidden: ErrorStatus(403, "forbidden"),
    errors.RateLimited: ErrorStatus(429, "rate_limited"),
    errors.NotFound: ErrorStatus(404, "not_found"),
    errors.ExecutionNotFound: ErrorStatus(404, "execution_not_found"),
    errors.TaskNotFound: ErrorStatus(404, "task_not_found"),
    errors.AgentNotFound: ErrorStatus(404, "agent_not_found"),
    errors.MessageNotFound: ErrorStatus(404, "message_not_found"),
    errors.ApprovalNotFound: ErrorStatus(404, "approval_not_found"),
    errors.ArtifactNotFound: ErrorStatus(404, "artifact_not_found"),
    errors.CompactionNotFound: ErrorStatus(404, "compaction_not_found"),
    errors.Conflict: ErrorStatus(409, "conflict"),
    errors.TaskClosed: ErrorStatus(409, "task_closed"),
    errors.TaskBusy: ErrorStatus(409, "task_busy"),
    errors.AlreadyDecided: ErrorStatus(409, "approval_decided"),
    errors.NotWaiting: ErrorStatus(409, "not_waiting"),
    errors.NothingToCompact: ErrorStatus(409, "nothing_to_compact"),
    errors.MessageTaken: ErrorStatus(409, "message_taken"),
    errors.Outdated: ErrorStatus(412, "outdated"),
    errors.AnswerRefused: ErrorStatus(422, "answer_refused"),
    errors.ArgumentsRefused: ErrorStatus(422, "arguments_refused"),
    errors.KeyReused: ErrorStatus(422, "idempotency_key_reused"),
    errors.CursorExpired: ErrorStatus(410, "cursor_expired"),
    errors.TooLarge: ErrorStatus(413, "too_large"),
    errors.Unavailable: ErrorStatus(503, "unavailable"),
    errors.TooSlow: ErrorStatus(503, "too_slow"),
}

#: What is said where no rule of the domain was broken.
_CODES: Final = {
    400: "bad_request",
    404: "no_such_path",
    405: "method_not_allowed",
    408: "request_timeout",
    415: "unsupported_media_type",
    431: "headers_too_long",
    500: "internal_error",
}


def render(request: Request, failure: Failure) -> Response:
    """A failure as a problem document."""
    code = failure.code or _CODES.get(failure.status, "error")
    problem: dict[str, object] = {
        "type": f"urn:baton:problem:{code}",
        "title": status_phrase(failure.status),
        "status": failure.status,
        "detail": failure.message,
        "code": code,
        "instance": request.scope["path"],
    }
    problem |= _data(failure)
    return Response(to_json(problem), failure.status, failure.headers, "application/problem+json")


def _data(failure: Failure) -> dict[str, object]:
    """What the error knows beyond its message."""
    data: dict[str, object] = {}
    if failure.status == 422:
        data["problems"] = [
            {"where": problem.where, "message": problem.message, "kind": problem.kind} for problem in failure.problems
        ]
    match failure.error:
        case errors.MessageTaken(state=state, turn=turn):
            data |= {"state": state, "turn": turn}
        case errors.Conflict(state=state):
            data["state"] = state
        case errors.Outdated(version=version, questions=questions):
            data |= {"version": version, "questions": questions}
        case errors.CursorExpired(oldest=oldest):
            data["oldest"] = oldest
        case errors.TooLarge(limit_bytes=limit):
            data["limit_bytes"] = limit
        case errors.InvalidPlan(task=task) if task is not None:
            data["task"] = task
        case _:
            pass
    return data
