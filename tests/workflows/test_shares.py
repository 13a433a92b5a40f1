"""One tenant's long steps leave the others their share of a worker's slots."""

from typing import Final

from baton.domain.agents import Principal, Scope
from baton.domain.explanation import Reason
from baton.domain.ids import TaskById
from baton.service import control
from baton.service.explain import explain_task
from baton.service.tenants import ensure_tenant
from tests.support.system import Row, System, eventually, running_system
from tests.support.temporal import RunningTemporal

SLOTS: Final = 8
#: More than the slots, and than those that the worker has to spare.
SLEEPERS: Final = 20


async def of_another_tenant(system: System) -> System:
    tenant_id = await ensure_tenant(system.baton.pool, "other")
    who = Principal(tenant_id, "other", "tester", "key-of-other", frozenset({Scope.ADMIN}))
    return System(system.baton, who, system.temporal, system.queue)


async def test_steps_asleep_leave_slots_to_another_tenant_and_explain_says_who_waits(
    database_url: str, temporal_server: RunningTemporal
) -> None:
    async with running_system(database_url, temporal_server, max_concurrent_activities=SLOTS) as system:
        other = await of_another_tenant(system)
        plan = await system.start_plan(*(("!sleep 600", ()) for _ in range(SLEEPERS)))

        async def tasks(*, at_work: bool) -> list[Row]:
            return [row for row in (await system.tasks_of(plan)).values() if row["turn_open"] is at_work]

        async def share_is_used() -> bool:
            return len(await tasks(at_work=True)) == SLOTS // 2

        await eventually(share_is_used, 60)
        await other.until(await other.start("!finish hi"), "succeeded")
        assert await share_is_used()
        waiting = await tasks(at_work=False)

        async def waits_for_a_slot() -> Reason | None:
            first, *_ = (await explain_task(system.baton, system.who, TaskById(waiting[0]["id"]))).reasons
            return first if first.code == "no_slot" else None

        why = await eventually(waits_for_a_slot)
        assert why.data["running"] == SLOTS // 2
        assert f"{SLOTS // 2} of the tenant's steps are running" in why.text
        # What becomes free is taken by those who wait.
        for row in await tasks(at_work=True):
            await control.cancel(system.baton, system.who, TaskById(row["id"]))
        await eventually(share_is_used, 60)
        await control.cancel_execution(system.baton, system.who, plan)
