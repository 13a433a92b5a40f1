"""Results of tool calls that are kept apart, since they are too long for the agent to read whole."""

from datetime import datetime
from uuid import UUID

from baton.client.schemas.base import PageOut, Shape


class _Artifact(Shape):
    id: UUID
    task_id: UUID
    execution_id: UUID
    turn: int
    step: int
    call_id: str
    tool: str
    media_type: str
    size: int
    whole_bytes: int


class KeptArtifactOut(_Artifact):
    """An artifact without its text. ``size`` and ``whole_bytes``: as in `ArtifactOut`."""

    created_at: datetime


class ArtifactPage(PageOut[KeptArtifactOut]):
    """A page of artifacts."""


class ArtifactOut(_Artifact):
    """A part of an artifact. ``offset`` and ``size`` are bytes; ``next_offset`` reads on, null at the end.

    ``whole_bytes`` is what the tool gave; more than ``size`` where it was too much to be kept."""

    offset: int
    text: str
    next_offset: int | None
