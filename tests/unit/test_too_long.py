"""Whether long texts may be shortened: once somebody has been asked, and has not said to stop."""

import pytest

from baton.domain.allowance import Asked
from baton.domain.too_long import TRANSCRIPT, WINDOW, longer_than_limit, longer_than_window, may_shorten, stopped_by


@pytest.mark.parametrize(
    ("asked", "turn", "may", "stops"),
    [
        ((), 2, False, None),
        ((Asked(WINDOW, None, None),), 2, False, None),
        ((Asked(WINDOW, "Go on", 2),), 2, True, None),
        ((Asked(TRANSCRIPT, "be brief", 2),), 5, True, None),
        ((Asked(WINDOW, "Stop", 2),), 2, False, WINDOW),
        ((Asked(WINDOW, "Stop", 2),), 3, True, None),
        ((Asked("max_calls", "Go on", 2),), 2, False, None),
    ],
)
def test_by_what_was_answered(asked: tuple[Asked, ...], turn: int, may: bool, stops: str | None) -> None:
    assert (may_shorten(asked, turn), stopped_by(asked, turn)) == (may, stops)


def test_what_is_asked_says_what_takes_how_much() -> None:
    text = longer_than_window([("the task", 100), ("pinned messages", 0), ("messages", 3 * 2**20)])
    assert "(the task 100 bytes, messages 3 MiB)" in text
    assert "9.8 KiB at most" in longer_than_limit(20_000, 10_000)
