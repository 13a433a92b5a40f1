"""Is a Temporal that is away told apart from one that refuses?"""

from dataclasses import replace
from uuid import uuid4

import pytest

from baton.domain.errors import Unavailable
from baton.domain.ids import TaskById, TaskRoute
from baton.service.doorbell import Doorbell
from baton.service.runs import task_of_workflow
from baton.service.temporal import Temporal, TemporalRefused, connect
from tests.support.api import NOWHERE
from tests.support.system import System
from workflows.contracts import plan_workflow_id, task_workflow_id


async def impossible(system: System) -> TaskRoute:
    """A route whose queue Temporal takes from nobody."""
    task = await system.start("!say x")
    return replace(await system.baton.routes.find(system.who.tenant_id, TaskById(task)), queue="q" * 5000)


async def test_a_call_that_temporal_refuses_is_no_outage(system: System, caplog: pytest.LogCaptureFixture) -> None:
    temporal, route = Temporal(system.temporal.client, 5), await impossible(system)
    with pytest.raises(TemporalRefused) as refused:
        await temporal.ring_task(replace(route, task_id=uuid4()), 1, 1)
    assert refused.value.status == "INVALID_ARGUMENT"
    doorbell = Doorbell(temporal, 1)
    assert await doorbell.ring_task(replace(route, task_id=uuid4()), 1, 1) is False
    assert "INVALID_ARGUMENT" in caplog.text
    await doorbell.close()


async def test_nobody_there_is_an_outage(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOWHERE)
    temporal = Temporal(await connect(lazy=True), 5)
    with pytest.raises(Unavailable):
        await temporal.ring_task(await impossible(system), 1, 1)
    with pytest.raises(Unavailable):
        await temporal.check()


def test_ids_of_workflows_that_others_started_name_no_task() -> None:
    task = uuid4()
    assert task_of_workflow(task_workflow_id(str(task))) == task
    for foreign in (
        "",
        "task-",
        "task-x",
        plan_workflow_id(str(task)),
        f"task-{task.hex}",
        f"x-task-{task}",
        str(task),
    ):
        assert task_of_workflow(foreign) is None
