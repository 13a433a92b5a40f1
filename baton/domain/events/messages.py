"""What becomes of messages."""

from dataclasses import dataclass
from typing import ClassVar

from baton.domain.authors import Author
from baton.domain.events.parts import AskedApproval, AskedQuestion, MessageRef
from baton.domain.events.types import EventType
from baton.domain.json import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAccepted(MessageRef):
    """A message was accepted.

    ``origin`` is the way it came (a dialect's name, `temporal`, `deadline`); ``sender`` is a name, ``author`` says
    whose, None in events of older code. It answers the questions ``answers`` and closes the approvals ``decides``.
    ``queued``: a turn was under way, so that the message waits for the next one.
    """

    type: ClassVar = EventType.MESSAGE_ACCEPTED

    text: str
    origin: str
    sender: str
    author: Author | None = None
    answers: tuple[str, ...] = ()
    decides: tuple[str, ...] = ()
    queued: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEdited(MessageRef):
    """A message that no turn had read was edited. ``text`` is what it says now."""

    type: ClassVar = EventType.MESSAGE_EDITED

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageWithdrawn(MessageRef):
    """A message that no turn had read was withdrawn: its task is what it would be without the message.

    ``result`` and ``error`` are the task's, if it is over again; what it asks now: as in `TurnEnded`.
    """

    type: ClassVar = EventType.MESSAGE_WITHDRAWN

    result: JsonValue = None
    error: str | None = None
    open_questions: tuple[str, ...] = ()
    open_approvals: tuple[str, ...] = ()
    questions: tuple[AskedQuestion, ...] = ()
    approvals: tuple[AskedApproval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRedriven(MessageRef):
    """A dead message was accepted again, as the last one. Its number was ``was_seq`` before."""

    type: ClassVar = EventType.MESSAGE_REDRIVEN

    was_seq: int
    text: str
    origin: str
    sender: str
    author: Author | None = None
    answers: tuple[str, ...] = ()
    decides: tuple[str, ...] = ()
    queued: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePinned(MessageRef):
    """Somebody pinned a message that was sent before, or with ``pinned`` false took its pin off."""

    type: ClassVar = EventType.MESSAGE_PINNED

    pinned: bool
    by: str
    author: Author | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesDead:
    """Messages that no turn will read. ``reason`` is a stable code."""

    type: ClassVar = EventType.MESSAGES_DEAD

    messages: tuple[MessageRef, ...]
    reason: str
