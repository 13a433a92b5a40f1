"""The gate before a deploy: what runs is replayed against the code that is to come."""

from baton.service.replays import Replayed, Replays, shapes
from tests.support.changed_workflows import ChangedPlanWorkflow, ChangedTaskWorkflow
from tests.support.system import System, eventually
from workflows.contracts import PLAN_WORKFLOW, TASK_WORKFLOW


async def replay(system: System, replays: Replays) -> list[Replayed]:
    client = system.temporal.client
    return [one async for one in replays.of_namespace(client, 50, system.queue)]


async def test_runs_of_every_shape_are_replayed(system: System) -> None:
    waiting = await system.start('!ask {"question": "Which?", "deadline_seconds": 600, "default": "this"}')
    holding = await system.start("!tool clock {}", await system.agent("clock", policies={"*": "ask"}))
    plan = await system.start_plan(("!ask go?", ()), ("!ask on?", (1,)))
    for task in (waiting, holding):
        await system.until(task, "waiting")
    await _listed(system, {f"task-{waiting}", f"task-{holding}", f"plan-{plan}"})

    found = {one.workflow_id: one for one in await replay(system, Replays())}
    assert {one.error for one in found.values()} == {""}
    assert found[f"task-{waiting}"].shape == (TASK_WORKFLOW, "waiting", ("timer",))
    assert found[f"task-{holding}"].state == "waiting"
    assert found[f"plan-{plan}"].workflow == PLAN_WORKFLOW

    changed = await replay(system, Replays((ChangedTaskWorkflow, ChangedPlanWorkflow)))
    assert len(changed) >= 3
    assert all(one.error.startswith("NonDeterminismError") for one in changed)
    assert sum(len(shape.failed) for shape in shapes(changed)) == len(changed)


async def _listed(system: System, ids: set[str]) -> None:
    """Wait until Temporal lists these, and those of them that are tasks as waiting."""

    async def there() -> bool:
        rest = f"(BatonState = 'waiting' OR WorkflowType = '{PLAN_WORKFLOW}')"
        query = f"TaskQueue = '{system.queue}' AND ExecutionStatus = 'Running' AND {rest}"
        return ids <= {run.id async for run in system.temporal.client.list_workflows(query)}

    await eventually(there)
