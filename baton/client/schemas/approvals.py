"""Tool calls that need consent, and decisions on them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StrictStr, StringConstraints

from baton.client.schemas.authors import AuthorOut
from baton.client.schemas.base import Shape
from baton.client.schemas.changes import TaskAfter
from baton.domain.approvals import ApprovalState, Verdict


class DecideApproval(Shape):
    """A decision on a tool call that waits for consent."""

    decision: Verdict
    reason: Annotated[StrictStr, StringConstraints(max_length=10_000)] = ""
    arguments: Annotated[
        dict[str, Any] | None, Field(description="What the call is to be made with instead of what was asked for.")
    ] = None
    digest: Annotated[
        StrictStr | None, Field(description="The digest of the call that was seen: refused with 412 if it is another.")
    ] = None


class OpenApproval(Shape):
    """A tool call that waits for consent, bound to ``digest``, the SHA-256 of tool and arguments."""

    id: UUID
    turn: int
    step: int
    call_id: str
    tool: str
    arguments: dict[str, Any]
    digest: str
    asked_at: datetime


class ApprovalOut(OpenApproval):
    """An approval, and what became of it. ``edited_arguments`` were approved instead of ``arguments``.

    ``decided_by`` is a name, ``author`` says whose; null while it is open, and where older code recorded it."""

    task_id: UUID
    execution_id: UUID
    state: ApprovalState
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    edited_arguments: dict[str, Any] | None
    approved_digest: str | None
    author: AuthorOut | None = None


class DecidedApproval(Shape):
    """An approval right after somebody decided on it, or found that it is so already. Who may not read tasks is not
    told what anybody wrote: those fields are left out."""

    id: UUID
    task_id: UUID
    execution_id: UUID
    state: ApprovalState
    turn: int
    step: int
    call_id: str
    tool: str | None = None
    arguments: dict[str, Any] | None = None
    digest: str
    asked_at: datetime
    decided_at: datetime | None
    decided_by: str | None = None
    reason: str | None = None
    edited_arguments: dict[str, Any] | None = None
    approved_digest: str | None
    author: AuthorOut | None = None
    task: TaskAfter
