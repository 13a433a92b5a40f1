"""A worker that stops asks for nothing more, and waits for what it has asked for."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, cast

from temporalio.worker import SlotPermit

from activities.slots import Slots


@dataclass
class Context:
    """What the SDK says of a request for tasks, or of a slot."""

    is_sticky: bool = False
    permit: SlotPermit = field(default_factory=SlotPermit)


def given(sticky: bool = False, permit: SlotPermit | None = None) -> Any:
    return cast("Any", Context(sticky, permit or SlotPermit()))


async def test_there_are_as_many_slots_as_were_said() -> None:
    slots = Slots(2)
    first, _ = await slots.reserve_slot(given()), slots.try_reserve_slot(given())
    assert slots.try_reserve_slot(given()) is None
    waiting = asyncio.create_task(slots.reserve_slot(given()))
    await asyncio.sleep(0)
    assert not waiting.done()
    await asyncio.to_thread(slots.release_slot, given(permit=first))  # the SDK calls from threads of its own
    assert await waiting


async def test_closing_waits_for_the_requests_under_way_alone() -> None:
    slots = Slots(5)
    asks, at_work, asks_sticky = [await slots.reserve_slot(given(sticky)) for sticky in (False, False, True)]
    slots.mark_slot_used(given(permit=at_work))
    slots.close()
    closing = asyncio.create_task(slots.answered(30))
    await asyncio.sleep(0)
    assert slots.try_reserve_slot(given()) is None, "nothing is asked for any more"
    assert slots.try_reserve_slot(given(sticky=True)) is not None, "but for what the cache holds"
    assert not closing.done()
    await asyncio.to_thread(slots.mark_slot_used, given(permit=asks))
    assert await closing is True
    slots.close(sticky=True)
    closing = asyncio.create_task(slots.answered(30, sticky=True))
    await asyncio.sleep(0)
    assert not closing.done()
    slots.release_slot(given(permit=asks_sticky))  # nothing came
    assert await closing is True


async def test_closing_waits_no_longer_than_it_may() -> None:
    slots = Slots(5)
    await slots.reserve_slot(given())
    slots.close()
    assert await slots.answered(0.01) is False


async def test_closing_waits_while_something_comes() -> None:
    slots = Slots(3)
    permits = [await slots.reserve_slot(given()) for _ in range(3)]
    slots.close()
    began = time.monotonic()
    closing = asyncio.create_task(slots.answered(30, quiet=0.5))
    for permit in permits[:2]:
        await asyncio.sleep(0.1)
        slots.mark_slot_used(given(permit=permit))
    assert await closing is False, "one is left"
    assert time.monotonic() - began > 0.65


async def test_who_waits_for_a_slot_gets_none_after_the_end() -> None:
    slots = Slots(1)
    permit = await slots.reserve_slot(given())
    waiting = asyncio.create_task(slots.reserve_slot(given()))
    slots.close()
    slots.release_slot(given(permit=permit))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()
