"""What became of the messages to one task: by the ledger, by their receipts, and by what the agent said."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from baton.domain.events import Event, StepCompleted, TurnStarted
from baton.domain.states import MessageState
from baton.verify.evidence import TaskEvidence
from baton.verify.findings import Category, Finding
from baton.verify.ledger import Acknowledged, GivenUp
from baton.verify.workload import SAID

_ENDED = (MessageState.PROCESSED, MessageState.WITHDRAWN, MessageState.DEAD)


@dataclass(slots=True)
class TaskLedger:
    """What senders know of the messages to one task."""

    acknowledged: list[Acknowledged] = field(default_factory=list[Acknowledged])
    given_up: list[GivenUp] = field(default_factory=list[GivenUp])

    def tokens(self) -> dict[str, str]:
        """By text, what the agent says of it."""
        return {entry.outgoing.text: entry.outgoing.token for entry in (*self.acknowledged, *self.given_up)}

    def first_receipts(self) -> list[Acknowledged]:
        """The first receipt under each key, in the order of the answers."""
        return list({entry.outgoing.key: entry for entry in reversed(self.acknowledged)}.values())[::-1]


def check_task(task: TaskEvidence, ledger: TaskLedger, log: Sequence[Event]) -> Iterator[Finding]:
    """Everything that is wrong with a task's messages."""
    if not task.is_over:
        yield Finding(Category.UNFINISHED, task.id, f"the task is {task.state}")
    mine = [event for event in log if str(event.task_id) == task.id]
    yield from _check_keys(task, ledger)
    yield from _check_receipts(task, ledger)
    yield from _check_order_of_sending(task, ledger)
    yield from _check_said(task, ledger, mine)
    yield from _check_turns(task, mine)


def _check_keys(task: TaskEvidence, ledger: TaskLedger) -> Iterator[Finding]:
    """One key, one message, one receipt."""
    first = {entry.outgoing.key: entry for entry in reversed(ledger.acknowledged)}
    for entry in ledger.acknowledged:
        known = first[entry.outgoing.key]
        if entry.message_id != known.message_id:
            what = f"{entry.outgoing.token}: message {known.seq}, and under the same key message {entry.seq}"
            yield Finding(Category.DOUBLED, task.id, what)
        elif entry.receipt != known.receipt:
            yield Finding(Category.DIFFERING, task.id, f"{entry.outgoing.token}: the repeat got another receipt")


def _check_receipts(task: TaskEvidence, ledger: TaskLedger) -> Iterator[Finding]:
    """Every acknowledged message is listed as it was acknowledged, and came to its end."""
    listed = {receipt["id"]: receipt for receipt in task.receipts}
    for entry in ledger.first_receipts():
        receipt = listed.get(entry.message_id)
        if receipt is None:
            yield Finding(Category.LOST, task.id, f"{entry.outgoing.token}: message {entry.seq} no longer exists")
        elif (receipt["seq"], receipt["text"]) != (entry.seq, entry.outgoing.text):
            yield Finding(
                Category.DIFFERING, task.id, f"{entry.outgoing.token}: is listed differently than acknowledged"
            )
    for receipt in task.receipts:
        if receipt["state"] not in _ENDED:
            yield Finding(Category.UNFINISHED, task.id, f"message {receipt['seq']} is {receipt['state']}")
    for text, times in Counter(receipt["text"] for receipt in task.receipts).items():
        if times > 1:
            token = ledger.tokens().get(text, "a text that nobody sent")
            yield Finding(Category.DOUBLED, task.id, f"{token}: is stored {times} times")


def _check_order_of_sending(task: TaskEvidence, ledger: TaskLedger) -> Iterator[Finding]:
    """What a sender sent after it was told that another message is accepted comes after that."""
    by_sender: defaultdict[str, list[Acknowledged]] = defaultdict(list)
    for entry in ledger.first_receipts():
        by_sender[entry.outgoing.sender].append(entry)
    for entries in by_sender.values():
        entries.sort(key=lambda entry: entry.outgoing.number)
        for before, after in itertools.pairwise(entries):
            if after.seq < before.seq:
                what = f"{after.outgoing.token}, message {after.seq}, came after {before.outgoing.token}, {before.seq}"
                yield Finding(Category.REORDERED, task.id, what)


def _check_said(task: TaskEvidence, ledger: TaskLedger, log: Sequence[Event]) -> Iterator[Finding]:
    """The agent has said each message's token once, in the order of their numbers."""
    tokens = ledger.tokens()
    said = said_tokens(log)
    times = Counter(said)
    seqs: dict[str, int] = {}
    for receipt in task.receipts:
        token = tokens.get(receipt["text"])
        if token is None:
            continue
        seqs.setdefault(token, receipt["seq"])
        # Where the task goes on, an unread message is merely unfinished.
        if not times[token] and (task.is_over or receipt["state"] in _ENDED):
            what = f"{token}: message {receipt['seq']} is {receipt['state']}, and the agent never spoke of it"
            yield Finding(Category.LOST, task.id, what)
    for token, n in times.items():
        if token in seqs and n > 1:
            yield Finding(Category.DOUBLED, task.id, f"{token}: the agent spoke of it {n} times")
    order = [(seqs[token], token) for token in dict.fromkeys(said) if token in seqs]
    for (before, first), (after, second) in itertools.pairwise(order):
        if after < before:
            what = f"the agent spoke of {second} (message {after}) after {first} (message {before})"
            yield Finding(Category.REORDERED, task.id, what)


def said_tokens(log: Sequence[Event]) -> list[str]:
    """What the agent said that it had read, in order.

    What it said in a step that was interrupted counts only if it was not said again: where a worker was killed in that
    step, the model is not known to have begun, and begins anew.
    """
    said: list[tuple[str, bool]] = []
    for event in log:
        if isinstance(step := event.body, StepCompleted):
            lines = [line for line in step.text.splitlines() if line.startswith(SAID)]
            said += [(line.removeprefix(SAID), step.interrupted) for line in lines]
    last = {token: n for n, (token, _) in enumerate(said)}
    return [token for n, (token, cut_short) in enumerate(said) if not cut_short or n == last[token]]


def _check_turns(task: TaskEvidence, log: Sequence[Event]) -> Iterator[Finding]:
    """Every message was taken by one turn, in order."""
    last = 0
    taken: set[UUID] = set()
    for turn in (event.body for event in log):
        if not isinstance(turn, TurnStarted):
            continue
        for message in turn.messages:
            if message.message_id in taken:
                yield Finding(Category.DOUBLED, task.id, f"message {message.seq} was taken by two turns")
            elif message.seq < last:
                yield Finding(Category.REORDERED, task.id, f"message {message.seq} was taken after {last}")
            taken.add(message.message_id)
            last = max(last, message.seq)
