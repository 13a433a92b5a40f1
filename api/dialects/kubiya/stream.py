"""Kubiya's streams: encoders of Baton's events. Pure; the words are the vendor's, some are added where it has none.

Clients append `message_chunk` and `message` alike, so that the agent's text comes once: in chunks, which hold all of
it. An assistant's whole `message` is only what no chunk has said: what a single task asks, and what a step said whose
chunks are pruned. Where a step is tried again, `message_void` says that the chunks of that attempt do not count; the
new ones have another `message_id`. Clients stop at `error`, so that a failed step is a status with `error_message`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeAlias, assert_never
from uuid import UUID

from api.dialects.kubiya.translate import EXECUTION_STATUS, PAUSED_QUESTION, PLAN_STATUS, TASK_STATUS
from api.frames import Encoder, Frame
from baton.domain import events
from baton.domain.approvals import call_question
from baton.domain.events import Body, Event
from baton.domain.events.outcomes import TaskOutcome, outcome_of
from baton.domain.events.parts import OfStep
from baton.domain.states import ExecutionState, TaskState
from baton.service.feed import Subscription

#: What a frame says, before it is JSON.
Data: TypeAlias = dict[str, object]


def plan_encoder() -> Encoder:
    """All that happens in a plan."""
    return Encoder("kubiya.plan", _plan_frames, _plan_end, tells_waiting=True)


def task_encoder(shown_as: UUID, task_id: UUID) -> Encoder:
    """What happens to one task, which the client knows as the execution ``shown_as``."""

    def frames(_: UUID, event: Event) -> Sequence[Frame]:
        return tuple(_task_frames(str(shown_as), event)) if event.task_id == task_id else ()

    def end(subscription: Subscription) -> Frame:
        state = subscription.task_state
        return _done(subscription, str(shown_as), EXECUTION_STATUS[state] if state else "completed")

    return Encoder(f"kubiya.task:{shown_as}", frames, end, tells_waiting=True)


def plan_as_execution_encoder() -> Encoder:
    """What happens to a plan, for clients that know it as an execution."""

    def frames(execution_id: UUID, event: Event) -> Sequence[Frame]:
        return tuple(_execution_frames(str(execution_id), event))

    def end(subscription: Subscription) -> Frame:
        state = subscription.ended or ExecutionState.SUCCEEDED
        return _done(subscription, str(subscription.execution_id), EXECUTION_STATUS[state])

    return Encoder("kubiya.execution", frames, end, tells_waiting=True)


def _plan_end(subscription: Subscription) -> Frame:
    state = subscription.ended or ExecutionState.SUCCEEDED
    return _done(subscription, str(subscription.execution_id), PLAN_STATUS[state])


def _done(subscription: Subscription, execution_id: str, status: str) -> Frame:
    """The last frame, with the time of the event that it follows: whoever reads again reads the same."""
    at = subscription.last_at or datetime.now(UTC)
    return "done", {"execution_id": execution_id, "status": status, "timestamp": at.isoformat()}


def _plan_frames(execution_id: UUID, event: Event) -> Sequence[Frame]:
    """A plan's frames of one event: what happened to the task, then what follows for the plan."""
    common: Data = {"execution_id": str(execution_id), "timestamp": event.at.isoformat()}
    if event.task_id is not None:
        common["task_id"] = event.position
        common["task_execution_id"] = str(event.task_id)
    return tuple((name, common | data) for name, data in (*_task_part(event), *_plan_part(event)))


def _task_part(event: Event) -> Iterator[tuple[str, Data]]:
    match event.body:
        case events.ExecutionCreated(title=title, tasks=tasks):
            yield (
                "plan_started",
                {
                    "plan_title": title,
                    "status": "running",
                    "total_tasks": len(tasks),
                    "tasks": [
                        {
                            "task_id": task.position,
                            "task_execution_id": task.id,
                            "title": task.title,
                            "status": TASK_STATUS[TaskState.PENDING],
                        }
                        for task in tasks
                    ],
                },
            )
        case events.TaskStarted(title=title):
            yield "task_started", {"title": title, "status": TASK_STATUS[TaskState.RUNNING]}
        case events.TasksStarted(tasks=positions):
            yield "tasks_parallel", {"task_ids": positions}
        case events.TurnStarted(turn=turn):
            yield "task_running", {"status": TASK_STATUS[TaskState.RUNNING], "turn": turn}
        case events.TaskReset():
            yield "task_reset", {"status": TASK_STATUS[TaskState.PENDING]}
        case _:
            yield from _text_part(event)
    yield from _state_part(event)


