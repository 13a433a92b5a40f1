"""Why is it waiting? What PostgreSQL and Temporal know, in an order that answers."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from baton.domain.agents import Principal
from baton.domain.errors import Unavailable
from baton.domain.explanation import Explanation, Reason
from baton.domain.ids import TaskAddress
from baton.domain.json import JsonObject
from baton.domain.states import TaskState
from baton.service.context import Baton
from baton.service.queues import is_recent, no_worker
from baton.service.runs import Pending, Stuck
from baton.service.temporal import TemporalRefused
from baton.service.visibility import find_task
from baton.store import explain
from baton.store.explain import TaskFacts
from workflows.contracts import LIMIT_WAITS, MODEL_STEP, NO_SLOT, TOOL_BUSY, plan_workflow_id, task_workflow_id

#: A model that says nothing for a shorter time is only thinking.
_QUIET_SECONDS: Final = 2.0


async def explain_task(baton: Baton, who: Principal, address: TaskAddress) -> Explanation:
    """Why a task is where it is. Raises `TaskNotFound`, and `Unavailable` while PostgreSQL is away.

    Temporal is asked, too, but not waited for longer than the configured budget.
    """
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        facts = await explain.facts(connection, who.bounds, seen.id)
    reasons = *_of_postgres(facts), *await _of_temporal(baton, facts)
    ordered = tuple(sorted(reasons, key=_is_no_obstacle))
    return Explanation(facts.id, facts.agent, facts.state, facts.version, ordered, facts.usage)


def _is_no_obstacle(reason: Reason) -> bool:
    """What stands in the way of all else comes first."""
    return reason.code not in ("workflow_stuck", "temporal_refuses", "no_slot", TOOL_BUSY)


def _of_postgres(facts: TaskFacts) -> Iterator[Reason]:
    match facts.state:
        case TaskState.PENDING:
            for needed in facts.unfinished:
                text = f"needs task {needed['position']}, which is {needed['state']}"
                yield Reason("needs_task", text, None, needed)
        case TaskState.WAITING:
            for question in facts.questions:
                since = datetime.fromisoformat(question.asked_at) if question.asked_at else facts.waiting_since
                yield Reason("asks", question.text, since, {"question_id": question.id})
            for approval in facts.approvals:
                text = f"wants to call {approval.tool}, and waits for somebody to approve or decline it"
                data: JsonObject = {"approval_id": approval.id, "tool": approval.tool, "call_id": approval.call_id}
                yield Reason("approval", text, datetime.fromisoformat(approval.asked_at), data)
        case TaskState.PAUSED:
            yield Reason("paused", "was paused: a resume or a message lets it go on", facts.updated_at)
        case TaskState.RUNNING if facts.turn_open:
            yield from _at_work(facts)
        case TaskState.RUNNING:
            yield Reason("due", f"turn {facts.turn + 1} is due; no worker has taken it up yet", facts.updated_at)
        case TaskState.FAILED:
            data = {"error": facts.error_code, "message": facts.error_message}
            text = _with(f"failed: {facts.error_code}", facts.error_message)
            yield Reason("failed", f"{text}; a message reopens it", facts.completed_at, {**data})
        case TaskState.SUCCEEDED:
            yield Reason("succeeded", "is done; a message reopens it", facts.completed_at)
        case TaskState.CANCELLED:
            yield Reason("cancelled", "was cancelled, for good", facts.completed_at)
    for call in facts.failed_calls:
        yield Reason("tool_failed", f"in this turn, a call of {call['tool']} failed: {call['message']}", data=call)
    if facts.unclaimed:
        text = f"{facts.unclaimed} message(s) wait for the next turn"
        yield Reason("queued", text, facts.oldest_unclaimed, {"messages": facts.unclaimed})
    if facts.timer_at:
        yield Reason("timer", "a question's time comes", facts.timer_at)
    if facts.rings:
        yield Reason("rung_again", f"was rung {facts.rings} times in vain; next at the time given", facts.ring_at)


def _at_work(facts: TaskFacts) -> Iterator[Reason]:
    text = f"turn {facts.turn} is under way"
    if facts.tools:
        text += f": calls {', '.join(facts.tools)}"
    elif facts.step is not None:
        text += f": step {facts.step}, attempt {facts.attempt}"
    yield Reason("turn", text, facts.step_started_at, {"turn": facts.turn, "step": facts.step})
    if facts.failures:
        text = _with(f"the model has failed {facts.failures} time(s) in this step", facts.error_message)
        yield Reason("model_failing", text, data={"failures": facts.failures, "message": facts.error_message})
    if facts.interrupted:
        yield Reason("interrupting", "the turn was asked to stop", facts.updated_at)


def _with(text: str, said: str) -> str:
    return f"{text} ({said})" if said else text


async def _of_temporal(baton: Baton, facts: TaskFacts) -> list[Reason]:
    if facts.state.is_over:
        return []
    plan = facts.state is TaskState.PENDING  # it has no workflow yet: that of its plan starts it
    workflow_id = plan_workflow_id(str(facts.execution_id)) if plan else task_workflow_id(str(facts.id))
    try:
        async with asyncio.timeout(baton.settings.temporal_budget_seconds):
            polled_at, run, _ = await asyncio.gather(
                baton.runs.last_poll(facts.queue), baton.runs.look(workflow_id), baton.temporal.check()
            )
    except (Unavailable, TimeoutError):
        return [Reason("temporal_away", "Temporal does not answer: what is accepted is kept and done when it is back")]
    except TemporalRefused as error:
        return [Reason("temporal_refuses", f"Temporal takes no rings: {error.said}", data={"said": error.said})]
    reasons = [reason for step in run.pending for reason in _step(step, facts)] if run and not plan else []
    if facts.state in (TaskState.RUNNING, TaskState.PENDING) and not is_recent(polled_at):
        reasons.insert(0, Reason("no_worker", no_worker(facts.queue), polled_at, {"queue": facts.queue}))
    if run and run.status == "running" and run.stuck:
        reasons.insert(0, _stuck(run.stuck, plan=plan, at_work=run.at_work))
    return reasons


def _stuck(stuck: Stuck, *, plan: bool, at_work: bool) -> Reason:
    then = "what is under way goes on, then another run takes its place" if at_work else "another run takes its place"
    text = f"{'of its plan: ' if plan else ''}{stuck.words}; {then}"
    data: JsonObject = {"cause": stuck.cause, "error": stuck.error, "failures": stuck.failures}
    return Reason("workflow_stuck", text, stuck.since, data)


def _step(step: Pending, facts: TaskFacts) -> Iterator[Reason]:
    yield _activity(step)
    if step.at_work and step.started_at and step.activity == MODEL_STEP and facts.turn_open and not facts.tools:
        since = max(step.started_at, facts.heard_at or step.started_at)
        silent = (datetime.now(UTC) - since).total_seconds()
        if silent >= _QUIET_SECONDS:
            yield Reason("model_silent", f"the model has been silent for {silent:.0f} s", since)


def _activity(step: Pending) -> Reason:
    if step.failure == NO_SLOT:
        text = (
            f"waits for a free slot: {step.busy} of the tenant's steps are running on a worker, and its share is used"
        )
        tried = step.next_at and step.next_at.isoformat()
        return Reason("no_slot", text, None, {"running": step.busy, "next_attempt_at": tried})
    if step.failure == LIMIT_WAITS:
        text = "waits for the answer to another task of its plan, which asks whether to go on beyond a shared limit"
        return Reason("limit", text, None, {"next_attempt_at": step.next_at and step.next_at.isoformat()})
    if step.failure == TOOL_BUSY:
        hanging = f"; {step.busy} calls of it hang there" if step.busy else ""
        tried = step.next_at and step.next_at.isoformat()
        text = f"waits for a free slot of its tool: a worker makes no more calls of it at once{hanging}"
        return Reason(TOOL_BUSY, text, None, {"hanging": step.busy, "next_attempt_at": tried})
    data = {
        "activity": step.activity,
        "attempt": step.attempt,
        "last_heartbeat": step.heartbeat_at and step.heartbeat_at.isoformat(),
        "last_failure": step.failure,
        "next_attempt_at": step.next_at and step.next_at.isoformat(),
    }
    text = f"{step.activity}, attempt {step.attempt}"
    if step.failure:
        text += f", after {step.failure}"
    if step.next_at:
        text += f"; tried again at {step.next_at:%H:%M:%S} UTC"
    if step.heartbeat_at:
        text += f"; last heard of at {step.heartbeat_at:%H:%M:%S} UTC"
    return Reason("activity", text, step.started_at, {**data})
