"""Does a window count what falls into it, and is it forgotten when it is over?"""

from hypothesis import given
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter

from baton.service import windows
from baton.service.windows import Windows


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
        if clock.now >= began + 60:
            began, count = clock.now, 0
        opened[key] = began, count + 1
        assert counted.incr(key, 60) == counted.get(key) == count + 1
        assert counted.get_expiry(key) == began + 60


def test_the_librarys_strategies_work_with_it() -> None:
    clock = Clock()
    limiter, two = FixedWindowRateLimiter(Windows(clock)), RateLimitItemPerMinute(2)
    assert [limiter.hit(two, "a") for _ in range(3)] == [True, True, False]
    assert limiter.hit(two, "b")
    assert limiter.get_window_stats(two, "a") == (clock.now + 60, 0)
    clock.now += 60
    assert limiter.hit(two, "a")
    limiter.clear(two, "a")
    assert limiter.get_window_stats(two, "a").remaining == 2
    assert limiter.storage.check()
    assert limiter.storage.reset() == 1


def test_memory_is_bounded_by_the_keys_in_use() -> None:
    clock = Clock()
    counted, sweep_at = Windows(clock), windows._SWEEP_AT  # pyright: ignore[reportPrivateUsage]
    for n in range(20 * sweep_at):
        clock.now += 0.1
        counted.incr(str(n), 60)
        assert len(counted._windows) <= sweep_at + 600  # pyright: ignore[reportPrivateUsage]
    counted.incr("x", 60)
    assert counted.get("x") == 1
