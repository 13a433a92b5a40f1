"""What an agent does: turns, their steps, and the tool calls of these."""

from dataclasses import dataclass
from typing import ClassVar

from baton.domain.authors import Author
from baton.domain.compactions import CompactionReason, LeftOut
from baton.domain.conversation import ToolCall, Usage
from baton.domain.events.parts import AskedApproval, AskedQuestion, MessageRef, OfCall, OfStep, OfTurn
from baton.domain.events.types import EventType
from baton.domain.json import JsonObject, JsonValue
from baton.domain.mailbox import Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted(OfTurn):
    """A turn began, and claimed ``messages``."""

    type: ClassVar = EventType.TURN_STARTED

    messages: tuple[MessageRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(OfStep):
    """A step began: the model is being asked."""

    type: ClassVar = EventType.STEP_STARTED


@dataclass(frozen=True, slots=True, kw_only=True)
class StepVoided(OfStep):
    """What ``attempt`` had streamed is void: the step is tried again."""

    type: ClassVar = EventType.STEP_VOIDED

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta(OfStep):
    """A piece of what the agent is saying."""

    type: ClassVar = EventType.TEXT_DELTA

    attempt: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningDelta(OfStep):
    """A piece of the reasoning that the model shows before it answers: no part of the answer."""

    type: ClassVar = EventType.REASONING_DELTA

    attempt: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCompleted(OfStep):
    """A step is recorded, with all its text and the calls that it asks for.

    ``interrupted``: it was cut off, and ``text`` is what it had said by then. ``finish_reason`` is the provider's word
    for why the answer ended, ``usage`` what this attempt used; one before it that was lost with its worker is a call.
    ``model``: which of the agent's models answered, "" where it was interrupted. ``refused``: why the text, which would
    have ended the task, is not a valid result; the model answers again.
    """

    type: ClassVar = EventType.STEP_COMPLETED

    text: str
    calls: tuple[ToolCall, ...] = ()
    interrupted: bool = False
    finish_reason: str = ""
    usage: Usage | None = None
    model: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed(OfStep):
    """An attempt of a step failed.

    ``code`` is stable, ``message`` the provider's sentence with secrets masked; ``retrying``: there will be another
    attempt, at ``retry_at`` (RFC 3339, "" where nobody knows). ``usage`` is what this attempt used all the same.
    """

    type: ClassVar = EventType.STEP_FAILED

    attempt: int
    code: str
    retrying: bool
    message: str = ""
    retry_at: str = ""
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUsed(OfStep):
    """What an attempt used of which nothing else is recorded: its worker stopped, or its turn was over."""

    type: ClassVar = EventType.STEP_USED

    attempt: int
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted(OfCall):
    """A tool is being called. ``attempt``: for which time; from the second on, an earlier one has come to nothing."""

    type: ClassVar = EventType.TOOL_STARTED

    name: str
    arguments: JsonObject
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCompleted(OfCall):
    """A tool call has a result, also if it was never made. ``failed``: ``content`` is an error.

    ``artifact_id``: where the whole is kept, in ``artifact_bytes``, of a result of which ``content`` is a preview.
    """

    type: ClassVar = EventType.TOOL_COMPLETED

    name: str
    content: JsonValue
    failed: bool = False
    artifact_id: str | None = None
    artifact_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteWritten(OfCall):
    """A tool call wrote a note for the other tasks of its execution, in the place of one of the same name."""

    type: ClassVar = EventType.NOTE_WRITTEN

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextCompacted(OfStep):
    """A step made a summary, which the model reads from now on instead of what it stands for (``left_out``).

    ``number`` counts the task's compactions. Read as they were said are the messages of ``kept_turn``, its steps from
    ``kept_step`` on, and what came later. ``usage`` is what the summary used. ``by`` and ``author`` say who asked for
    it, where somebody has; or redid one that was undone: then the summary is not repeated.
    """

    type: ClassVar = EventType.CONTEXT_COMPACTED

    number: int
    reason: CompactionReason
    kept_turn: int
    kept_step: int
    left_out: LeftOut
    summary: str = ""
    model: str = ""
    usage: Usage | None = None
    by: str = ""
    author: Author | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRestored(OfStep):
    """Somebody undid a compaction, which the step made: the model reads again what it stood for."""

    type: ClassVar = EventType.CONTEXT_RESTORED

    number: int
    by: str
    author: Author | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded(OfTurn):
    """A turn came to its end; ``messages`` are those that it had claimed.

    ``result`` is the task's, if it is over: JSON where a schema says what it must be, else text. ``error`` is a stable
    code if the turn failed, ``error_message`` says it in words. ``open_questions`` and ``open_approvals`` are the ids
    of those that are open now: other events have said them. Older code wrote ``questions`` and ``approvals`` instead,
    in full.
    """

    type: ClassVar = EventType.TURN_ENDED

    outcome: Ending
    result: JsonValue = None
    error: str | None = None
    error_message: str = ""
    messages: tuple[MessageRef, ...] = ()
    open_questions: tuple[str, ...] = ()
    open_approvals: tuple[str, ...] = ()
    questions: tuple[AskedQuestion, ...] = ()
    approvals: tuple[AskedApproval, ...] = ()
