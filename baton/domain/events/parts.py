"""What bodies of several types of events have in common."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from baton.domain.approvals import Approval
from baton.domain.conversation import Question
from baton.domain.json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRef:
    """A message by its id, and by its number within its task."""

    message_id: UUID
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingTask:
    """A task that waits. ``question`` is all that it asks, in words; ``consent``: it needs approvals and no answer."""

    task_id: UUID
    position: int
    question: str
    waiting_since: datetime | None = None
    consent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedTask:
    """A task that is paused, until somebody resumes it or sends it a message."""

    task_id: UUID
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfTurn:
    """What belongs to a turn of its task."""

    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfStep(OfTurn):
    """What belongs to a step, which is numbered from 0 within its turn."""

    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCall(OfStep):
    """What belongs to a tool call, whose id is unique within its step."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestion:
    """A question. ``choices`` are offers, ``schema`` is a rule that an answer must obey."""

    question_id: str
    text: str
    choices: tuple[str, ...] = ()
    schema: JsonObject | None = None

    @classmethod
    def of(cls, question: Question) -> Self:
        """What an event says of a question."""
        return cls(question_id=question.id, text=question.text, choices=question.choices, schema=question.schema)

    @property
    def question(self) -> Question:
        """The question itself."""
        return Question(self.question_id, self.text, self.choices, self.schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedApproval(OfCall):
    """A tool call that waits for consent. ``digest`` binds the consent to ``tool`` and ``arguments``."""

    approval_id: str
    tool: str
    arguments: JsonObject
    digest: str

    @classmethod
    def of(cls, approval: Approval) -> Self:
        """What an event says of an open approval."""
        return cls(
            turn=approval.turn,
            step=approval.step,
            call_id=approval.call_id,
            approval_id=approval.id,
            tool=approval.tool,
            arguments=approval.arguments,
            digest=approval.digest,
        )
