"""Slots that many want: does everybody find some, and does nobody who waits wait for ever?"""

import asyncio
import random

import pytest

from activities.shares import Returns
from baton.domain.errors import Unavailable
from baton.runtime.shares import Shares


def greedy(shares: Shares, *holders: str) -> dict[str, int]:
    """Let all take slots in turn until none of them gets another; what each has."""
    while sum(map(shares.take, holders)):
        pass
    return {holder: shares.held(holder) for holder in holders}


def test_one_alone_has_half_and_leaves_the_rest() -> None:
    shares = Shares(400)
    assert greedy(shares, "a") == {"a": 200}
    assert greedy(shares, "b") == {"b": 100}


def test_those_who_want_all_have_the_same() -> None:
    assert greedy(Shares(400), "a", "b", "c") == {"a": 100, "b": 100, "c": 100}


def test_the_process_itself_may_have_all() -> None:
    shares = Shares(3)
    assert [shares.take(None) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("slots", [1, 2])
def test_few_slots_are_of_use_to_one(slots: int) -> None:
    shares = Shares(slots)
    assert shares.take("a")
    shares.back("a")
    assert shares.take("a")


async def test_a_part_that_is_full_leaves_its_holders_others_alone() -> None:
    shares = Shares(16, per_part=2)
    assert [shares.take("a", "locked") for _ in range(3)] == [True, True, False]
    waiting = [asyncio.create_task(shares.wait("a", "locked")) for _ in range(40)]
    await asyncio.sleep(0)
    await asyncio.wait_for(shares.wait("a", "other"), 1)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    shares.back("a", "locked")
    assert shares.take("a", "locked")


async def test_who_waits_is_served_in_turn_and_nobody_is_passed_over() -> None:
    shares = Shares(4)
    served: list[str] = []

    async def work(holder: str) -> None:
        await shares.wait(holder)
        served.append(holder)
        await asyncio.sleep(0)
        shares.back(holder)

    many = [asyncio.create_task(work("a")) for _ in range(50)]
    await asyncio.sleep(0)
    few = [asyncio.create_task(work(name)) for name in "bcd"]
    await asyncio.wait_for(asyncio.gather(*many, *few), 5)
    assert max(map(served.index, "bcd")) < 10
    assert greedy(shares, "a") == {"a": 2}


async def test_a_line_has_an_end() -> None:
    shares = Shares(1, most_waiting=2)
    assert shares.take("a")
    waiting = [asyncio.create_task(shares.wait("a")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await shares.wait("a")
    for task in waiting:
        task.cancel()


@pytest.mark.parametrize("seed", range(5))
async def test_no_slot_is_lost_however_who_waits_is_cancelled(seed: int) -> None:
    dice = random.Random(seed)
    shares = Shares(6, per_part=2)
    done = 0

    async def work(holder: str | None, part: str | None) -> None:
        nonlocal done
        await shares.wait(holder, part)
        try:
            await asyncio.sleep(dice.random() / 1000)
        finally:
            shares.back(holder, part)
        done += 1

    tasks = [
        asyncio.create_task(work(dice.choice(["a", "b", "c", None]), dice.choice(["x", "y", None]))) for _ in range(300)
    ]
    cancelled = 0
    for task in dice.sample(tasks, 120):
        await asyncio.sleep(0)
        cancelled += task.cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
    assert done >= 300 - cancelled
    assert [shares.take(None) for _ in range(7)].count(True) == 6


def test_what_was_handed_back_comes_again_one_after_the_other() -> None:
    returns = Returns()
    pauses = [returns.pause_seconds("a", 100.0) for _ in range(200)]
    assert pauses[0] == pytest.approx(1.0)
    assert pauses[-1] == pytest.approx(1.0 + 199 / 10, abs=0.2)
    assert returns.pause_seconds("b", 100.0) == pytest.approx(1.0)
    assert max(returns.pause_seconds("a", 100.0) for _ in range(5000)) == pytest.approx(300.0)
    assert returns.pause_seconds("a", 1000.0) == pytest.approx(1.0)
