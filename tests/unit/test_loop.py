"""Does background work go on, whatever happens to it, and end when it is told?"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from baton.domain.errors import Unavailable
from baton.runtime import loop as loop_module
from baton.runtime.loop import Loop

_NEVER = 3600.0
_SOON = 0.001


class Work:
    """Counts its calls; what is in ``fate`` happens to them, one after the other, then nothing does."""

    def __init__(self, *fate: BaseException | Callable[[], Awaitable[object]] | None) -> None:
        self.calls = 0
        self.fate = list(fate)
        self._called = asyncio.Condition()

    async def __call__(self) -> None:
        async with self._called:
            self.calls += 1
            self._called.notify_all()
        fate = self.fate.pop(0) if self.fate else None
        if isinstance(fate, BaseException):
            raise fate
        if fate is not None:
            await fate()

    async def until(self, calls: int) -> None:
        async with asyncio.timeout(10), self._called:
            await self._called.wait_for(lambda: self.calls >= calls)


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """What was logged at a level, the first line of each."""
    return [record.getMessage().splitlines()[0] for record in caplog.records if record.levelno == level]


async def test_it_works_again_and_again() -> None:
    work = Work()
    async with Loop("counter", _SOON, work):
        await work.until(3)


async def test_the_first_call_comes_after_the_interval_or_at_once() -> None:
    late, prompt = Work(), Work()
    async with Loop("late", _NEVER, late), Loop("prompt", _NEVER, prompt, at_once=True):
        await prompt.until(1)
        assert late.calls == 0


async def test_it_is_woken_early() -> None:
    for every in (_NEVER, None):
        work = Work()
        async with Loop("sleeper", every, work) as loop:
            for n in range(1, 4):
                loop.wake()
                await work.until(n)


async def test_what_wakes_it_during_a_call_brings_about_one_more() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        begun.set()
        await go_on.wait()

    work = Work(hold)
    async with Loop("worker", None, work, at_once=True) as loop:
        await begun.wait()
        for _ in range(5):
            loop.wake()
        go_on.set()
        await work.until(2)
        for _ in range(20):
            await asyncio.sleep(0)
        assert work.calls == 2


async def test_an_outage_is_one_warning_however_long_and_its_end_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    away = [Unavailable("the database cannot be reached") for _ in range(5)]
    work = Work(*away[:3], None, *away[3:])
    async with Loop("relay", _SOON, work):
        await work.until(8)  # the seventh has ended then
    assert said(caplog, logging.WARNING) == ["relay waits: the database cannot be reached"] * 2
    assert said(caplog, logging.INFO) == ["relay goes on"] * 2
    assert said(caplog, logging.ERROR) == []


async def test_an_error_that_nobody_foresaw_is_logged_without_its_words_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Work(ValueError("what a user wrote"), KeyError("what a user wrote"))
    async with Loop("sweeper", _SOON, work):
        await work.until(4)
    assert said(caplog, logging.ERROR) == [
        "sweeper failed, retrying: ValueError",
        "sweeper failed, retrying: KeyError",
    ]
    assert "__call__" in caplog.text  # where it came from
    assert "what a user wrote" not in caplog.text


async def test_one_that_failed_is_tried_again_after_its_own_time_and_not_sooner_for_being_woken() -> None:
    work = Work(*(Unavailable("away") for _ in range(100)))
    async with Loop("reader", None, work, retry_seconds=0.05, at_once=True) as loop:
        began = asyncio.get_running_loop().time()
        while work.calls < 4:
            loop.wake()
            await asyncio.sleep(0)
        assert asyncio.get_running_loop().time() - began >= 3 * 0.05


async def test_a_cancellation_that_was_not_meant_for_it_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def await_what_is_given_up() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    work = Work(await_what_is_given_up)
    async with Loop("relay", _SOON, work):
        await work.until(3)
    assert said(caplog, logging.ERROR) == ["relay failed, retrying: CancelledError"]


async def test_closing_cancels_a_call_under_way_and_waits_for_its_end(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    async def hold() -> None:
        try:
            await asyncio.sleep(_NEVER)
        finally:
            await asyncio.sleep(_SOON)
            ended.append("cleanly")

    work = Work(hold)
    loop = Loop("worker", _SOON, work, at_once=True)
    loop.start()
    await work.until(1)
    await loop.close()
    await loop.close()
    assert (ended, work.calls, caplog.records) == (["cleanly"], 1, [])


async def test_it_ends_even_if_the_work_swallows_the_cancellation() -> None:
    async def hold() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(_NEVER)

    work = Work(hold)
    loop = Loop("worker", _NEVER, work, at_once=True)
    loop.start()
    await work.until(1)
    async with asyncio.timeout(10):
        await loop.close()
    assert work.calls == 1


async def test_one_that_was_never_started_is_closed() -> None:
    await Loop("idle", None, Work()).close()


async def test_a_loop_that_does_not_succeed_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "_LATE_SECONDS", 0.02)
    monkeypatch.setattr(loop_module, "_LATE_INTERVALS", 1.0)
    work = Work(*(RuntimeError() for _ in range(1000)))
    async with Loop("relay", _SOON, work) as loop:
        await work.until(3)
        async with asyncio.timeout(10):
            while not _is_late(loop):
                await asyncio.sleep(_SOON)
        assert not loop.is_dead
        work.fate.clear()
        async with asyncio.timeout(10):
            while _is_late(loop):
                await asyncio.sleep(_SOON)


def _is_late(loop: Loop) -> bool:
    return loop.late_seconds is not None


async def test_a_loop_that_waits_to_be_woken_is_never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "_LATE_SECONDS", 0.0)
    async with Loop("doorbell", None, Work()) as loop:
        await asyncio.sleep(0.01)
        assert loop.late_seconds is None


async def test_a_loop_is_dead_whose_call_hangs_or_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "_HANGS_SECONDS", 0.01)
    work = Work(asyncio.Event().wait)
    async with Loop("sweeper", _SOON, work, at_once=True) as loop:
        await work.until(1)
        async with asyncio.timeout(10):
            while not loop.is_dead:
                await asyncio.sleep(_SOON)
    assert not loop.is_dead, "it was closed"
