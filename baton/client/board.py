"""What an execution's event log says so far. Pure: events go in, states and what is worth telling come out."""

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

import orjson

from baton.client.board_task import BoardTask
from baton.client.happenings import (
    Answered,
    Began,
    Ended,
    Happening,
    Noted,
    QuestionOpened,
    Said,
    ToolUsed,
)
from baton.client.schemas.executions import ExecutionOut
from baton.domain import events
from baton.domain.conversation import Usage
from baton.domain.events import Event
from baton.domain.json import JsonValue
from baton.domain.results import as_text
from baton.domain.states import ExecutionState, TaskState


class Board:
    """The state of an execution, folded from its events, in order, from the first one on.

    ``seq`` is the number of the last event that was applied, ``used`` what all steps so far have used.
    """

    def __init__(self, execution: ExecutionOut) -> None:
        self.execution_id = str(execution.id)
        self.title = execution.title
        self.is_plan = execution.kind == "plan"
        self.state = ExecutionState.PENDING
        self.seq = 0
        self.started_at: datetime | None = None
        self.used = Usage()
        self.now: datetime | None = None  #: the server's time, by its latest event
        self.tasks: dict[str, BoardTask] = {
            str(task.id): BoardTask(
                str(task.id),
                task.position,
                task.title,
                tuple(task.depends_on),
                agent=task.agent.name if task.agent.id != execution.agent.id else "",
            )
            for task in sorted(execution.tasks, key=lambda task: task.position)
        }

    def apply(self, event: Event) -> list[Happening]:
        """Take in the next event; return what is to be told, in order. An unknown event changes states only."""
        self.seq, self.now = event.seq, event.at
        if self.started_at is None:
            self.started_at = event.at
        if event.execution_state is not None:
            self.state = event.execution_state
        match event.body:
            case events.StepCompleted(usage=Usage() as used) | events.StepFailed(usage=Usage() as used):
                self.used += used
            case events.StepUsed(usage=used) | events.ContextCompacted(usage=Usage() as used):
                self.used += used
            case _:
                pass
        task = self.tasks.get(str(event.task_id))
        if task is None:
            return []
        was = task.state
        if event.task_state is not None:
            task.state = event.task_state
        happenings = list(self._told(task, event))
        happenings += _state_changed(task, was, event)
        return happenings

    def _told(self, task: BoardTask, event: Event) -> Iterable[Happening]:
        match body := event.body:
            case events.TextDelta(text=text):
                task.text += text
            case events.ReasoningDelta(text=text):
                task.reasoning += text
            case events.StepStarted():
                task.begin_text()
            case events.StepVoided():
                if task.text:
                    yield Noted(task, "restarted this step; its earlier text no longer counts")
                task.begin_text()
            case events.StepCompleted(text=text, interrupted=interrupted, refused=refused):
                task.begin_text()
                if text.strip():
                    yield Said(task, text, cut_off=interrupted)
                if refused:
                    yield Noted(task, f"that is not a valid result ({refused})")
            case events.StepFailed(attempt=attempt, code=code, retrying=retrying):
                if retrying:  # else the end of the task tells it
                    yield Noted(task, f"attempt {attempt} failed ({code}); retrying")
            case events.ContextCompacted(left_out=left):
                yield Noted(task, f"the agent reads a summary of what was said up to turn {left.last_turn}")
            case events.ContextRestored():
                yield Noted(task, "a summary was undone: the agent reads again what it stood for")
            case events.ToolStarted(name=name, arguments=arguments, attempt=attempt):
                if attempt > 1:
                    yield Noted(task, f"calls {name} again (attempt {attempt})")
                elif name != "ask_user":
                    yield ToolUsed(task, name, arguments)
            case events.ToolCompleted(name=name, content=content, failed=failed):
                if failed:
                    yield Noted(task, f"the call of {name} failed: {content}")
            case events.QuestionAsked():
                question = body.question
                task.questions[question.id] = task.asked[question.id] = question
                yield QuestionOpened(task, question)
            case events.ApprovalAsked(approval_id=approval_id, tool=tool, arguments=arguments):
                call = f"{tool} {orjson.dumps(arguments).decode()}"
                yield Noted(task, f"needs consent: baton approve {approval_id} (calls {call})")
            case events.ApprovalDecided(tool=tool, decision=decision, by=by):
                yield Noted(task, f"the call of {tool} was {decision} by {by}")
            case events.MessageAccepted(seq=seq, text=text, answers=answers, sender=sender):
                for question_id in answers:
                    task.questions.pop(question_id, None)
                task.queued.add(seq)
                yield Answered(task, text, answers, sender)
            case events.MessageWithdrawn():
                yield from _withdrawn(task, body)
            case events.MessageEdited():
                yield Noted(task, "a message was edited before it was read")
            case events.MessagePinned(pinned=pinned):
                yield Noted(task, "a message was pinned" if pinned else "a message was unpinned")
            case events.MessageRedriven(seq=seq):
                task.queued.add(seq)
                yield Noted(task, "an undelivered message was sent again")
            case events.MessagesDead(messages=messages, reason=reason):
                task.queued.difference_update(message.seq for message in messages)
                yield Noted(task, f"messages were not delivered: {reason}")
            case events.TurnStarted(messages=messages):
                task.queued.difference_update(message.seq for message in messages)
                if task.started_at is None:
                    task.started_at = event.at
            case events.TurnEnded(result=result, error=error):
                task.begin_text()
                _over(task, result, error)
            case events.TaskFailed(code=code):
                task.error = code
            case (
                events.ExecutionCreated()
                | events.ExecutionChanged()
                | events.TaskStarted()
                | events.TasksStarted()
                | events.TaskReset()
                | events.TaskPaused()
                | events.TaskResumed()
                | events.TaskCancelled()
                | events.TaskRepaired()
                | events.WorkflowLost()
                | events.WorkflowReplaced()
                | events.StepUsed()
                | events.NoteWritten()
                | events.QuestionReminded()
                | events.QuestionEscalated()
                | events.Unknown()
            ):
                pass  # states tell it
            case _:
                assert_never(body)


