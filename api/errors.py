"""From errors to responses: what all dialects share. How a response looks is each dialect's own."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, TypeAlias, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.dialect import ErrorStatus, ErrorTable, Failure, Problem, Render
from api.routing import allowed_methods
from baton.domain.errors import (
    AnswerRefused,
    ArgumentsRefused,
    DomainError,
    InvalidInput,
    KeyReused,
    Outdated,
    RateLimited,
    Unauthenticated,
    Unavailable,
)

_RETRY_SECONDS: Final = "1"

#: An application's `state.refuse`: how it words a refusal by status and message, where no route of its is concerned.
Refuse: TypeAlias = Callable[[Request, int, str], Response]


def install(app: FastAPI, table: ErrorTable, render: Render) -> None:
    """Have ``app`` answer every error in its dialect's shape."""

    async def on_domain_error(request: Request, error: Exception) -> Response:
        return render(request, failure_of(cast("DomainError", error), table))

    async def on_http_error(request: Request, error: Exception) -> Response:
        known = cast("HTTPException", error)
        headers = dict(known.headers or {})
        if known.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = allowed_methods(request)
        return render(request, Failure(known.status_code, "", str(known.detail), None, (), headers))

    async def on_invalid_request(request: Request, error: Exception) -> Response:
        problems = tuple(_problem(item) for item in cast("RequestValidationError", error).errors())
        message = "; ".join(f"{'.'.join(str(step) for step in p.where)}: {p.message}" for p in problems)
        invalid = InvalidInput(message, problems[0].where if problems else ("body",))
        known = status_of(invalid, table)
        return render(request, Failure(known.status, known.code, message, invalid, problems, {}))

    async def on_bug(request: Request, error: Exception) -> Response:
        return render(request, Failure(500, "", "internal error; it has been logged", None, (), {}))

    def refuse(request: Request, status: int, message: str) -> Response:
        return render(request, Failure(status, "", message, None, (), {}))

    app.state.refuse = refuse
    app.add_exception_handler(DomainError, on_domain_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(Exception, on_bug)


def status_of(error: DomainError, table: ErrorTable) -> ErrorStatus:
    """The entry for an error, else for the nearest kind that has one."""
    for kind in type(error).__mro__:
        if known := table.get(cast("type[DomainError]", kind)):
            return known
    raise LookupError(f"the dialect's table has no entry for {type(error).__name__}")


def failure_of(error: DomainError, table: ErrorTable) -> Failure:
    """What a domain error comes to in a dialect."""
    known = status_of(error, table)
    return Failure(known.status, known.code, error.message, error, _problems(error), _headers(error))


def status_phrase(status: int) -> str:
    """The standard words for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _problems(error: DomainError) -> tuple[Problem, ...]:
    if isinstance(error, InvalidInput):
        return tuple(Problem(one.where, one.message, one.kind) for one in (error, *error.others))
    if isinstance(error, AnswerRefused):
        where = ("body", "arguments" if isinstance(error, ArgumentsRefused) else "message")
        return tuple(Problem(where, problem, error.code) for problem in error.problems) or (
            Problem(where, error.message, error.code),
        )
    if isinstance(error, KeyReused):
        return (Problem(("header", "Idempotency-Key"), error.message, error.code),)
    return (Problem(("body",), error.message, error.code),)


def _headers(error: DomainError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, RateLimited):
        return {"Retry-After": str(error.retry_seconds)}
    if isinstance(error, Unavailable):
        return {"Retry-After": _RETRY_SECONDS}
    if isinstance(error, Outdated):
        return {"ETag": f'"{error.version}"'}
    return {}


def _problem(item: Any) -> Problem:
    return Problem(tuple(item.get("loc", ())), str(item.get("msg", "")), str(item.get("type", "value_error")))
