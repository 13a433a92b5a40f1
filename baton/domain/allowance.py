"""What an agent may spend on a task, and how long it bears with a provider that is away.

Reaching a limit kills nothing: the task asks whether to go on, and each "go on" allows as much again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from baton.domain.json import JsonObject

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
CALLS_PER_TURN: Final = 50
"""What `max_calls_per_turn` is where the agent does not say."""
PATIENCE_SECONDS: Final = 4 * 3600.0
"""What `patience_seconds` is where the agent does not say."""

PATIENCE: Final = "patience_seconds"
PREFIX: Final = "baton:"
"""How the call's id of a question begins that no model has asked; what follows is the limit's name."""
GO_ON: Final = "Go on"
STOP: Final = "Stop"
_STOPS: Final = frozenset({STOP.casefold(), "no", "n"})


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


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that a limit has raised before, and the answer, None where it got none. ``turn``: the one that read
    the answer."""

    limit: str
    answer: str | None
    turn: int | None

    @property
    def stops(self) -> bool:
        """Whether the answer was to stop. Anything else that was said goes on."""
        return self.answer is not None and self.answer.strip().rstrip(".!").casefold() in _STOPS


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that is reached. ``question``: what the task asks now, None where the answer was to stop."""

    limit: str
    question: str | None


def reached(limits: JsonObject, spent: Spent, asked: Sequence[Asked], turn: int) -> Reached | None:
    """The first limit that forbids another call of the model in ``turn``, or None."""
    used = {
        "max_turns": spent.turns - 1,
        "max_calls": spent.calls,
        "max_calls_per_turn": spent.calls_in_turn,
        "max_tokens": spent.tokens,
        "max_usd": spent.usd,
        "max_seconds": spent.seconds,
    }
    for name, amount in used.items():
        each = _limit(limits, name)
        if each is None:
            continue
        grants = 0 if name == "max_calls_per_turn" else sum(_goes_on(one) for one in asked if one.limit == name)
        allowed = each * (1 + grants)
        if amount < allowed:
            continue
        if told_to_stop(asked, name, turn):
            return Reached(name, None)
        used_up = f"Used {_amount(name, amount)} of {_amount(name, allowed)}."
        return Reached(name, f"{used_up} Go on with {_more(name, each)}?")
    return None


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
    last = next((one for one in reversed(asked) if one.limit == limit), None)
    return last is not None and last.stops and last.turn == turn


def _goes_on(asked: Asked) -> bool:
    return asked.answer is not None and not asked.stops


def _limit(limits: JsonObject, name: str) -> float | None:
    value = limits.get(name)
    if isinstance(value, int | float):
        return value
    return CALLS_PER_TURN if name == "max_calls_per_turn" else None


_UNITS: Final = {
    "max_turns": "turns",
    "max_calls": "model calls",
    "max_calls_per_turn": "model calls in this turn",
    "max_tokens": "tokens",
}


def _amount(name: str, value: float) -> str:
    match name:
        case "max_usd":
            return f"{dollars(value)} USD"
        case "max_seconds":
            return _duration(value)
        case _:
            return f"{value:,.0f} {_UNITS[name]}"


def _more(name: str, each: float) -> str:
    amount = _amount(name, each)
    return f"{amount.partition(' ')[0]} more" if name != "max_seconds" else f"{amount} more"


def _duration(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"
