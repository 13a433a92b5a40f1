"""Every route of every dialect at once, on the same tasks: nothing is lost, doubled, stuck or counted wrong."""

import asyncio
import time
from pathlib import Path

import asyncpg
import pytest

from tests.faults.storm import Storm
from tests.support.stack import running_stack

_CLIENTS = 8
_KILL_EVERY_SECONDS = 20.0
#: A worker that was killed is missed after its steps' heartbeats.
_SETTLING_SECONDS = 240.0


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seconds", "kills"),
    [
        (15, False),
        pytest.param(300, False, marks=pytest.mark.faults),
        pytest.param(300, True, marks=pytest.mark.faults),
    ],
)
async def test_a_storm_over_all_dialects(seconds: float, kills: bool, tmp_path: Path) -> None:
    async with (
        running_stack(tmp_path / "data") as stack,
        asyncpg.create_pool(stack.ready["postgres_dsn"], min_size=1, max_size=3) as pool,
    ):
        storm = Storm(stack, pool, seed=1, faults=kills)
        until = time.monotonic() + seconds
        blowing = asyncio.create_task(storm.blow(seconds, _CLIENTS))
        while kills and time.monotonic() < until:
            await asyncio.sleep(_KILL_EVERY_SECONDS)
            await stack.kill_and_wait("worker")
        await blowing
        await storm.settle(_SETTLING_SECONDS)
        wrong = await storm.wrong()
        calls = sum(storm.statuses.values())
        by_status = {
            status: sum(n for (_, one), n in storm.statuses.items() if one == status)
            for status in sorted({status for _, status in storm.statuses})
        }
        print(f"{calls} calls, {len(storm.accepted)} messages accepted, {by_status}")
        assert wrong == [], "\n".join(wrong)
        assert "Traceback" not in stack.log("api") + stack.log("worker")
