"""What a task asks of people: questions, and consent to tool calls."""

from dataclasses import dataclass
from typing import ClassVar

from baton.domain.approvals import ApprovalState
from baton.domain.authors import Author
from baton.domain.events.parts import AskedApproval, AskedQuestion, OfCall
from baton.domain.events.types import EventType
from baton.domain.json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAsked(AskedQuestion):
    """A turn asked a question."""

    type: ClassVar = EventType.QUESTION_ASKED


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionReminded(AskedQuestion):
    """Nobody has answered a question for a while."""

    type: ClassVar = EventType.QUESTION_REMINDED


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionEscalated(AskedQuestion):
    """Nobody has answered a question for so long that somebody else should."""

    type: ClassVar = EventType.QUESTION_ESCALATED


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked(AskedApproval):
    """A turn held a tool call back until somebody consents to it."""

    type: ClassVar = EventType.APPROVAL_ASKED


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDecided(OfCall):
    """An approval was decided on, or its task cancelled. ``by`` is a name; ``author`` says who that was, None in events
    of older code.

    ``arguments``: what the call is made with instead, if the approver changed them. ``digest``: what was approved,
    None if nothing was.
    """

    type: ClassVar = EventType.APPROVAL_DECIDED

    approval_id: str
    tool: str
    decision: ApprovalState
    by: str
    reason: str
    author: Author | None = None
    arguments: JsonObject | None = None
    digest: str | None = None
