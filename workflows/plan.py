"""A plan: on each ring it looks at PostgreSQL, lets the tasks start whose dependencies have succeeded, and rests."""

import asyncio

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows.activities import failure_code, write, write_typed
    from workflows.callers import caller
    from workflows.contracts import (
        FAILED,
        PLAN_WORKFLOW,
        TASK,
        PlanOutcome,
        PlanStart,
        Ring,
        advance_plan,
        cancel_plan,
    )
    from workflows.handlers import TolerantWorkflow, signal, typed_key
    from workflows.typed import ContinueTask, TypedMessage, accept_message

BATON_STATE = SearchAttributeKey.for_keyword("BatonState")


@workflow.defn(name=PLAN_WORKFLOW)
class PlanWorkflow(TolerantWorkflow):
    """One execution's plan. Ends when all its tasks are over; a task that is reopened starts another run."""

    @workflow.init
    def __init__(self, start: PlanStart) -> None:
        self._start = start
        self._seen = -1
        self._state = ""
        self._over = False
        self._cancelled = False
        self._typed: list[TypedMessage] = []

    @workflow.run
    async def run(self, start: PlanStart) -> str:
        """Advance the plan until its tasks are over. Returns the execution's state, or fails if that is `failed`."""
        try:
            return await self._serve()
        except (asyncio.CancelledError, ActivityError) as error:
            if not is_cancelled_exception(error):
                raise
            await asyncio.shield(self._cancel())
            raise

    async def _serve(self) -> str:
        while True:
            if self._typed:
                await self._accept(self._typed.pop(0))
            elif self._cancelled:
                self._cancelled = False
                await self._cancel()
            elif self._start.heard > self._seen:
                self._start.heard = 0  # more than PostgreSQL has, as after a failover, is looked for once
                self._saw(await write(advance_plan, self._start, PlanOutcome))
            elif self._over:
                if self._state == "failed" and self._start.fails:
                    raise ApplicationError("a task of the plan failed", type=FAILED, non_retryable=True)
                return self._state
            else:
                if workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished():
                    workflow.continue_as_new(self._start)
                await workflow.wait_condition(
                    lambda: bool(self._typed) or self._cancelled or self._start.heard > self._seen
                )

    def _saw(self, outcome: PlanOutcome) -> None:
        self._seen, self._state, self._over = outcome.seq, outcome.state, outcome.over
        if workflow.info().typed_search_attributes.get(BATON_STATE) != outcome.state:
            workflow.upsert_search_attributes([BATON_STATE.value_set(outcome.state)])  # pyright: ignore[reportUnknownMemberType]
        self.show(outcome.details.replace(TASK, f"namespaces/{workflow.info().namespace}/workflows/task-"))

    async def _accept(self, message: TypedMessage) -> None:
        self._start.typed += 1
        message.key = typed_key(self._start.typed)
        try:
            refused = (await write_typed(accept_message, message)).refused
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            refused = failure_code(error)
        if refused:
            self.drop("signal continue_task_signal", refused)

    async def _cancel(self) -> None:
        self._saw(await write(cancel_plan, self._start, PlanOutcome))

    @signal
    def doorbell(self, ring: Ring) -> None:
        """Not for people: Baton rings it, and the workflow looks at the plan's tasks."""
        self._start.heard = max(self._start.heard, ring.seq, self._seen + 1 if ring.unheard else 0)

    @signal
    def continue_task_signal(self, sent: ContinueTask) -> None:
        """Send a message to a task. Input: {"task_id": 2, "user_message": "text"}."""
        start = self._start
        self._typed.append(
            TypedMessage(start.tenant, start.execution, "", sent.user_message, position=sent.task_id, sender=caller())
        )

    @signal
    def cancel(self) -> None:
        """Cancel all tasks of the plan for good, without input."""
        self._cancelled = True

    @workflow.query(description="The execution's state at the last look.")
    def status(self) -> str:
        """The execution's state at the last look."""
        return self._state
