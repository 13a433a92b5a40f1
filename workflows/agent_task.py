"""The agent loop: a turn at a time, woken by doorbells. What it does next is PostgreSQL's word, not its own."""

import asyncio
from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows.activities import failure_code, is_undone, start_step, write, write_typed
    from workflows.callers import caller
    from workflows.contracts import (
        FAILED,
        TASK,
        TASK_WORKFLOW,
        TOOLS,
        AgentTaskStart,
        CallRef,
        CancelTask,
        Outcome,
        Ring,
        StepRef,
        TaskStatus,
        ToolRef,
        TurnFailed,
        cancel_task,
        fail_turn,
        model_step,
        tick,
        tool_step,
    )
    from workflows.handlers import TolerantWorkflow, refuse, signal, typed_key, update
    from workflows.progress import Progress
    from workflows.typed import (
        Answer,
        AnswerReceipt,
        Decide,
        DecisionReceipt,
        TypedDecision,
        TypedMessage,
        TypedOutcome,
        accept_message,
        decide_approvals,
    )

BATON_STATE = SearchAttributeKey.for_keyword("BatonState")
#: What is told beside a question or an approval to those who look at it in Temporal.
_HOW: Final = (
    "Whoever has a key of the tenant with `tasks:send` may answer. From here: More Actions, Send Update; `answer` "
    'takes `"ANSWER"`, `decide` takes `{"decision": "approve"}`.'
)
#: What a person can do about a task that rests without a question.
_NEXT: Final = {
    "paused": "It goes on after a message, or a resume.",
    "failed": "`baton explain` says why. A message reopens it.",
    "succeeded": "A message reopens it.",
    "cancelled": "That is final.",
}


