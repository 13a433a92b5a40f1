"""What a stopping worker does with its steps."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from temporalio.testing import ActivityEnvironment

import worker
from activities.interrupts import Interrupts
from activities.serving import Stop, stop_workers
from activities.slots import WorkerSlots
from activities.sticky import StickyQueue
from baton.domain.ids import StepKey
from tests.support.system import System, eventually, running_system
from tests.support.temporal import RunningTemporal
from tests.support.tools import calls_of

KEY = StepKey(uuid4(), uuid4(), uuid4(), 1, 1)


@asynccontextmanager
async def a_worker(system: System, queue: str) -> AsyncGenerator[asyncio.Event]:
    """A worker that stops when its event is set."""
    stop = asyncio.Event()
    serving = asyncio.create_task(worker.serve(system.baton.settings, queue, stop=stop))
    try:
        yield stop
        await asyncio.wait_for(serving, 30)
    finally:
        stop.set()
        await asyncio.gather(serving, return_exceptions=True)


async def test_a_long_step_runs_elsewhere_and_a_short_one_ends(
    database_url: str, temporal_server: RunningTemporal
) -> None:
    tools = ("tests.support.tools",)
    async with running_system(
        database_url, temporal_server, workers=False, tools_modules=tools, worker_drain_seconds=1.0
    ) as system:
        agent = await system.agent("linger")
        async with a_worker(system, system.queue) as stop:
            long = await system.start('!tool linger {"seconds": 500}', agent)
            await eventually(lambda: _has_called(long, 1))
            async with a_worker(system, system.queue) as stop_other:
                short = await system.start('!tool linger {"seconds": 0.5}\n!finish done', agent)
                await eventually(lambda: _has_called(short, 1))
                stop.set()
                await eventually(lambda: _has_called(long, 2), 10)
                await system.until(short, "succeeded")
                assert len(calls_of(short)) == 1
                handle = system.temporal.client.get_workflow_handle(f"task-{long}")
                (step,) = (await handle.describe()).raw_description.pending_activities
                assert step.attempt == 2
                stop_other.set()


async def test_an_idle_worker_ends_the_requests_to_its_own_queue_before_it_stops(
    monkeypatch: pytest.MonkeyPatch, database_url: str, temporal_server: RunningTemporal
) -> None:
    close, ended = WorkerSlots.close, list[bool]()

    async def close_and_look(slots: WorkerSlots, seconds: float, own: StickyQueue) -> None:
        await close(slots, seconds, own)
        ended.append(await slots.turns.answered(0, sticky=True))

    monkeypatch.setattr(WorkerSlots, "close", close_and_look)
    async with running_system(database_url, temporal_server, workers=False, worker_drain_seconds=2.0) as system:
        async with a_worker(system, system.queue) as stop:
            await system.until(await system.start("!ask Go on?"), "waiting")
            stop.set()
        assert ended == [True], "what they were answered with meanwhile would have been lost"


async def test_a_step_that_has_run_for_long_is_handed_over_before_a_short_one() -> None:
    interrupts = Interrupts()

    async def step() -> None:
        with interrupts.reaching(KEY) as reach:
            await reach.run(asyncio.Event().wait())

    long = asyncio.create_task(ActivityEnvironment().run(step))
    await asyncio.sleep(0.2)
    short = asyncio.create_task(ActivityEnvironment().run(step))
    await asyncio.sleep(0)
    interrupts.hand_over_long(0.2)
    with pytest.raises(asyncio.CancelledError):
        await long
    assert not short.done()
    interrupts.hand_over()
    with pytest.raises(asyncio.CancelledError):
        await short


async def test_one_process_serves_several_queues(database_url: str, temporal_server: RunningTemporal) -> None:
    queues = (f"one-{uuid4()}", f"two-{uuid4()}")
    async with running_system(database_url, temporal_server, workers=False, worker_queues=queues) as system:
        stop = asyncio.Event()
        serving = asyncio.create_task(worker.serve(system.baton.settings, stop=stop))
        for queue in queues:
            system.queue = queue
            await system.until(await system.start("!finish done"), "succeeded")
        stop.set()
        await serving


async def test_work_that_is_spared_goes_on_until_it_must_end() -> None:
    interrupts, is_dear = Interrupts(), True

    async def step() -> str:
        with interrupts.reaching(KEY) as reach:
            reach.spare(lambda: is_dear)
            try:
                await reach.run(asyncio.Event().wait())
            except asyncio.CancelledError:
                return "ends its turn" if reach.ends_turn else "left to another worker"
        return "done"

    running = asyncio.create_task(ActivityEnvironment().run(step))
    await asyncio.sleep(0.01)
    interrupts.hand_over()
    await asyncio.sleep(0.01)
    assert not running.done()
    interrupts.hand_over(even_dear=True)
    assert await running == "left to another worker"


async def test_work_that_begins_in_a_stopping_worker_is_left_to_another() -> None:
    interrupts = Interrupts()
    interrupts.hand_over()

    async def step() -> None:
        with interrupts.reaching(KEY) as reach:
            await reach.run(asyncio.Event().wait())

    with pytest.raises(asyncio.CancelledError):
        await ActivityEnvironment().run(step)


async def test_a_second_signal_ends_what_was_spared() -> None:
    told, interrupts = Stop(), Interrupts()
    left = asyncio.Event()

    class Busy:
        """A worker whose model calls take for ever, until they are left."""

        @staticmethod
        async def ask_no_more(seconds: float) -> None:
            await asyncio.sleep(seconds)

        class worker:
            @staticmethod
            async def shutdown() -> None:
                await left.wait()

    def hand_over(*, even_dear: bool = False) -> None:
        if even_dear:
            left.set()

    interrupts.hand_over = hand_over
    told.signalled()
    stopping = asyncio.create_task(stop_workers([Busy()], interrupts, told, 0.01))  # pyright: ignore[reportArgumentType]
    await asyncio.sleep(0.05)
    assert not stopping.done()
    told.signalled()
    assert await asyncio.wait_for(stopping, 10) is True


async def _has_called(task: UUID, times: int) -> bool:
    return len(calls_of(task)) >= times
