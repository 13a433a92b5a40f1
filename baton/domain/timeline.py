"""What was said and done in a task, as a person reads it afterwards."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from baton.domain.conversation import Question
from baton.domain.json import INT64_MAX, JsonValue
from baton.domain.states import MessageState, StepState


@dataclass(frozen=True, slots=True)
class SaidMessage:
    """A message of a user that was not withdrawn."""

    id: UUID
    text: str
    state: MessageState
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class TakenStep:
    """A model call. ``text`` is "" while it runs; ``asked`` are the questions it raised, ``error`` why it failed,
    ``reasoning`` what the model thought aloud."""

    turn: int
    step: int
    state: StepState
    text: str
    asked: tuple[Question, ...]
    error: str | None
    started_at: datetime
    ended_at: datetime | None
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A tool call. ``content`` is what it gave once it is ``done``; ``failed``: an error."""

    turn: int
    step: int
    id: str
    name: str
    arguments: JsonValue
    done: bool
    content: JsonValue
    failed: bool
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class TimelinePlace:
    """Where a page of a timeline begins, which goes back in time: before the message of that number, the step of that
    turn and number, and the call of that turn, step and number."""

    message: int = INT64_MAX
    step: tuple[int, int] = (INT64_MAX, 0)
    call: tuple[int, int, int] = (INT64_MAX, 0, 0)


#: Before nothing at all.
NEWEST: Final = TimelinePlace()


@dataclass(frozen=True, slots=True)
class Timeline:
    """A task's messages by their number, its steps and its calls by their order in the conversation.

    ``older``: where the page before these begins, None if these are the first of all.
    """

    messages: tuple[SaidMessage, ...]
    steps: tuple[TakenStep, ...]
    calls: tuple[MadeCall, ...]
    older: TimelinePlace | None
