"""What an execution's event log says so far. Pure: events go in, states and what is worth telling come out."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

import orjson

from baton.cli.view.happenings import (
    Answered,
    Asked,
    Ended,
    Happening,
    Noted,
    Said,
    Started,
    ToolUsed,
)
from baton.cli.view.task import TaskView
from baton.client.schemas.base import Json
from baton.client.schemas.executions import ExecutionOut
from baton.client.shapes import Event
from baton.domain.conversation import Question
from baton.domain.events import EventType
from baton.domain.states import ExecutionState, TaskState


class Board:
    """The state of an execution, folded from its events, in order, from the first one on.

    ``seq`` is the number of the last event that was applied.
    """

    def __init__(self, execution: ExecutionOut) -> None:
        self.execution_id = str(execution.id)
        self.title = execution.title
        self.is_plan = execution.kind == "plan"
        self.state = ExecutionState.PENDING
        self.seq = 0
        self.started_at: datetime | None = None
        self.now: datetime | None = None  #: the server's time, by its latest event
        self.tasks: dict[str, TaskView] = {
            str(task.id): TaskView(str(task.id), task.position, task.title, tuple(task.depends_on))
            for task in sorted(execution.tasks, key=lambda task: task.position)
        }

    def apply(self, event: Event) -> list[Happening]:
        """Take in the next event; return what is to be told, in order. An unknown event changes states only."""
        self.seq, self.now = event.seq, event.at
        if self.started_at is None:
            self.started_at = event.at
        if event.execution_state is not None:
            self.state = event.execution_state
        task = self.tasks.get(event.task_id or "")
        if task is None:
            return []
        was = task.state
        if event.task_state is not None:
            task.state = event.task_state
        happenings = list(self._told(task, event))
        happenings += _state_changed(task, was, event)
        return happenings

    def _told(self, task: TaskView, event: Event) -> Iterable[Happening]:
        data = event.data
        match event.type:
            case EventType.TEXT_DELTA:
                task.text += str(data.get("text") or "")
            case EventType.STEP_STARTED:
                task.text = ""
            case EventType.STEP_VOIDED:
                if task.text:
                    yield Noted(task, "starts this step again; what it had said is void")
                task.text = ""
            case EventType.STEP_COMPLETED:
                text = str(data.get("text") or "")
                task.text = ""
                if text.strip():
                    yield Said(task, text, cut_off=bool(data.get("interrupted")))
            case EventType.STEP_FAILED:
                if data.get("retrying"):  # else the end of the task tells it
                    code = _code(data.get("code")) or "an error"
                    yield Noted(task, f"attempt {data.get('attempt')} failed ({code}); it is tried again")
            case EventType.TOOL_STARTED:
                if data.get("name") != "ask_user":
                    yield ToolUsed(task, str(data.get("name")), data.get("arguments"))
            case EventType.QUESTION_ASKED:
                question = _question(data)
                task.questions[question.id] = question
                yield Asked(task, question)
            case EventType.APPROVAL_ASKED:
                call = f"{data.get('tool')} {orjson.dumps(data.get('arguments')).decode()}"
                yield Noted(task, f"needs consent: baton approve {data.get('approval_id')} (calls {call})")
            case EventType.APPROVAL_DECIDED:
                yield Noted(task, f"the call of {data.get('tool')} was {data.get('decision')} by {data.get('by')}")
            case EventType.MESSAGE_ACCEPTED:
                yield from _accepted(task, data)
            case EventType.MESSAGE_WITHDRAWN:
                yield from _withdrawn(task, data)
            case EventType.MESSAGE_EDITED:
                yield Noted(task, "a message was edited before it was read")
            case EventType.MESSAGE_REDRIVEN:
                task.queued.add(int(data.get("seq") or 0))
                yield Noted(task, "a message that was not delivered is sent again")
            case EventType.MESSAGES_DEAD:
                task.queued.difference_update(_numbers(data))
                yield Noted(task, f"messages were not delivered: {data.get('reason')}")
            case EventType.TURN_STARTED:
                task.queued.difference_update(_numbers(data))
                if task.started_at is None:
                    task.started_at = event.at
            case EventType.TURN_ENDED:
                task.text = ""
                if task.state is TaskState.SUCCEEDED:
                    task.result = data.get("result")
                if task.state is TaskState.FAILED:
                    task.error = _code(data.get("error"))
            case EventType.TASK_FAILED:
                task.error = _code(data.get("code"))
            case _:
                pass


def _state_changed(task: TaskView, was: TaskState, event: Event) -> Iterable[Happening]:
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
            yield Started(task, again=was is not TaskState.PENDING)
    elif task.state is TaskState.PENDING:
        task.ended_at = task.started_at = task.result = task.error = None
        yield Noted(task, "waits for its dependencies again")
    elif task.state is TaskState.PAUSED:
        yield Noted(task, "is paused")
    elif task.state.is_over:
        task.ended_at = event.at
        task.questions.clear()
        yield Ended(task, task.state, task.result, task.error)


def _accepted(task: TaskView, data: dict[str, Any]) -> Iterable[Happening]:
    answers: list[str] = data.get("answers") or []
    for question_id in answers:
        task.questions.pop(question_id, None)
    task.queued.add(int(data.get("seq") or 0))
    yield Answered(task, str(data.get("text") or ""), tuple(answers), str(data.get("sender")))


def _withdrawn(task: TaskView, data: dict[str, Any]) -> Iterable[Happening]:
    """The task is what it was before the message: what that answered is asked again."""
    task.queued.discard(int(data.get("seq") or 0))
    yield Noted(task, "a message was withdrawn")
    if task.state is TaskState.SUCCEEDED:
        task.result = data.get("result")
    if task.state is TaskState.FAILED:
        task.error = _code(data.get("error"))
    for question in map(_question, data.get("questions") or ()):
        if question.id not in task.questions:
            task.questions[question.id] = question
            yield Asked(task, question)


def _question(data: Json) -> Question:
    """The question in `question.asked`, or one of those in `message.withdrawn`."""
    question_id = str(data.get("question_id") or data.get("id") or "")
    return Question(question_id, str(data.get("text") or ""), tuple(data.get("choices") or ()), data.get("schema"))


def _numbers(data: dict[str, Any]) -> set[int]:
    return {int(message["seq"]) for message in data.get("messages") or ()}


def _code(error: Any) -> str | None:
    """An error's stable code, whether it comes alone or in an object."""
    if isinstance(error, dict):
        error = cast("Json", error).get("code")
    return str(error) if error else None
