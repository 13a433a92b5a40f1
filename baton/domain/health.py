"""What was found out about an installation: checks, and what they come to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from baton.domain.faults import FAULTS
from baton.domain.json import JsonObject

#: In a line, what is well.
_WELL: Final = "ok"


class CheckStatus(StrEnum):
    """``WARNING``: it works, and somebody should look."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``fault`` is a key of `FAULTS`, "" where all is well; ``reason`` tells in words.

    ``said`` is what another server said of it: addresses and names may stand there. It is for operators, in logs and
    `baton doctor`, and not for pages, which strangers may read.
    """

    name: str
    status: CheckStatus = CheckStatus.OK
    reason: str = ""
    fault: str = ""
    said: str = ""

    @property
    def remedy(self) -> str:
        """What to do about it; "" where nothing is to be done."""
        return FAULTS[self.fault].remedy if self.fault else ""

    @property
    def line(self) -> str:
        """All but what was said, in a line."""
        told = "; ".join(filter(None, (self.reason, self.remedy)))
        return f"{self.name}: {told or self.status}"

    @property
    def for_operators(self) -> str:
        """All of it in a line."""
        return f"{self.line} (it said: {self.said})" if self.said else self.line

    def as_json(self, *, said: bool = False) -> JsonObject:
        """As readiness shows it, and with what was ``said`` `baton doctor --json`."""
        shown: JsonObject = {"name": self.name, "status": self.status.value}
        told = {"code": self.fault, "reason": self.reason, "remedy": self.remedy, "said": self.said if said else ""}
        return shown | {key: text for key, text in told.items() if text}


def failed(name: str, fault: str, reason: str, said: str = "") -> Check:
    """A check that failed."""
    return Check(name, CheckStatus.FAILED, reason, fault, said)


def warning(name: str, fault: str, reason: str, said: str = "") -> Check:
    """A check that works, and that somebody should look at."""
    return Check(name, CheckStatus.WARNING, reason, fault, said)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What a process's checks came to. ``required``: the names of those without which it is not ready."""

    process: str
    version: str
    checks: Sequence[Check]
    required: Collection[str]
    checked_at: datetime | None

    @property
    def ready(self) -> bool:
        """Whether the process can do its work."""
        return self.is_well(*self.required)

    def is_well(self, *names: str) -> bool:
        """Whether none of the checks called so has failed."""
        return not any(check.status is CheckStatus.FAILED and check.name in names for check in self.checks)

    @property
    def status(self) -> str:
        """``ok``, ``degraded`` (it is ready, and something else is wrong) or ``failed``."""
        if not self.ready:
            return "failed"
        return "degraded" if any(check.status is not CheckStatus.OK for check in self.checks) else "ok"

    @property
    def line(self) -> str:
        """All that is wrong, in a line."""
        wrong = [check.line for check in self.checks if check.status is not CheckStatus.OK]
        return " | ".join((f"{self.process} {'is ready' if self.ready else 'is not ready'}", *(wrong or (_WELL,))))

    def as_json(self) -> JsonObject:
        """As readiness shows it."""
        return {
            "status": self.status,
            "ready": self.ready,
            "process": self.process,
            "version": self.version,
            "checked_at": self.checked_at and self.checked_at.isoformat(timespec="seconds"),
            "line": self.line,
            "checks": [check.as_json() for check in self.checks],
        }