def _state_changed(task: BoardTask, was: TaskState, event: Event) -> Iterable[Happening]:
    if task.state is was:
        return
    if task.state is TaskState.WAITING:
        task.waiting_since = event.at
        return
    task.waiting_since = None
    if task.state is TaskState.RUNNING:
        if task.started_at is None:
            task.started_at = event.at
        task.ended_at = task.result = task.error = None
        if was in (TaskState.PENDING, TaskState.PAUSED) or was.is_over:
            yield Began(task, again=was is not TaskState.PENDING)
    elif task.state is TaskState.PENDING:
        task.ended_at = task.started_at = task.result = task.error = None
        yield Noted(task, "is waiting for its dependencies again")
    elif task.state is TaskState.PAUSED:
        yield Noted(task, "is paused")
    elif task.state.is_over:
        task.ended_at = event.at
        task.questions.clear()
        yield Ended(task, task.state, task.result, task.error)


def _withdrawn(task: BoardTask, body: events.MessageWithdrawn) -> Iterable[Happening]:
    """The task is what it was before the message: what that answered is asked again."""
    task.queued.discard(body.seq)
    yield Noted(task, "a message was withdrawn")
    _over(task, body.result, body.error)
    known = task.asked | {asked.question_id: asked.question for asked in body.questions}
    for question_id in (*body.open_questions, *(asked.question_id for asked in body.questions)):
        if question_id not in task.questions and question_id in known:
            task.questions[question_id] = known[question_id]
            yield QuestionOpened(task, known[question_id])


def _over(task: BoardTask, result: JsonValue, error: str | None) -> None:
    if task.state is TaskState.SUCCEEDED:
        task.result = as_text(result)
    if task.state is TaskState.FAILED:
        task.error = error
