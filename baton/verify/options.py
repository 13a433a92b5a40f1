"""What `baton verify` was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from baton.client.errors import UsageError


class Fault(StrEnum):
    """What can be done to a stack on this machine."""

    KILL_WORKER = "kill-worker"
    KILL_API = "kill-api"
    KILL_TEMPORAL = "kill-temporal"
    KILL_POSTGRES = "kill-postgres"
    PAUSE_WORKER = "pause-worker"
    PAUSE_POSTGRES = "pause-postgres"
    SLOW_TEMPORAL = "slow-temporal"

    @property
    def part(self) -> str:
        """The part of the stack that it happens to, as `stack.json` names it."""
        return self.value.partition("-")[2]

    @property
    def is_kill(self) -> bool:
        """Whether the process dies; otherwise it stands still, or is slow, for a while."""
        return self.value.startswith("kill-")


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """The load, and what is done to the stack under it.

    ``urls`` empty and ``data`` None: a stack of our own. ``faults`` happen once each, in this order, each
    ``fault_every_seconds`` after the one before (or when that has been got over); ``pause_seconds`` is how long a fault
    that is no kill lasts. ``patience_seconds``: how long a sender repeats a request, and how long nothing may happen
    before the rest is given up.
    """

    urls: tuple[str, ...] = ()
    key: str = ""
    data: Path | None = None
    agent: str | None = None
    tasks: int = 20
    senders: int = 8
    messages: int = 1000
    faults: tuple[Fault, ...] = ()
    fault_every_seconds: float = 5.0
    pause_seconds: float = 8.0
    patience_seconds: float = 60.0
    seed: int = 1

    def check(self) -> None:
        """Raises UsageError for what does not go together."""
        if self.urls and self.data is not None:
            raise UsageError("give either --url or --data, not both")
        if self.urls and self.faults:
            raise UsageError("--faults needs a stack on this machine: give its --data directory, or neither option")
        if self.data is not None and Fault.SLOW_TEMPORAL in self.faults:
            raise UsageError("slow-temporal needs a stack of verify's own: leave out --data")
        if self.key and not self.urls:
            raise UsageError("--key goes with --url")


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Faults, comma-separated; one may come several times. Raises UsageError."""
    names: Sequence[str] = [name.strip() for name in text.split(",") if name.strip()]
    try:
        return tuple(Fault(name) for name in names)
    except ValueError:
        wrong = next(name for name in names if name not in {*Fault})
        raise UsageError(f"unknown fault {wrong!r}; the faults are {', '.join(Fault)}") from None
