"""A million events are pruned beside a load: nobody waits for it long, and nothing else goes. Prints what it cost."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from baton.service.pruning import Keep, Pruned, Pruner
from tests.dialects.requests import start_task
from tests.support.api import RunningApi, running_api
from tests.support.postgres import PostgresServer

#: Half of the events are of tasks that messages come in for meanwhile, half of executions that are over.
_LIVE, _STEPS_OF_LIVE = 20, 125
_OVER, _STEPS_OF_OVER = 10, 250
#: Events of a step: 199 pieces, and the one that says that it is completed.
_OF_STEP = 200
_SENDERS, _PAUSE_SECONDS, _SETTLED_SECONDS = 4, 0.02, 10.0

_FILL_STEPS = """
INSERT INTO steps (tenant_id, task_id, turn, step, first_event, state)
SELECT t.tenant_id, t.id, n, 0, e.event_seq + (n - 1) * $3::integer, 'recorded'
  FROM tasks t JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id,
       generate_series(1, $2::integer) n
 WHERE t.id = ANY ($1::uuid[])
"""
_FILL_EVENTS = """
INSERT INTO events (tenant_id, execution_id, seq, type, task_id, position, data, at)
SELECT t.tenant_id, t.execution_id, e.event_seq + n,
       CASE n % $3::integer WHEN 0 THEN 'step.completed' ELSE 'text.delta' END, t.id, 1,
       jsonb_build_object('turn', (n - 1) / $3::integer + 1, 'step', 0, 'attempt', 1, 'text', 'some words of text'),
       now() - interval '40 days'
  FROM tasks t JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id,
       generate_series(1, $2::integer * $3::integer) n
 WHERE t.id = ANY ($1::uuid[])
"""
_FILL_HEADS = """
UPDATE executions SET event_seq = event_seq + $2::integer, created_at = created_at - interval '40 days'
 WHERE id IN (SELECT execution_id FROM tasks WHERE id = ANY ($1::uuid[]))
"""


async def fill(dsn: str, tasks: Sequence[UUID], steps: int, *, over: bool) -> None:
    """Give tasks so many finished steps of long ago."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_FILL_STEPS, tasks, steps, _OF_STEP)
        await connection.execute(_FILL_EVENTS, tasks, steps, _OF_STEP, timeout=300)
        await connection.execute(_FILL_HEADS, tasks, steps * _OF_STEP)
        if over:
            await connection.execute(
                "UPDATE tasks SET state = 'succeeded', ring_at = NULL, unclaimed = 0 WHERE id = ANY ($1::uuid[])", tasks
            )
            await connection.execute(
                "UPDATE executions SET state = 'succeeded', ring_at = NULL, completed_at = created_at"
                " WHERE id IN (SELECT execution_id FROM tasks WHERE id = ANY ($1::uuid[]))",
                tasks,
            )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


class Load:
    """Senders, each with its pause, and what each send took."""

    def __init__(self, api: RunningApi, tasks: Sequence[UUID]) -> None:
        self._http = [api.http for _ in range(_SENDERS)]
        self._tasks = tasks
        self.seconds: list[float] = []
        self.statuses: set[int] = set()

    async def run(self) -> None:
        """Send until it is cancelled."""
        await asyncio.gather(*(self._send(number) for number in range(_SENDERS)))

    async def _send(self, number: int) -> None:
        while True:
            for task in self._tasks[number::_SENDERS]:
                began = time.perf_counter()
                answer = await self._http[number].post(f"/baton/v1/tasks/{task}/messages", json={"text": "hello"})
                self.seconds.append(time.perf_counter() - began)
                self.statuses.add(answer.status_code)
                await asyncio.sleep(_PAUSE_SECONDS)

    def taken(self) -> str:
        """What sends took since the last time that this was asked."""
        seconds, self.seconds = self.seconds, []
        cut = statistics.quantiles(seconds, n=100)
        return f"{len(seconds)} sends, p50 {cut[49] * 1000:.1f} ms, p99 {cut[98] * 1000:.1f} ms"


async def count_waits(dsn: str, waits: list[float]) -> None:
    """Look for statements that wait for locks, and for how long they have, every 10 ms until it is cancelled."""
    connection = await asyncpg.connect(dsn)
    statement = (
        "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float8 FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    try:
        while True:
            waits.append(await connection.fetchval(statement))
            await asyncio.sleep(0.01)
    finally:
        await connection.close()


@pytest.mark.faults
@pytest.mark.timeout(900)
async def test_a_million_events_are_pruned_beside_a_load(postgres: PostgresServer) -> None:
    dsn = await postgres.create_database()
    async with running_api(dsn) as api:
        created = [await start_task(api.http) for _ in range(_LIVE + _OVER)]
        tasks = [UUID(execution["tasks"][0]["id"]) for execution in created]
        live, over = tasks[:_LIVE], tasks[_LIVE:]
        await fill(dsn, live, _STEPS_OF_LIVE, over=False)
        await fill(dsn, over, _STEPS_OF_OVER, over=True)
        load, waits, total = Load(api, live), list[float](), Pruned()
        sending = asyncio.create_task(load.run())
        await asyncio.sleep(_SETTLED_SECONDS / 4)
        load.taken()
        await asyncio.sleep(_SETTLED_SECONDS)
        print(f"\nbefore: {load.taken()}")
        counting = asyncio.create_task(count_waits(dsn, waits))
        pruner = Pruner(api.pool, Keep(timedelta(days=30), timedelta(days=30)))
        began = time.monotonic()
        batches = 0
        async for pruned in pruner.prune(await api.tenant_id()):
            total += pruned
            batches += 1
        took = time.monotonic() - began
        print(f"during: {load.taken()}")
        counting.cancel()
        await asyncio.sleep(_SETTLED_SECONDS)
        print(f"after:  {load.taken()}")
        sending.cancel()
        await asyncio.gather(sending, counting, return_exceptions=True)
        waited = [seconds for seconds in waits if seconds > 0]
        print(f"pruned: {total} in {batches} transactions and {took:.1f} s")
        print(f"locks:  {len(waited)} of {len(waits)} looks saw somebody wait, {max(waits) * 1000:.1f} ms at most")
        assert load.statuses == {202}
        assert (total.executions, total.deltas) == (_OVER, _LIVE * _STEPS_OF_LIVE * (_OF_STEP - 1))
        assert total.events >= _OVER * _STEPS_OF_OVER * _OF_STEP
        assert max(waits) < 1.0
        async with api.pool.connection() as connection:
            left = await connection.fetchval("SELECT count(*) FROM events WHERE type = 'text.delta'")
            deadlocks = await connection.fetchval(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            )
        assert (left, deadlocks) == (0, 0)
    await postgres.drop_database(dsn)
