"""What the tasks of the load are, and what is said to them. Pure: the seed decides everything.

Agents run the scripted model (`baton.agents.scripted`): what it says, and in which order, shows what it has read. The
texts keep to what it acknowledges in the order of reading: a message that asks goes only to a task that has one sender.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from typing import Final

from baton.client.schemas.base import Json
from baton.domain.states import SendMode

#: What an agent says of a message: this, and the message's token.
SAID: Final = "You said: "


class Kind(StrEnum):
    """How a task lives."""

    ASKING = "asking"  #: waits for its first message
    STREAMING = "streaming"  #: is at work for long, and is told to work longer; also interrupted
    REOPENED = "reopened"  #: is over at once, and reopened by each message
    INTERVIEW = "interview"  #: asks again after each answer; one sender answers, one question at a time
    PLANNED = "planned"  #: a task of a plan: the first one asks, the others depend on it

    @property
    def asks(self) -> bool:
        """Whether an execution of this kind begins with a question."""
        return self in (Kind.ASKING, Kind.INTERVIEW, Kind.PLANNED)


_FIRST: Final = {
    Kind.ASKING: "!ask Shall we begin?",
    Kind.STREAMING: "!stream 300",
    Kind.REOPENED: f"!say {SAID}here",
    Kind.INTERVIEW: "!ask Who is there?",
}
_PLAN: Final = ("!ask Shall the plan begin?", "!results", "!stream 40\n!results")
_NEEDS: Final = ((), (1,), (1, 2))
_CYCLE: Final = (Kind.ASKING, Kind.STREAMING, Kind.REOPENED, Kind.INTERVIEW, Kind.PLANNED)


@dataclass(frozen=True, slots=True)
class Plot:
    """An execution to be started, with ``size`` tasks."""

    kind: Kind
    size: int

    def request(self, title: str, agent: str | None) -> Json:
        """The body of `POST /executions`."""
        chosen: Json = {"agent": int(agent) if agent.isdecimal() else agent} if agent else {}
        if self.kind is not Kind.PLANNED:
            return {"prompt": _FIRST[self.kind], "title": title, **chosen}
        tasks = [
            {"id": n + 1, "title": f"{title}, {n + 1}", "description": _PLAN[n], "depends_on": list(_NEEDS[n])}
            for n in range(self.size)
        ]
        return {"plan": {"title": title, "tasks": tasks}, **chosen}


def plots(tasks: int) -> list[Plot]:
    """Executions with ``tasks`` tasks in all, of every kind in turn."""
    found: list[Plot] = []
    left = tasks
    for kind in cycle(_CYCLE):
        if not left:
            return found
        size = min(len(_PLAN), left) if kind is Kind.PLANNED else 1
        found.append(Plot(kind, size))
        left -= size
    raise AssertionError("a cycle does not end")


@dataclass(frozen=True, slots=True)
class Line:
    """A message of the load: to which task (its index), what, how. ``twice``: how it is sent again on purpose."""

    task: int
    token: str
    text: str
    mode: SendMode = SendMode.QUEUE
    twice: "Twice | None" = None


class Twice(StrEnum):
    """When a message is sent a second time under its key, though all is well."""

    TOGETHER = "together"  #: side by side with the first
    AFTERWARDS = "afterwards"  #: as soon as the first is answered


def lines(kinds: Sequence[Kind], senders: int, messages: int, seed: int) -> list[list[Line]]:
    """What each sender sends, in order. ``kinds``: of each task. An interview is one sender's alone."""
    interviews = [task for task, kind in enumerate(kinds) if kind is Kind.INTERVIEW]
    others = [task for task, kind in enumerate(kinds) if kind is not Kind.INTERVIEW]
    found: list[list[Line]] = []
    for sender in range(senders):
        dice = random.Random(f"{seed}/{sender}")  # noqa: S311 (no secret)
        mine = others + [task for n, task in enumerate(interviews) if n % senders == sender]
        count = messages // senders + (sender < messages % senders)
        found.append(
            [_line(dice, task := dice.choice(mine), kinds[task], f"s{sender}-{n}") for n in range(1, count + 1)]
            if mine
            else []
        )
    return found


def _line(dice: random.Random, task: int, kind: Kind, token: str) -> Line:
    chance = dice.random()
    twice = Twice.TOGETHER if chance < 0.1 else Twice.AFTERWARDS if chance < 0.2 else None
    return Line(task, token, _text(dice, kind, token), _mode(dice, kind), twice)


def _text(dice: random.Random, kind: Kind, token: str) -> str:
    """Much of it takes a while, as models do: so that a fault finds steps under way."""
    chance = dice.random()
    said = f"!say {SAID}{token}"
    if kind is Kind.INTERVIEW:
        return f"!sleep 0.3\n{said}\n!ask And what follows {token}?"
    if kind is Kind.STREAMING:
        return f"!stream {dice.randint(50, 250)}\n{said}" if chance < 0.6 else token
    if chance < 0.05:
        return f"!fail 1 once\n{said}"
    if chance < 0.1:
        return f"{said}\n!tool clock {{}}"
    return f"!sleep {dice.uniform(0.2, 0.8):.1f}\n{said}" if chance < 0.6 else token


def _mode(dice: random.Random, kind: Kind) -> SendMode:
    """Mostly `queue`. Only a streaming task is interrupted: what is left of a `!fail` cut short is not known."""
    chance = dice.random()
    if kind is Kind.STREAMING and chance < 0.15:
        return SendMode.INTERRUPT
    return SendMode.REJECT if chance > 0.9 and kind is not Kind.INTERVIEW else SendMode.QUEUE
