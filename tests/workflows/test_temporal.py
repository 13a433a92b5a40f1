"""Is a Temporal that is away told apart from one that refuses?"""

from dataclasses import replace
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from baton.domain.errors import Unavailable
from baton.domain.ids import TaskById, TaskRoute, whole_tenant
from baton.service.doorbell import Doorbell
from baton.service.explain import explain_task
from baton.service.metadata import Describing
from baton.service.namespace import ensure_namespace
from baton.service.runs import task_of_workflow
from baton.service.sweeper import Sweeper
from baton.service.temporal import Temporal, TemporalRefused, connect
from tests.support.api import NOWHERE
from tests.support.system import System, eventually, running_system
from tests.support.temporal import RunningTemporal
from workflows.contracts import plan_workflow_id, task_workflow_id


async def impossible(system: System) -> TaskRoute:
    """A route whose queue Temporal takes from nobody."""
    task = await system.start("!say x")
    return replace(await system.baton.routes.find(whole_tenant(system.who.tenant_id), TaskById(task)), queue="q" * 5000)


async def test_a_call_that_temporal_refuses_is_no_outage(system: System, caplog: pytest.LogCaptureFixture) -> None:
    temporal, route = Temporal(system.temporal.client, 5, Describing()), await impossible(system)
    with pytest.raises(TemporalRefused) as refused:
        await temporal.ring_task(replace(route, task_id=uuid4()), 1, 1)
    assert refused.value.status == "INVALID_ARGUMENT"
    doorbell = Doorbell(temporal, 1)
    assert await doorbell.ring_task(replace(route, task_id=uuid4()), 1, 1) is False
    assert "INVALID_ARGUMENT" in caplog.text
    await doorbell.close()


async def test_nobody_there_is_an_outage(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOWHERE)
    temporal = Temporal(await connect(lazy=True), 5, Describing())
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


@pytest.mark.parametrize("missing", ["namespace", "search attributes"])
async def test_what_is_missing_in_temporal_is_said_in_its_own_words(
    database_url: str,
    temporal_server: RunningTemporal,
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = f"{missing.replace(' ', '-')}-{uuid4()}"
    if missing == "search attributes":
        await ensure_namespace(await Client.connect(temporal_server.address, namespace=name))
        await eventually(lambda: _is_known(temporal_server, name))
    monkeypatch.setenv("TEMPORAL_NAMESPACE", name)
    said = "is not found" if missing == "namespace" else "BatonTenant"
    async with running_system(database_url, temporal_server, workers=False) as alone:
        task = await alone.start("!say hello")
        await eventually(lambda: _is_logged(caplog, said))
        why = await explain_task(alone.baton, alone.who, TaskById(task))
        assert why.reasons[0].code == "temporal_refuses"
        assert said in why.reasons[0].text
        found = await alone.baton.health.look()
        assert (found.ready, found.status, found.is_well("namespace", "search_attributes")) == (True, "degraded", False)
        assert any(said in check.said for check in found.checks)
        assert said not in found.line, "that is for operators"
        sweeper = Sweeper(
            alone.baton.pool,
            alone.baton.temporal,
            alone.baton.runs,
            alone.baton.notifier,
            interval_seconds=1,
            silent_seconds=0,
        )
        if missing == "namespace":  # what Temporal does not know then is not lost
            async with alone.baton.pool.connection() as connection:
                await connection.execute("UPDATE tasks SET turn_open = true, turn = 1 WHERE id = $1", task)
            with pytest.raises(Unavailable, match=said):
                await sweeper.sweep()
            assert (await alone.row(task))["state"] == "running"


async def _is_known(temporal: RunningTemporal, namespace: str) -> bool:
    client = await Client.connect(temporal.address, namespace=namespace)
    try:
        await client.count_workflows("WorkflowId = ''")
    except RPCError:
        return False
    return True


async def _is_logged(caplog: pytest.LogCaptureFixture, said: str) -> bool:
    return any("was not rung" in line and said in line for line in caplog.text.splitlines())
