"""What an agent may spend on a task, and how long it bears with a provider that is away.

Reaching a limit kills nothing: the task asks whether to go on, and each "go on" allows as much again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from baton.domain.conversation import Usage
from baton.domain.json import JsonObject
from baton.domain.plain_answers import refuses

#: The limits by name, each with whether it is a whole number. Money is US dollars, time is seconds. A task is held to
#: them: its turns, its calls of models in all and in one turn, its tokens, what they cost, and the time of its steps.
#: `patience_seconds` is for how long its steps are tried again while the provider is away.
LIMITS: Final = {
    "max_turns": True,
    "max_calls": True,
    "max_calls_per_turn": True,
    "max_tokens": True,
    "max_usd": False,
    "max_seconds": False,
    "patience_seconds": False,
}
#: Those that all tasks of a plan can share.
OF_PLANS: Final = frozenset({"max_turns", "max_calls", "max_tokens", "max_usd", "max_seconds"})
CALLS_PER_TURN: Final = 50
"""What `max_calls_per_turn` is where the agent does not say."""
PATIENCE_SECONDS: Final = 4 * 3600.0
"""What `patience_seconds` is where the agent does not say."""

NEAR_THE_END: Final = 10
"""So many calls before the end of a turn's limit that nobody has set, the model is told of it."""

PATIENCE: Final = "patience_seconds"
PREFIX: Final = "baton:"
"""How the call's id of a question begins that no model has asked; what follows are the limits' names."""
PLAN_PREFIX: Final = "baton-plan:"
"""The same for the limits of a plan."""
GO_ON: Final = "Go on"
STOP: Final = "Stop"


