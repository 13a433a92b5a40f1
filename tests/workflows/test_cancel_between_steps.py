"""A cancel that comes while a model step ends: none of the calls that the step asked for is made after it."""

from uuid import uuid4

from temporalio import activity
from temporalio.worker import Worker

from tests.support.temporal import RunningTemporal
from workflows.agent_task import AgentTaskWorkflow
from workflows.contracts import (
    REST,
    TOOLS,
    AgentTaskStart,
    CallRef,
    CancelTask,
    Outcome,
    ProgressState,
    StepRef,
    TaskRef,
    ToolRef,
)
from workflows.runner import sandbox


class Steps:
    """Activities of a task whose model asks for a call just as its workflow is told to cancel."""

    def __init__(self, temporal: RunningTemporal) -> None:
        self._temporal = temporal
        self.called: list[str] = []

    @activity.defn(name="model_step")
    async def model_step(self, step: StepRef) -> Outcome:
        """Ends with a call, having heard of no cancel: it does not beat."""
        workflow_id = activity.info().workflow_id
        assert workflow_id is not None
        await self._temporal.client.get_workflow_handle(workflow_id).signal("cancel")
        return Outcome(TOOLS, step.turn, step.step, 1, "running", [CallRef("call", "refund")])

    @activity.defn(name="tool_step")
    async def tool_step(self, call: ToolRef) -> Outcome:
        """Makes the call."""
        self.called.append(call.call)
        return Outcome(REST, call.turn, 0, 2, "succeeded")

    @activity.defn(name="cancel_task")
    async def cancel_task(self, cancelled: CancelTask) -> Outcome:
        """Cancels the task."""
        return Outcome(REST, cancelled.turn, 0, 3, "cancelled")


async def test_no_call_is_made_after_a_cancel(temporal_server: RunningTemporal) -> None:
    steps, queue = Steps(temporal_server), f"cancel-{uuid4()}"
    ref = TaskRef(str(uuid4()), str(uuid4()), str(uuid4()))
    async with Worker(
        temporal_server.client,
        task_queue=queue,
        workflows=[AgentTaskWorkflow],
        activities=[steps.model_step, steps.tool_step, steps.cancel_task],
        workflow_runner=sandbox(),
    ):
        state = await temporal_server.client.execute_workflow(
            AgentTaskWorkflow.run,
            AgentTaskStart(ref, progress=ProgressState(heard=1)),
            id=f"cancel-{ref.task}",
            task_queue=queue,
        )
    assert state == "cancelled"
    assert steps.called == []
