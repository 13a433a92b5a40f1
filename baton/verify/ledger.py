"""The ledger: what senders were promised. It only grows, in memory and in a file."""

import time
from dataclasses import asdict, dataclass
from io import RawIOBase
from pathlib import Path

import orjson

from baton.client.schemas.base import Json
from baton.domain.states import SendMode


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent. ``token`` is what the agent says when it has read it, unlike any other's; ``number`` is its
    place in what its sender sends, one after the other."""

    token: str
    sender: str
    number: int
    task_id: str
    text: str
    key: str
    mode: SendMode = SendMode.QUEUE
    question: str | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A send that was answered with a receipt. Times are Unix seconds of this machine: ``sent_at`` is when the first
    attempt began."""

    outgoing: Outgoing
    message_id: str
    seq: int
    receipt: Json
    sent_at: float
    acknowledged_at: float


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A send whose fate the sender does not know, or that was refused."""

    outgoing: Outgoing
    reason: str


class Ledger:
    """Who was promised what. ``acknowledged`` holds every answer, repeats of one key among them, as they came.

    ``file`` is made with the first entry.
    """

    def __init__(self, file: Path) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.given_up: list[GivenUp] = []
        self._path = file
        self._file: RawIOBase | None = None

    def acknowledge(self, outgoing: Outgoing, receipt: Json, sent_at: float) -> None:
        """A receipt has come."""
        entry = Acknowledged(outgoing, receipt["id"], receipt["seq"], receipt, sent_at, time.time())
        self.acknowledged.append(entry)
        self._write("acknowledged", entry)

    def give_up(self, outgoing: Outgoing, reason: str) -> None:
        """No receipt, and nobody will ask again."""
        entry = GivenUp(outgoing, reason)
        self.given_up.append(entry)
        self._write("given_up", entry)

    def acknowledged_under(self, key: str) -> Acknowledged:
        """The first receipt under a key. Raises LookupError where there is none."""
        for entry in self.acknowledged:
            if entry.outgoing.key == key:
                return entry
        raise LookupError(key)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, kind: str, entry: Acknowledged | GivenUp) -> None:
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
        self._file.write(orjson.dumps({"kind": kind, **asdict(entry)}, option=orjson.OPT_APPEND_NEWLINE))
