"""A dialect: one published API, spoken by an application of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from baton.domain.errors import DomainError


@dataclass(frozen=True, slots=True)
class ErrorStatus:
    """How a dialect responds to a domain error: the status, and the dialect's own word for it where it has words."""

    status: int
    code: str = ""


#: Every domain error has an entry in every dialect's table; a test proves it.
ErrorTable: TypeAlias = Mapping[type[DomainError], ErrorStatus]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request. ``where`` is the path to it: body, path, query or header first."""

    where: tuple[str | int, ...]
    message: str
    kind: str = "value_error"


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that failed, for a dialect to put into its own shape.

    ``error`` is None where no rule of the domain was broken: no such path, wrong method, a bug. ``code`` is the table's
    word, "" where the table has none or was not asked. ``problems`` is never empty for a 422.
    """

    status: int
    code: str
    message: str
    error: DomainError | None
    problems: tuple[Problem, ...]
    headers: Mapping[str, str]


Render: TypeAlias = Callable[[Request, Failure], Response]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A published API. It answers everything under its ``prefixes`` itself, unknown paths and wrong methods, too.

    A prefix is a path whose segments in braces match any one segment; the longest that matches a path wins. ``title``
    and ``about`` are what the documentation page says.
    """

    name: str
    title: str
    about: str
    prefixes: tuple[str, ...]
    app: FastAPI
    errors: ErrorTable


def new_app(title: str, version: str, description: str = "", **more: Any) -> FastAPI:
    """An application that says nothing by itself: its documents are served beside it, its errors in its own shape.

    OpenTelemetry may trace it where a provider is set up, but gets no exceptions: these may hold a user's words.
    """
    return FastAPI(
        title=title,
        version=version,
        description=description,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"logs": False, "operation_spans": False},
        **more,
    )