@workflow.defn(name=TASK_WORKFLOW)
class AgentTaskWorkflow(TolerantWorkflow):
    """One task's agent, from its first turn to its end; a message after that starts another run under the same id."""

    @workflow.init
    def __init__(self, start: AgentTaskStart) -> None:
        self._ref = start.ref
        self._label = start.label
        self._fails = start.fails
        self._failure = FAILED
        self._progress = Progress(start.progress)
        self._typing = asyncio.Lock()
        self._cancelled = False
        self._steps: list[workflow.ActivityHandle[Outcome]] = []

    @workflow.run
    async def run(self, start: AgentTaskStart) -> str:
        """Serve the task until it is over. Returns its state, or fails with the code of why the task failed."""
        try:
            return await self._serve()
        except (asyncio.CancelledError, ActivityError) as error:
            if not is_cancelled_exception(error):
                raise
            await asyncio.shield(self._cancel())
            raise

    async def _serve(self) -> str:
        progress = self._progress
        while True:
            if self._cancelled:
                return await self._cancel()
            if progress.is_working or progress.should_look:
                if not progress.is_working:
                    progress.look()
                self._roll_over()
                self.show(f"{self._label}: at work on turn {progress.state.turn}. There is nothing to answer.")
                await self._step()
            else:
                self._show()
                if progress.state.state in ("succeeded", "failed", "cancelled"):
                    if workflow.all_handlers_finished():
                        return self._end()
                    await workflow.wait_condition(lambda: workflow.all_handlers_finished() or self._is_wanted())
                    continue
                self._roll_over()
                await self._rest()

    def _end(self) -> str:
        """The end of the run, which looks like that of the task: a failure is one in Temporal, too."""
        state = self._progress.state.state
        if state == "failed" and self._fails:
            raise ApplicationError("the task failed", type=self._failure, non_retryable=True)
        return state

    async def _rest(self) -> None:
        """Wait for somebody to ring, or for a question's time to come."""
        wake_at = self._progress.state.wake_at
        if wake_at is None:
            await workflow.wait_condition(self._is_wanted)
            return
        try:
            await workflow.wait_condition(self._is_wanted, timeout=max(0.0, wake_at - workflow.time()))
        except TimeoutError:
            self._progress.saw(await write(tick, self._ref), workflow.time())

    def _is_wanted(self) -> bool:
        return self._cancelled or self._progress.should_look

    async def _step(self) -> None:
        """Take the step that is due, and make the tool calls that it asks for."""
        state = self._progress.state
        ref = StepRef(self._ref, state.turn, state.step)
        outcome = await self._run([start_step(model_step, ref, f"turn {ref.turn} · step {ref.step}")], ref)
        while outcome is not None and outcome.next == TOOLS and not self._cancelled:
            ref = StepRef(self._ref, outcome.turn, outcome.step)
            outcome = await self._run([self._start_tool(ref, call) for call in outcome.calls], ref)
        if outcome is not None:
            self._progress.saw(outcome, workflow.time())

    def _start_tool(self, ref: StepRef, call: CallRef) -> workflow.ActivityHandle[Outcome]:
        return start_step(tool_step, ToolRef(ref.ref, ref.turn, ref.step, call.id), call.name)

    async def _run(self, steps: list[workflow.ActivityHandle[Outcome]], ref: StepRef) -> Outcome | None:
        """Wait for activities; the outcome that PostgreSQL gave last. A failure for good ends the turn.

        None: they were cancelled and have decided nothing. What is due is done again, and sees the interrupt itself.
        """
        self._steps = steps
        results = await asyncio.gather(*steps, return_exceptions=True)
        self._steps = []
        for result in results:
            if isinstance(result, ActivityError) and not is_undone(result):
                self._failure = failure_code(result)
                return await write(fail_turn, TurnFailed(ref.ref, ref.turn, ref.step, self._failure))
            if isinstance(result, BaseException) and not isinstance(result, ActivityError):
                raise result
        outcomes = [result for result in results if isinstance(result, Outcome)]
        return max(outcomes, key=lambda outcome: (outcome.seq, outcome.next != TOOLS)) if outcomes else None

    def _interrupt(self) -> None:
        if self._cancelled or self._progress.interrupts_this_turn:
            for step in self._steps:
                step.cancel()

    async def _cancel(self) -> str:
        outcome = await write(cancel_task, CancelTask(self._ref, self._progress.state.turn))
        self._progress.saw(outcome, workflow.time())
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome.state

    def _show(self) -> None:
        """Show the state that the task rests in, and what it waits for, to those who look into Temporal."""
        state = self._progress.state
        if workflow.info().typed_search_attributes.get(BATON_STATE) != state.state:
            workflow.upsert_search_attributes([BATON_STATE.value_set(state.state)])  # pyright: ignore[reportUnknownMemberType]
        if state.details:
            self.show(f"{self._asked}\n\n{_HOW}")
        else:
            code = f" ({self._failure})" if state.state == "failed" else ""
            self.show(f"{self._label}: {state.state}{code}. {_NEXT.get(state.state, '')}")

    @property
    def _asked(self) -> str:
        return self._progress.state.details.replace(TASK, self._ref.task)

    def _roll_over(self) -> None:
        """Continue as new between steps, well before the limits; what was heard goes along."""
        state = self._progress.state
        if not workflow.info().is_continue_as_new_suggested() or self._cancelled:
            return
        if workflow.all_handlers_finished():
            workflow.continue_as_new(AgentTaskStart(self._ref, self._label, state, self._fails))

    @signal
    def doorbell(self, ring: Ring) -> None:
        """Not for people: Baton rings it, and the workflow looks into the database."""
        self._progress.heard(ring.seq, ring.interrupt, unheard=ring.unheard)
        self._interrupt()

    @signal
    async def user_message(self, text: str) -> None:
        """Send the task a message, as by REST. Input: "text". The update `answer` answers, and tells of a refusal.

        Accepted at once, whatever the agent does, in the order of what was typed; then it is a doorbell.
        """
        async with self._typing:
            self._progress.state.typed += 1
            outcome = await self._accept(TypedMessage(*self._plan, typed_key(self._progress.state.typed), text))
        if outcome.refused:
            self.drop("signal user_message", outcome.refused)

    @signal
    async def decide(self, decision: Decide) -> None:
        """Decide on tool calls. Input as for the update `decide`, which tells of a refusal."""
        outcome = await self._decide(decision)
        if outcome.refused:
            self.drop("signal decide", outcome.refused)

    @signal
    def cancel(self) -> None:
        """Cancel the task for good, without input. Its open questions close, its unread messages are dead."""
        self._cancelled = True
        self._interrupt()

    @update("answer")
    async def answer(self, answer: str | Answer) -> AnswerReceipt:
        """Answer what the task asks. Input: "text". Returns a receipt, or fails and says why nothing was stored."""
        given = Answer(answer) if isinstance(answer, str) else answer
        key = typed_key()
        async with self._typing:
            outcome = await self._accept(
                TypedMessage(*self._plan, key, given.text, question=given.question_id, answers=True)
            )
        refuse(outcome)
        return AnswerReceipt(outcome.message, outcome.state, outcome.seq)

    @update("decide")
    async def decide_now(self, decision: Decide) -> DecisionReceipt:
        """Decide on tool calls. Input: {"decision": "approve"}, or "decline" with "reason"; "approval_id" for one."""
        outcome = await self._decide(decision)
        refuse(outcome)
        return DecisionReceipt(outcome.approvals, outcome.state, outcome.seq)

    @property
    def _plan(self) -> tuple[str, str]:
        return self._ref.tenant, self._ref.execution

    async def _accept(self, message: TypedMessage) -> TypedOutcome:
        message.task, message.sender = self._ref.task, caller()
        outcome = await write_typed(accept_message, message)
        self._progress.heard(outcome.seq, 0)
        return outcome

    async def _decide(self, decision: Decide) -> TypedOutcome:
        turn = self._progress.state.turn
        async with self._typing:
            typed = TypedDecision(self._ref, decision.decision, decision.reason, decision.approval_id, turn, caller())
            outcome = await write_typed(decide_approvals, typed)
            self._progress.heard(outcome.seq, 0)
        return outcome

    @workflow.query(description="Where the task stands, and what it asks.")
    def status(self) -> TaskStatus:
        """Where the task stands, for people and programs that have Temporal alone."""
        state = self._progress.state
        return TaskStatus(state.state, state.turn, state.step, state.seq, self._asked, self.dropped, self.notice)
