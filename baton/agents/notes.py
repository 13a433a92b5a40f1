"""What messages tell programs beside what they tell the model: their `metadata`, which no provider gets to see.

The scripted model reads notes instead of prompts, so that nothing that a person wrote can be mistaken for a mark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic_ai.messages import ModelRequest, ModelResponse

from baton.domain.conversation import DependencyResult

_KEY: Final = "baton"


class Source(StrEnum):
    """Where a text that the agent reads comes from."""

    DESCRIPTION = "description"
    MESSAGE = "message"
    ANSWER = "answer"  #: given as the return of the `ask_user` call that asked


@dataclass(frozen=True, slots=True)
class Read:
    """A text, unchanged, at the place where the agent reads it."""

    source: Source
    text: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A step that left no answer: it failed for good, or was interrupted before any of its text was known.

    ``begun`` is the number of directives that it had begun, None where that is not known.
    """

    failed: bool
    begun: int | None = None


@dataclass(frozen=True, slots=True)
class RequestNotes:
    """What a request holds, in order. ``title`` and ``dependencies`` are the task's."""

    title: str
    dependencies: Sequence[DependencyResult]
    entries: Sequence[Read | Lost]


def request_metadata(notes: RequestNotes) -> dict[str, Any]:
    """`ModelRequest.metadata` that carries ``notes``. Requests are rebuilt for each step and never stored."""
    return {_KEY: notes}


def notes_of(request: ModelRequest) -> RequestNotes | None:
    """The notes that ``request`` carries."""
    notes = (request.metadata or {}).get(_KEY)
    return notes if isinstance(notes, RequestNotes) else None


def response_metadata(begun: int) -> dict[str, Any]:
    """`ModelResponse.metadata` (JSON) of a response for which ``begun`` directives were begun."""
    return {_KEY: {"directives": begun}}


def begun_in(response: ModelResponse) -> int:
    """The number of directives begun for ``response``; 0 for another model's."""
    notes: dict[str, int] = (response.metadata or {}).get(_KEY) or {}
    return notes.get("directives", 0)