@dataclass(frozen=True, slots=True)
class Spent:
    """What a task has used up, failed, interrupted and repeated attempts included.

    ``calls`` are requests to models, ``calls_in_turn`` those of the turn under way; ``usd`` is what is known to have
    been charged, ``seconds`` how long its steps have taken.
    """

    turns: int = 0
    calls: int = 0
    calls_in_turn: int = 0
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0

    def after(self, usage: Usage) -> "Spent":
        """With what an attempt that is under way has used."""
        return replace(
            self,
            calls=self.calls + usage.calls,
            calls_in_turn=self.calls_in_turn + usage.calls,
            tokens=self.tokens + usage.input_tokens + usage.output_tokens,
            usd=self.usd + (usage.usd or 0.0),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that limits have raised before, and the answer, None where it got none. ``limit``: their names, joined
    by commas; ``turn``: the one that the answer is for."""

    limit: str
    answer: str | None
    turn: int | None

    @property
    def names(self) -> frozenset[str]:
        """The names of its limits."""
        return frozenset(self.limit.split(","))

    @property
    def stops(self) -> bool:
        """Whether the answer was to stop. Anything else that was said goes on."""
        return self.answer is not None and refuses(self.answer)


@dataclass(frozen=True, slots=True)
class Reached:
    """Limits that are reached, their names joined by commas. ``question``: what the task asks now, None where the
    answer was to stop."""

    limit: str
    question: str | None


def least(*bounds: JsonObject) -> JsonObject:
    """The limits that hold where all of ``bounds`` do: of each the least."""
    together: JsonObject = {}
    for limits in bounds:
        for name, value in limits.items():
            other = together.get(name)
            smaller = isinstance(other, int | float) and isinstance(value, int | float) and other <= value
            together[name] = other if smaller else value
    return together


def reached(
    limits: JsonObject, spent: Spent, asked: Sequence[Asked], turn: int, *, whose: str = "", of_task: bool = True
) -> Reached | None:
    """The limits that forbid another call of a model or a tool in ``turn``, or None.

    ``whose``: who the question says has used them, "" for nobody; ``of_task``: they are a task's, which has a limit on
    the calls in a turn in any case.
    """
    over = [one for one in _standing(limits, spent, asked, of_task=of_task) if one.used >= one.allowed]
    if not over:
        return None
    names = ",".join(one.name for one in over)
    if any(told_to_stop(asked, one.name, turn) for one in over):
        return Reached(names, None)
    used = listed([_used(one) for one in over])
    more = listed([_more(one.name, one.each) for one in over])
    told = f"{whose} has used {used}" if whose else f"Used {used}"
    return Reached(names, f"{told}. Go on with {more}?")


def left(limits: JsonObject, spent: Spent, asked: Sequence[Asked], *, of_task: bool = True) -> list[str]:
    """What is left of each limit, in words. A limit on calls in a turn that nobody has set counts near its end."""
    told = list[str]()
    for one in _standing(limits, spent, asked, of_task=of_task):
        rest = max(one.allowed - one.used, 0)
        if one.name in limits or rest <= NEAR_THE_END:
            told.append(_of(one.name, rest, one.allowed))
    return told


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a limit stands: ``each`` is what it allows at first, and again at each "go on"."""

    name: str
    used: float
    each: float
    allowed: float


def _standing(limits: JsonObject, spent: Spent, asked: Sequence[Asked], *, of_task: bool) -> Iterator[_Standing]:
    used = {
        "max_turns": spent.turns - 1,
        "max_calls": spent.calls,
        "max_calls_per_turn": spent.calls_in_turn,
        "max_tokens": spent.tokens,
        "max_usd": spent.usd,
        "max_seconds": spent.seconds,
    }
    for name, amount in used.items():
        each = _limit(limits, name) if of_task or name in limits else None
        if each is not None:
            grants = 0 if name == "max_calls_per_turn" else sum(_goes_on(one) for one in asked if name in one.names)
            yield _Standing(name, amount, each, each * (1 + grants))


def patience_seconds(limits: JsonObject) -> float:
    """How long a provider may be away before the task asks."""
    return _limit(limits, PATIENCE) or PATIENCE_SECONDS


def dollars(value: float) -> str:
    """An amount of US dollars, without the unit: with cents, or as many places as a smaller one needs to be seen."""
    places = 2 if value >= 1 else 4 if value >= 0.01 else 6
    whole, _, part = f"{value:,.{places}f}".partition(".")
    return f"{whole}.{part.rstrip('0'):0<2}"


def gone_for(seconds: float) -> str:
    """What a task asks when its patience is at its end."""
    return f"The model's provider has been away for {_duration(seconds)}. Go on trying?"


def told_to_stop(asked: Sequence[Asked], limit: str, turn: int) -> bool:
    """Whether ``turn`` begins with the answer that what ``limit`` asked last is to stop."""
    last = next((one for one in reversed(asked) if limit in one.names), None)
    return last is not None and last.stops and last.turn == turn


def _goes_on(asked: Asked) -> bool:
    return asked.answer is not None and not asked.stops


def _limit(limits: JsonObject, name: str) -> float | None:
    value = limits.get(name)
    if isinstance(value, int | float):
        return value
    return CALLS_PER_TURN if name == "max_calls_per_turn" else None


#: What is counted, for one and for several.
_UNITS: Final = {
    "max_turns": ("turn", "turns"),
    "max_calls": ("model call", "model calls"),
    "max_calls_per_turn": ("model call in this turn", "model calls in this turn"),
    "max_tokens": ("token", "tokens"),
}


def _used(one: _Standing) -> str:
    return _of(one.name, one.used, one.allowed)


def _of(name: str, part: float, whole: float) -> str:
    """So much of so much."""
    match name:
        case "max_usd":
            return f"{dollars(part)} of {dollars(whole)} USD"
        case "max_seconds":
            return f"{_duration(part)} of {_duration(whole)}"
        case _:
            return f"{part:,.0f} of {whole:,.0f} {_UNITS[name][whole != 1]}"


def _more(name: str, each: float) -> str:
    match name:
        case "max_usd":
            return f"{dollars(each)} more USD"
        case "max_seconds":
            return f"{_duration(each)} more"
        case _:
            return f"{each:,.0f} more {_UNITS[name][each != 1].removesuffix(' in this turn')}"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))


def _duration(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"
