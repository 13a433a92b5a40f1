"""Does a window count what falls into it, and is it forgotten when it is over?"""

from hypothesis import given
from hypothesis import strategies as st

from baton.domain.quota import WINDOW_SECONDS
from baton.service.windows import Counted, Windows


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 40)), max_size=80))
def test_a_window_counts_what_falls_into_it(hits: list[tuple[str, float]]) -> None:
    clock = Clock()
    counted = Windows(clock)
    opened: dict[str, tuple[float, int]] = {}
    for key, later in hits:
        clock.now += later
        began, count = opened.get(key, (float("-inf"), 0))
        if clock.now >= began + WINDOW_SECONDS:
            began, count = clock.now, 0
        opened[key] = began, count + 1
        assert counted.count(key) == Counted(count + 1, began + WINDOW_SECONDS - clock.now)


def test_memory_is_bounded_by_the_keys_in_use() -> None:
    clock = Clock()
    counted, in_a_window = Windows(clock), round(WINDOW_SECONDS / 0.1)
    for n in range(20 * in_a_window):
        clock.now += 0.1
        counted.count(str(n))
        assert len(counted) <= in_a_window + 1
    assert counted.count("x").requests == 1
