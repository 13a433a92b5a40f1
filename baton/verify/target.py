"""The stack under test: where its API is, and its processes, if they are on this machine."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import orjson

from baton.client.errors import UsageError
from baton.client.schemas.base import Json
from baton.verify.proxy import SlowProxy


class Processes(Protocol):
    """Finds the parts of a stack."""

    def pid(self, part: str) -> int | None:
        """The process id of a part as it is up now (of one that is being started again, the last one)."""
        ...


@dataclass(frozen=True, slots=True)
class NotHere:
    """A stack somewhere else."""

    def pid(self, part: str) -> int | None:
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class InDirectory:
    """A `baton dev` with its data in ``directory``, which says in `stack.json` what it is up to."""

    directory: Path

    def note(self) -> Json:
        """What it says. Raises UsageError where no stack runs."""
        try:
            return orjson.loads((self.directory / "stack.json").read_bytes())
        except OSError as error:
            raise UsageError(f"no `baton dev --data {self.directory}` is running: {error.strerror}") from error

    def pid(self, part: str) -> int | None:
        """See `Processes`."""
        return self.note()["pids"].get(part)


@dataclass(frozen=True, slots=True)
class Target:
    """A stack. ``temporal_proxy`` lies between Temporal and everybody else, where it is ours to slow down."""

    urls: tuple[str, ...]
    key: str
    processes: Processes = field(default_factory=NotHere)
    temporal_proxy: SlowProxy | None = None


def running_in(directory: Path) -> Target:
    """The stack that runs on the data in ``directory``. Raises UsageError."""
    processes = InDirectory(directory.expanduser().resolve())
    note = processes.note()
    return Target((str(note["url"]),), str(note["api_key"]), processes)
