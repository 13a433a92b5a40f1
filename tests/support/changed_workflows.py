"""Workflow code of another version, which cannot replay what ours has recorded, nor ours what it has."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.agent_task import AgentTaskWorkflow
    from workflows.contracts import PLAN_WORKFLOW, TASK_WORKFLOW, AgentTaskStart, PlanStart
    from workflows.plan import PlanWorkflow


@workflow.defn(name=TASK_WORKFLOW)
class ChangedTaskWorkflow(AgentTaskWorkflow):
    """Sets a timer before all else."""

    @workflow.init
    def __init__(self, start: AgentTaskStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: AgentTaskStart) -> str:
        await workflow.sleep(timedelta(milliseconds=1))
        return await super().run(start)


@workflow.defn(name=PLAN_WORKFLOW)
class ChangedPlanWorkflow(PlanWorkflow):
    """Sets a timer before all else."""

    @workflow.init
    def __init__(self, start: PlanStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: PlanStart) -> str:
        await workflow.sleep(timedelta(milliseconds=1))
        return await super().run(start)
