"""Is the log without gaps, and did who followed it see the same?"""

from collections.abc import Iterator, Sequence

from baton.domain.events import Event
from baton.verify.evidence import ExecutionEvidence
from baton.verify.findings import Category, Finding


def check_log(execution: ExecutionEvidence) -> Iterator[Finding]:
    """The log is 1, 2, 3, … up to the last event, to who reads it afterwards and to who followed it; both are equal."""
    yield from _sequence(execution, "the log", execution.log)
    yield from _sequence(execution, "a live reader", execution.live)
    for hole in execution.holes:
        yield Finding(Category.GAPS, execution.id, f"a live reader was told of a gap: {hole}")
    written = {event.seq: event for event in execution.log}
    for event in execution.live:
        if event.seq in written and written[event.seq] != event:
            yield Finding(Category.DIFFERING, execution.id, f"event {event.seq}: a live reader saw a different event")


def _sequence(execution: ExecutionEvidence, whose: str, events: Sequence[Event]) -> Iterator[Finding]:
    expected = 1
    for event in events:
        if event.seq != expected:
            what = f"event {event.seq} came where {expected} was due"
            yield Finding(Category.GAPS, execution.id, f"{whose}: {what}")
        expected = event.seq + 1
    if expected <= execution.last_event:
        yield Finding(Category.GAPS, execution.id, f"{whose}: ends at {expected - 1}, not at {execution.last_event}")
