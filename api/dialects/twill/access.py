"""What a request names: a task by its id or slug, a job by its id, a page of a list."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from api.ids import message_id, parse_uuid
from baton.domain.errors import InvalidInput
from baton.domain.ids import TaskAddress, TaskById, TaskBySlug

_TASK: Final = "taskIdOrSlug"
_JOB: Final = "jobId"
_MOST: Final = 100

#: What the OpenAPI document says of them.
TASK_PARAMETERS: Final[list[dict[str, Any]]] = [
    {"name": _TASK, "in": "path", "required": True, "schema": {"type": "string"}}
]
JOB_PARAMETERS: Final[list[dict[str, Any]]] = [
    {"name": _JOB, "in": "path", "required": True, "schema": {"type": "string"}}
]


async def _task(request: Request) -> TaskAddress:
    """The task that a path names."""
    text: str = request.path_params[_TASK]
    found = parse_uuid(text)
    return TaskBySlug(text) if found is None else TaskById(found)


async def _job(request: Request) -> UUID:
    """The job that a path names. Raises `MessageNotFound` for what is no id."""
    return message_id(request.path_params[_JOB])


Task = Annotated[TaskAddress, Depends(_task)]
Job = Annotated[UUID, Depends(_job)]


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list is asked for."""

    limit: int
    cursor: str | None


def paging(default: int) -> Callable[[Request], Awaitable[Paging]]:
    """A dependency: the query's `limit`, ``default`` without one, and `cursor`. Raises `InvalidInput`."""

    async def page(request: Request) -> Paging:
        given = request.query_params.get("limit")
        if given is None:
            return Paging(default, request.query_params.get("cursor"))
        if not (given.isascii() and given.isdigit() and len(given) <= len(str(_MOST)) and 1 <= int(given) <= _MOST):
            raise InvalidInput(f"limit must be an integer from 1 to {_MOST}", ("query", "limit"))
        return Paging(int(given), request.query_params.get("cursor"))

    return page


def paging_parameters(default: int) -> list[dict[str, Any]]:
    """What the OpenAPI document says of `paging`."""
    limit = {"type": "integer", "minimum": 1, "maximum": _MOST, "default": default}
    return [
        {"name": "limit", "in": "query", "required": False, "schema": limit},
        {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
    ]
