"""Ids as they stand in paths and bodies."""

import re
from typing import Annotated, Final
from uuid import UUID

from pydantic import BeforeValidator

from baton.domain.errors import (
    ApprovalNotFound,
    ArtifactNotFound,
    ExecutionNotFound,
    MessageNotFound,
    NotFound,
    TaskNotFound,
)
from baton.domain.json import INT64_MAX, INT64_MIN

_DIGITS: Final = re.compile(r"-?[0-9]+")


def _plain(value: object) -> object:
    """Raises ValueError for what only looks like an integer to pydantic: `1.0`, `1_0`, ` 1`, `+1`."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("must be an integer")
    return value


#: An integer as it stands in a path or a query: digits, nothing else.
WholeNumber = Annotated[int, BeforeValidator(_plain)]


def parse_uuid(text: str) -> UUID | None:
    """The uuid that ``text`` is, in its canonical form; None for anything else, which names nothing."""
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


def canonical(text: str) -> str:
    """An id as it is compared: a uuid in its canonical form, whatever its case; anything else as it is."""
    found = parse_uuid(text)
    return text if found is None else str(found)


def execution_id(text: str) -> UUID:
    """An execution's id. Raises `ExecutionNotFound`."""
    return _known(text, ExecutionNotFound("there is no such execution"))


def task_id(text: str) -> UUID:
    """A task's id. Raises `TaskNotFound`."""
    return _known(text, TaskNotFound("there is no such task"))


def message_id(text: str) -> UUID:
    """A message's id. Raises `MessageNotFound`."""
    return _known(text, MessageNotFound("there is no such message"))


def approval_id(text: str) -> UUID:
    """An approval's id. Raises `ApprovalNotFound`."""
    return _known(text, ApprovalNotFound("there is no such approval"))


def artifact_id(text: str) -> UUID:
    """An artifact's id. Raises `ArtifactNotFound`."""
    return _known(text, ArtifactNotFound("there is no such artifact"))


def in_range(position: int) -> int:
    """A task's integer, as PostgreSQL can hold it. Raises `TaskNotFound` beyond 64 bits."""
    if not INT64_MIN <= position <= INT64_MAX:
        raise TaskNotFound("there is no such task")
    return position


def _known(text: str, error: NotFound) -> UUID:
    found = parse_uuid(text)
    if found is None:
        raise error
    return found
