"""Summaries that a task's model reads instead of what was said before."""

from datetime import datetime
from uuid import UUID

from baton.client.schemas.base import PageOut, Shape
from baton.domain.compactions import CompactionReason


class LeftOutOut(Shape):
    """What a summary stands for: turns 1 to ``last_turn``, perhaps in part, and what was said and done in them."""

    last_turn: int
    messages: int
    steps: int
    calls: int


class CompactionShape(Shape):
    """What is said of every compaction: ``turn`` and ``step`` name the step that made the summary, ``model`` which did
    ("" where none could).

    Read as they were said are the messages of ``kept_turn``, its steps from ``kept_step`` on, and what came later. The
    newest whose ``undone_at`` is null is the one that is read."""

    number: int
    turn: int
    step: int
    reason: CompactionReason
    model: str
    kept_turn: int
    kept_step: int
    left_out: LeftOutOut
    created_at: datetime
    undone_at: datetime | None


class CompactionOut(CompactionShape):
    """A compaction with its ``summary``."""

    summary: str


class Compactions(PageOut[CompactionOut]):
    """A page of compactions."""


class RequestedCompaction(Shape):
    """A summary that was asked for, when first, and that the task's next step makes."""

    task_id: UUID
    requested_at: datetime


class ChangedCompaction(CompactionShape):
    """A compaction right after it was undone or redone. Who may not read tasks is not told the summary: it is left
    out."""

    summary: str | None = None
