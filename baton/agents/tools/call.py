"""The call that a tool is being made for: what it may know beyond its arguments."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from baton.domain.artifacts import ArtifactPart


class Notes(Protocol):
    """The notes of an execution, which its tasks share."""

    async def write(self, name: str, text: str) -> bool:
        """Write ``text`` in the place of what the note says. False where it was not: there are too many notes, or the
        call's turn is over."""
        ...

    async def read(self) -> dict[str, str]:
        """All notes, by name."""
        ...


class Artifacts(Protocol):
    """What tools of the execution gave that was too long to be shown whole."""

    async def read(self, artifact_id: UUID, offset: int, length: int) -> ArtifactPart | None:
        """A part of an artifact, ``length`` bytes or less; None where the execution has none of that id."""
        ...


@dataclass(frozen=True, slots=True)
class CallContext:
    """The call under way. ``key`` is the same whenever this very call is made again, and unlike that of any other."""

    tenant_id: UUID
    execution_id: UUID
    task_id: UUID
    key: str
    notes: Notes
    artifacts: Artifacts


_CURRENT: Final[ContextVar[CallContext]] = ContextVar("baton.tool_call")


def current_call() -> CallContext:
    """The call that this code runs for, also in a plain function's thread. Raises LookupError outside of one."""
    return _CURRENT.get()


@contextmanager
def calling(context: CallContext) -> Generator[None]:
    """While in here, `current_call` is ``context``."""
    token = _CURRENT.set(context)
    try:
        yield
    finally:
        _CURRENT.reset(token)
