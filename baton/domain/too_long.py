"""What a task asks that has more to read than its model can: whether to go on with the longest texts shortened."""

from collections.abc import Sequence
from typing import Final

from baton.domain.allowance import Asked, told_to_stop

WINDOW: Final = "window"
"""The name of the limit that the model's window is."""
TRANSCRIPT: Final = "transcript"
"""The name of the limit on what a step loads."""

_ADVICE: Final = (
    "Unpin messages, or give the agent a model with a larger window, before you go on; what is too long then is"
    " shortened. Go on?"
)


def longer_than_window(parts: Sequence[tuple[str, int]]) -> str:
    """What a task asks whose model cannot read all of it. ``parts``: what has how many bytes."""
    listed = ", ".join(f"{name} {_size(count)}" for name, count in parts if count)
    return f"The model cannot read all of this, and no more can be left out ({listed}). {_ADVICE}"


def longer_than_limit(count: int, most: int) -> str:
    """What a task asks of which a step would load ``count`` bytes, of ``most``."""
    return (
        f"There is {_size(count)} to read, and a step reads {_size(most)} at most. If you go on, the longest texts are"
        " shortened. Go on?"
    )


def may_shorten(asked: Sequence[Asked], turn: int) -> bool:
    """Whether texts may be shortened in ``turn``: it was asked before, and the answer, if it was not to, is of an
    earlier turn. Whoever writes to a task that was stopped wants it to go on."""
    return any(
        one.limit in (WINDOW, TRANSCRIPT) and one.answer is not None and not (one.stops and one.turn == turn)
        for one in asked
    )


def stopped_by(asked: Sequence[Asked], turn: int) -> str | None:
    """The limit of which ``turn`` begins with the answer that the task is to stop there."""
    return next((name for name in (WINDOW, TRANSCRIPT) if told_to_stop(asked, name, turn)), None)


def _size(count: int) -> str:
    for unit, bytes_ in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= bytes_:
            return f"{count / bytes_:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"
