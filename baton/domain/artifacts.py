"""Artifacts: results of tool calls that are too long for the model to read whole."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

#: The tool that reads them. An agent has it once one of its task's results has become an artifact.
READ_ARTIFACT: Final = "read_artifact"
#: How much of an artifact its preview shows: of its beginning, and of its end.
_HEAD_BYTES: Final = 2048
_TAIL_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class NewArtifact:
    """A result that is kept apart: ``content`` is UTF-8, all of it, or of ``whole_bytes`` as many as are kept."""

    id: UUID
    media_type: str
    content: bytes
    whole_bytes: int


@dataclass(frozen=True, slots=True)
class _Artifact:
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


@dataclass(frozen=True, slots=True)
class KeptArtifact(_Artifact):
    """An artifact without its content, which has ``size`` bytes. ``whole_bytes``: as in `ArtifactPart`."""

    created_at: datetime


@dataclass(frozen=True, slots=True)
class ArtifactPart(_Artifact):
    """A part of an artifact, which has ``size`` bytes: ``text`` begins at the byte ``offset``.

    ``next_offset``: where the next part begins, None at the end. ``whole_bytes``: what the tool gave, where that was
    more than is kept.
    """

    offset: int
    text: str
    next_offset: int | None


def preview(artifact: NewArtifact) -> str:
    """What the model reads in its place, and the log says of it."""
    size = len(artifact.content)
    kept = "" if artifact.whole_bytes == size else f", of which the first {size:,} are kept"
    head, _ = whole_text(artifact.content[:_HEAD_BYTES])
    tail, _ = whole_text(artifact.content[max(size - _TAIL_BYTES, _HEAD_BYTES) :])
    return (
        f"[The result has {artifact.whole_bytes:,} bytes{kept}: too long to be shown whole. It is the artifact"
        f" {artifact.id}; {READ_ARTIFACT} reads any part of it. Its beginning and its end:]\n"
        f"{head}\n[…]\n{tail}"
    )


def whole_text(data: bytes) -> tuple[str, int]:
    """The text of the whole characters in ``data``, a piece of UTF-8, and how many bytes before them belong to another
    character that begins before the piece."""
    skipped = 0
    while skipped < min(len(data), 3) and data[skipped] & 0xC0 == 0x80:
        skipped += 1
    end = len(data)
    for back in range(1, min(4, end - skipped) + 1):
        lead = data[end - back]
        if lead & 0xC0 != 0x80:
            length = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            end -= back if length > back else 0
            break
    return data[skipped:end].decode(), skipped
