"""The comparison itself: does it find each thing that can be wrong, and nothing where all is well? Pure."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import pytest

from baton.domain.events import Body, Event, StepCompleted, TurnStarted, Unknown
from baton.domain.events.parts import MessageRef
from baton.verify.audit import audit, count
from baton.verify.evidence import ExecutionEvidence, TaskEvidence
from baton.verify.findings import Category
from baton.verify.ledger import Acknowledged, GivenUp, Outgoing
from tests.support.events import AT

TASK_ID: Final = UUID(int=7)
TASK, EXECUTION = str(TASK_ID), "execution"


def _id(n: int) -> UUID:
    """The id of message n."""
    return UUID(int=n)


class Story:
    """What happened to one task, as a ledger and as evidence. Tests bend it."""

    def __init__(self, messages: int = 6) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.given_up: list[GivenUp] = []
        self.receipts: list[dict[str, Any]] = []
        self.state = "succeeded"
        self.log: list[Event] = []
        self.live: list[Event] | None = None
        self.holes: list[str] = []
        for n in range(1, messages + 1):
            self.acknowledge(n)
            self.receipts.append({"id": str(_id(n)), "seq": n, "text": f"t{n}", "state": "processed"})
        self.turn(*range(1, messages // 2 + 1))
        self.turn(*range(messages // 2 + 1, messages + 1))

    def acknowledge(self, n: int, **changed: Any) -> None:
        """Message n, from one of two senders."""
        outgoing = Outgoing(f"t{n}", f"s{n % 2}", n, TASK, f"t{n}", f"k{n}")
        receipt: dict[str, Any] = {"id": str(_id(n)), "seq": n} | changed
        self.acknowledged.append(Acknowledged(outgoing, receipt["id"], receipt["seq"], receipt, 0.0, 0.0))

    def turn(self, *messages: int, says: list[int] | None = None, interrupted: bool = False) -> None:
        """A turn that takes ``messages`` and says ``says``, else all of them."""
        taken = tuple(MessageRef(message_id=_id(n), seq=n) for n in messages)
        self.event(TurnStarted(turn=1, messages=taken))
        text = "\n".join(["t1 t2", *(f"You said: t{n}" for n in (messages if says is None else says))])
        self.event(StepCompleted(turn=1, step=0, text=text, interrupted=interrupted))

    def event(self, body: Body) -> None:
        """An event at the end of the log."""
        self.log.append(Event(len(self.log) + 1, AT, body, {}, TASK_ID, 1, None, None))

    def bend(self, n: int, body: Body) -> None:
        """Replace what the event at ``n`` says."""
        self.log[n] = replace(self.log[n], body=body)

    def audit(self) -> dict[str, int]:
        """The figures that are not zero."""
        over = self.state == "succeeded"
        live = self.log if self.live is None else self.live
        execution = ExecutionEvidence(
            EXECUTION,
            self.state,
            over,
            len(self.log),
            [TaskEvidence(TASK, self.state, over, self.receipts)],
            self.log,
            live,
            self.holes,
        )
        found = count(audit(self.acknowledged, self.given_up, [execution]))
        assert [*found] == [*Category]
        return {category.value: n for category, n in found.items() if n}


def test_nothing_is_found_where_all_is_well() -> None:
    story = Story()
    story.acknowledge(2)
    random.Random(1).shuffle(story.acknowledged)
    assert story.audit() == {}


def _vanishes(story: Story) -> None:
    del story.receipts[2]


def _is_dead(story: Story) -> None:
    story.log.clear()
    story.receipts[2]["state"] = "dead"
    story.turn(1, 2, 3, 4, 5, 6, says=[1, 2, 4, 5, 6])


def _is_never_spoken_of(story: Story) -> None:
    story.bend(1, StepCompleted(turn=1, step=0, text="You said: t1\nYou said: t3"))


def _is_left_behind(story: Story) -> None:
    story.log.clear()
    story.turn(1, 2, 3, 4, 5)
    story.receipts[5]["state"] = "accepted"


def _waits_in_a_task_at_work(story: Story) -> None:
    _is_left_behind(story)
    story.state = "running"


def _becomes_two(story: Story) -> None:
    story.acknowledge(3, id=str(_id(7)), seq=7)
    story.receipts.append({"id": str(_id(7)), "seq": 7, "text": "t3", "state": "processed"})
    story.turn(7, says=[3])


def _is_read_twice(story: Story) -> None:
    story.turn(says=[6])


def _is_taken_twice(story: Story) -> None:
    story.turn(6, says=[])


def _is_read_too_late(story: Story) -> None:
    story.bend(1, StepCompleted(turn=1, step=0, text="You said: t2\nYou said: t1\nYou said: t3"))


def _is_taken_too_late(story: Story) -> None:
    began = story.log[0].body
    assert isinstance(began, TurnStarted)
    story.bend(0, replace(began, messages=began.messages[::-1]))


def _is_numbered_before_what_was_sent_before(story: Story) -> None:
    first, second = story.acknowledged[0], story.acknowledged[2]
    story.acknowledged[0] = replace(first, outgoing=replace(first.outgoing, number=3))
    story.acknowledged[2] = replace(second, outgoing=replace(second.outgoing, number=1))


def _is_told_differently(story: Story) -> None:
    story.acknowledge(3, version=9)


def _is_listed_differently(story: Story) -> None:
    story.receipts[3]["seq"] = 9


def _was_given_up(story: Story) -> None:
    story.given_up.append(GivenUp(Outgoing("t9", "s1", 9, TASK, "t9", "k9"), "no answer"))


@pytest.mark.parametrize(
    ("bend", "found"),
    [
        (_vanishes, {"lost": 1}),
        (_is_dead, {"lost": 1}),
        (_is_never_spoken_of, {"lost": 1}),
        (_is_left_behind, {"lost": 1, "unfinished": 1}),
        (_waits_in_a_task_at_work, {"unfinished": 3}),
        (_becomes_two, {"doubled": 3}),
        (_is_read_twice, {"doubled": 1}),
        (_is_taken_twice, {"doubled": 1}),
        (_is_read_too_late, {"reordered": 1}),
        (_is_taken_too_late, {"reordered": 2}),
        (_is_numbered_before_what_was_sent_before, {"reordered": 1}),
        (_is_told_differently, {"differing": 1}),
        (_is_listed_differently, {"differing": 1, "reordered": 1}),
        (_was_given_up, {"unsent": 1}),
    ],
)
def test_a_message(bend: Callable[[Story], None], found: dict[str, int]) -> None:
    story = Story()
    bend(story)
    assert story.audit() == found


def test_what_was_given_up_may_have_arrived_once() -> None:
    story = Story()
    story.given_up.append(GivenUp(Outgoing("t7", "s1", 7, TASK, "t7", "k7"), "no answer"))
    story.receipts.append({"id": str(_id(7)), "seq": 7, "text": "t7", "state": "processed"})
    story.turn(7)
    assert story.audit() == {"unsent": 1}
    story.receipts.append({"id": str(_id(8)), "seq": 8, "text": "t7", "state": "processed"})
    story.turn(8, says=[7])
    assert story.audit() == {"unsent": 1, "doubled": 2}


def test_what_an_interrupted_step_said_may_be_said_again() -> None:
    """Where a worker was killed in it, nobody knows how far the model had come."""
    story = Story(0)
    story.log.clear()
    for n in (1, 2):
        story.acknowledge(n)
        story.receipts.append({"id": str(_id(n)), "seq": n, "text": f"t{n}", "state": "processed"})
    story.turn(1, interrupted=True)
    story.turn(2, says=[1, 2])
    assert story.audit() == {}
    story.turn(says=[2])
    assert story.audit() == {"doubled": 1}


#: What was done to a log that is right, and what the audit makes of it.
BENT_LOGS: Final[list[tuple[Callable[[Story], object], dict[str, int]]]] = [
    (lambda story: story.log.pop(1), {"gaps": 2, "lost": 3}),
    (lambda story: story.log.insert(2, story.log[1]), {"gaps": 4, "doubled": 3}),
    (lambda story: setattr(story, "live", story.log[:-1]), {"gaps": 1}),
    (lambda story: setattr(story, "live", []), {"gaps": 1}),
    (lambda story: setattr(story, "live", [*story.log, story.log[-1]]), {"gaps": 1}),
    (
        lambda story: setattr(story, "live", [replace(story.log[0], body=Unknown("other", {})), *story.log[1:]]),
        {"differing": 1},
    ),
    (lambda story: story.holes.append("oldest 3"), {"gaps": 1}),
]


@pytest.mark.parametrize(("bend", "found"), BENT_LOGS)
def test_a_log(bend: Callable[[Story], object], found: dict[str, int]) -> None:
    story = Story()
    bend(story)
    assert story.audit() == found


def test_an_execution_that_comes_to_no_end() -> None:
    story = Story()
    story.state = "waiting"
    assert story.audit() == {"unfinished": 2}


def test_a_task_that_is_gone() -> None:
    outgoing = Outgoing("t1", "s1", 1, "another task", "t1", "k1")
    [finding] = audit([Acknowledged(outgoing, str(_id(1)), 1, {}, 0.0, 0.0)], [], [])
    assert (finding.category, finding.where) == (Category.LOST, "another task")
