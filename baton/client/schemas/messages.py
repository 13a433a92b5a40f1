"""Messages: what is sent, and what becomes of it."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, StrictStr, StringConstraints

from baton.client.schemas.authors import AuthorOut
from baton.client.schemas.base import PageOut, Shape, Text, Tools
from baton.client.schemas.changes import TaskAfter
from baton.domain.states import MessageState

_URLS: Final = ("http://", "https://", "data:")


def _url(text: str) -> str:
    if not text.lower().startswith(_URLS):
        raise ValueError("must be an http, https or data URL")
    return text


class AttachmentIn(Shape):
    """A file that comes with a message."""

    filename: Annotated[StrictStr, StringConstraints(min_length=1, max_length=255)]
    media_type: Annotated[StrictStr, StringConstraints(pattern=r"^[\w.+-]+/[\w.+-]+$", max_length=255)]
    url: Annotated[StrictStr, AfterValidator(_url)]


class SendMessage(Shape):
    """A message to a task."""

    text: Text
    attachments: Annotated[list[AttachmentIn], Field(max_length=100)] = []
    metadata: dict[str, Any] = {}
    grants: Annotated[
        Tools, Field(description="Tools whose calls need no approval any more; calls of others that wait are declined.")
    ] = []
    plan_only: Annotated[
        StrictBool | None, Field(description="Whether the agent may only plan from then on, and change nothing.")
    ] = None
    pinned: Annotated[
        StrictBool, Field(description="Whether the agent goes on reading it word for word in a long conversation.")
    ] = False


class EditMessage(Shape):
    """What a message that no turn has read is to say instead. What is left out, or null, stays as it is."""

    text: Text | None = None
    attachments: Annotated[list[AttachmentIn] | None, Field(max_length=100)] = None


class AttachmentOut(Shape):
    """A file that came with a message."""

    filename: str
    media_type: str
    url: str


class MessageOut(Shape):
    """A message's receipt: what became of it. ``sender`` is a name, ``author`` says whose; null where older code
    recorded it."""

    id: UUID
    seq: int
    task_id: UUID
    execution_id: UUID
    state: MessageState
    turn: int | None
    text: str
    attachments: list[AttachmentOut]
    origin: str
    sender: str
    answers: list[str]
    reason: str | None
    accepted_at: datetime
    claimed_at: datetime | None
    ended_at: datetime | None
    pinned: bool = False
    author: AuthorOut | None = None


class ChangedMessage(Shape):
    """A message right after somebody changed what becomes of it, or found that it is so already. Who may not read tasks
    is not told what anybody wrote: those fields are left out."""

    id: UUID
    seq: int
    task_id: UUID
    execution_id: UUID
    state: MessageState
    turn: int | None
    text: str | None = None
    attachments: list[AttachmentOut] | None = None
    origin: str | None = None
    sender: str | None = None
    answers: list[str] | None = None
    reason: str | None = None
    accepted_at: datetime
    claimed_at: datetime | None
    ended_at: datetime | None
    pinned: bool | None = None
    author: AuthorOut | None = None
    task: TaskAfter


class Accepted(Shape):
    """A message that was accepted: it is stored, and will reach the agent, in order."""

    id: UUID
    seq: int
    task_id: UUID
    execution_id: UUID
    state: Literal["accepted"]
    accepted_at: datetime
    task: TaskAfter
    warnings: Annotated[
        list[str], Field(description="Names of granted tools that may be wrong. Absent if there are none.")
    ] = []


class Messages(PageOut[MessageOut]):
    """A page of messages."""
