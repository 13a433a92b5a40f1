"""Messages on their way to a task, and what their sender is told."""

import hashlib
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from baton.domain.conversation import Attachment
from baton.domain.json import JsonObject, JsonValue
from baton.domain.states import SendMode, TaskState


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is to be sent.

    ``origin`` is the door it came through (a dialect's name, `temporal`, `deadline`). ``mode``: None leaves it to the
    agent. ``question``: the id of the question that this answers, None for all that are open. ``if_versions``: refuse
    it unless the task's version is one of these; None for any. ``only_if_waiting``: refuse it unless the task waits for
    an answer. ``grants``: tools that the sender consents to for the rest of the task, whatever their calls.
    ``plan_only``: whether the agent may only plan from now on, and call no tool that changes things; None leaves that
    as it is. Both count from the turn that claims the message. ``pinned``: the agent goes on reading it word for word
    when a summary has taken the place of its turn.
    """

    text: str
    origin: str
    attachments: tuple[Attachment, ...] = ()
    metadata: JsonObject = field(default_factory=dict[str, JsonValue])
    mode: SendMode | None = None
    idempotency_key: str | None = None
    question: str | None = None
    if_versions: tuple[int, ...] | None = None
    only_if_waiting: bool = False
    grants: tuple[str, ...] = ()
    plan_only: bool | None = None
    pinned: bool = False

    def digest(self) -> bytes:
        """SHA-256 of what the message says, normalised (NFC, attachments in order): equal for a repeat of the same."""
        sha = hashlib.sha256()
        files = (piece for a in self.attachments for piece in (a.filename, a.media_type, a.url))
        grants = sorted(set(self.grants))
        pieces = (self.text, self.question or "", str(self.plan_only), str(len(grants)), *grants, *files)
        for piece in (*pieces, *(("pinned",) if self.pinned else ())):
            data = unicodedata.normalize("NFC", piece).encode()
            sha.update(len(data).to_bytes(8, "big"))
            sha.update(data)
        return sha.digest()


@dataclass(frozen=True, slots=True)
class Edit:
    """What an unclaimed message is to say instead; None leaves that part as it is."""

    text: str | None = None
    attachments: tuple[Attachment, ...] | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a send when it was accepted.

    ``state`` and ``version`` are the task's right after it, ``was`` its state before, ``turn`` the last turn begun,
    ``turn_open`` whether that was under way then (the message waits for the next), ``interrupts`` the turn that it
    asked to stop (0: none). ``replayed``: this is the receipt of an earlier send with the same Idempotency-Key; nothing
    was stored, and what the task ``was`` is not known any more (None).
    """

    message_id: UUID
    seq: int
    task_id: UUID
    execution_id: UUID
    accepted_at: datetime
    state: TaskState
    version: int
    turn: int
    turn_open: bool
    interrupts: int = 0
    was: TaskState | None = None
    event_seq: int = 0
    replayed: bool = False

    @property
    def reopened(self) -> bool:
        """Whether the message has reopened a task that was over."""
        return self.was is not None and self.was.is_over

    @property
    def rings(self) -> bool:
        """Whether the task's workflow has something to look at: not while the task is pending or other questions are
        still open."""
        return self.state is TaskState.RUNNING