def _text_part(event: Event) -> Iterator[tuple[str, Data]]:
    """What was said, by the user or by the agent."""
    body = event.body
    match body:
        case events.MessageAccepted():
            yield (
                "message",
                {
                    "role": "user",
                    "content": body.text,
                    "message_id": body.message_id,
                    "queued": body.queued,
                },
            )
        case events.TextDelta():
            yield (
                "message_chunk",
                {
                    "role": "assistant",
                    "content": body.text,
                    "message_id": _message_id(event.task_id, body, body.attempt),
                    "turn": body.turn,
                    "step": body.step,
                    "attempt": body.attempt,
                },
            )
        case events.StepCompleted(turn=turn, step=step, text=text):
            if event.pruned and text:  # no chunk says it any more
                message_id = f"{event.task_id}:{turn}.{step}"
                yield "message", {"role": "assistant", "content": text, "message_id": message_id}
        case events.StepVoided(turn=turn, step=step, attempt=attempt):
            message_id = _message_id(event.task_id, body, attempt)
            yield "message_void", {"message_id": message_id, "turn": turn, "step": step, "attempt": attempt}
        case (
            events.ExecutionCreated()
            | events.ExecutionChanged()
            | events.TaskStarted()
            | events.TasksStarted()
            | events.TaskFailed()
            | events.TaskReset()
            | events.TaskPaused()
            | events.TaskResumed()
            | events.TaskCancelled()
            | events.TaskRepaired()
            | events.WorkflowLost()
            | events.WorkflowReplaced()
            | events.MessageEdited()
            | events.MessageWithdrawn()
            | events.MessageRedriven()
            | events.MessagePinned()
            | events.MessagesDead()
            | events.TurnStarted()
            | events.TurnEnded()
            | events.StepStarted()
            | events.ReasoningDelta()
            | events.StepFailed()
            | events.StepUsed()
            | events.ToolStarted()
            | events.ToolCompleted()
            | events.NoteWritten()
            | events.ContextCompacted()
            | events.ContextRestored()
            | events.QuestionAsked()
            | events.QuestionReminded()
            | events.QuestionEscalated()
            | events.ApprovalAsked()
            | events.ApprovalDecided()
            | events.Unknown()
        ):
            pass
        case _:
            assert_never(body)


def _message_id(task_id: UUID | None, step: OfStep, attempt: int) -> str:
    """The id of what the agent says in one attempt of a step."""
    return f"{task_id}:{step.turn}.{step.step}.{attempt}"


def _asked_part(event: Event) -> Iterator[tuple[str, Data]]:
    """What a task asks, as something that the agent says: clients of single tasks read nothing else."""
    if event.task_state is TaskState.WAITING:
        content = _asked(outcome_of(event))["question"]
        if content:
            yield (
                "message",
                {"role": "assistant", "content": content, "message_id": f"{event.task_id}:asked.{event.seq}"},
            )


def _state_part(event: Event) -> Iterator[tuple[str, Data]]:
    """What a task has come to, where the event brought it there."""
    outcome = outcome_of(event)
    match event.task_state:
        case TaskState.WAITING:
            yield "task_waiting_for_input", {"status": TASK_STATUS[TaskState.WAITING], **_asked(outcome)}
        case TaskState.PAUSED:
            yield (
                "task_waiting_for_input",
                {"status": TASK_STATUS[TaskState.PAUSED], "question": PAUSED_QUESTION, "questions": []},
            )
        case TaskState.SUCCEEDED | TaskState.FAILED | TaskState.CANCELLED as state:
            yield (
                "task_completed",
                {"status": TASK_STATUS[state], "output": outcome.result, "error": _error(event.body, outcome, state)},
            )
        case TaskState.PENDING | TaskState.RUNNING | None:
            pass


def _plan_part(event: Event) -> Iterator[tuple[str, Data]]:
    """What a plan has come to, where the event brought it there."""
    state = event.execution_state
    if state is None or isinstance(event.body, events.ExecutionCreated):
        return
    status = PLAN_STATUS[state]
    yield "plan_status_update", {"status": status}
    if state in (ExecutionState.WAITING, ExecutionState.PAUSED):  # one word for both: its client is told what to do
        yield (
            "plan_waiting_for_input",
            {
                "status": status,
                "waiting_tasks": _waiting(event),
                "message": "The plan waits for input.",
            },
        )
    elif state.is_over:
        yield "plan_completed", {"status": status}


def _task_frames(shown_as: str, event: Event) -> Iterator[Frame]:
    common: Data = {"execution_id": shown_as, "timestamp": event.at.isoformat(), "task_id": event.position}
    for name, data in (*_text_part(event), *_asked_part(event)):
        yield name, common | data
    if event.task_state is not None:
        outcome = outcome_of(event)
        status: Data = {"status": EXECUTION_STATUS[event.task_state]}
        if event.task_state is TaskState.WAITING:
            status |= _asked(outcome)
        if event.task_state.is_over:
            status |= {"response": outcome.result, "error_message": _error(event.body, outcome, event.task_state)}
        yield "status", common | status


def _execution_frames(shown_as: str, event: Event) -> Iterator[Frame]:
    common: Data = {"execution_id": shown_as, "timestamp": event.at.isoformat()}
    if event.task_id is not None:
        common |= {"task_id": event.position, "task_execution_id": str(event.task_id)}
    for name, data in (*_text_part(event), *_asked_part(event)):
        yield name, common | data
    if event.execution_state is not None:
        yield "status", common | {"status": EXECUTION_STATUS[event.execution_state]}


def _asked(outcome: TaskOutcome) -> Data:
    texts = (question.text for question in outcome.questions)
    calls = (call_question(approval.tool, approval.arguments) for approval in outcome.approvals)
    return {"question": "\n".join((*texts, *calls)), "questions": outcome.questions}


def _waiting(event: Event) -> list[Data]:
    """All that the plan waits for, as its status call shows it: a message resumes a paused task."""
    waiting = [(task, task.question, task.waiting_since) for task in event.waiting]
    resumable = [(task, PAUSED_QUESTION, event.at) for task in event.paused]
    return [
        {
            "task_id": task.position,
            "execution_id": task.task_id,
            "question": question,
            "waiting_since": since,
        }
        for task, question, since in sorted((*waiting, *resumable), key=lambda entry: entry[0].position)
    ]


def _error(body: Body, outcome: TaskOutcome, state: TaskState) -> str | None:
    """Why a task has failed: in words where there are any, else a code."""
    if state is TaskState.SUCCEEDED:
        return None
    words = body.error_message if isinstance(body, events.TurnEnded) else None
    return words or outcome.error or state.value
