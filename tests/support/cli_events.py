"""Events for tests, in few words."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from baton.client.schemas.agents import AgentOut
from baton.client.schemas.executions import ExecutionOut
from baton.client.schemas.tasks import TaskOut
from baton.domain import events
from baton.domain.events import Body, Event
from baton.domain.events.parts import AskedQuestion, MessageRef
from baton.domain.mailbox import Ending
from baton.domain.states import ExecutionState, TaskState

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def task_id(number: int) -> UUID:
    """The id of a task."""
    return UUID(int=number)


def agent(name: str) -> AgentOut:
    """An agent, by its names."""
    return AgentOut(id=uuid5(NAMESPACE_URL, name), number=1, name=name)


def execution(*needs: Iterable[int], kind: str = "plan", agents: dict[int, str] | None = None) -> ExecutionOut:
    """An execution of tasks numbered from 1, each with what it depends on. Task N has the id `task_id(N)`; ``agents``
    are those of tasks that have others than `assistant`."""
    named = agents or {}
    tasks = tuple(
        TaskOut.model_construct(
            id=task_id(n),
            position=n,
            title=f"Task {n}",
            depends_on=list(need),
            agent=agent(named.get(n, "assistant")),
        )
        for n, need in enumerate(needs, start=1)
    )
    return ExecutionOut.model_construct(
        id="e", kind=kind, title="A plan", summary="", tasks=list(tasks), last_event=0, agent=agent("assistant")
    )


class Log:
    """Makes events, numbered, a second apart."""

    def __init__(self) -> None:
        self.seq = 0

    def __call__(
        self, body: Body, task: int | None = None, state: str | None = None, execution_state: str | None = None
    ) -> Event:
        self.seq += 1
        return Event(
            seq=self.seq,
            at=START + timedelta(seconds=self.seq),
            body=body,
            data={},
            task_id=task_id(task) if task else None,
            position=task,
            task_state=TaskState(state) if state else None,
            execution_state=ExecutionState(execution_state) if execution_state else None,
        )


CREATED: Final = events.ExecutionCreated(title="A plan")
STARTED: Final = events.TaskStarted()
STEP: Final = events.StepStarted(turn=1, step=0)


def said(text: str) -> events.StepCompleted:
    """A step that said ``text``."""
    return events.StepCompleted(turn=1, step=0, text=text)


def question(id: str, text: str = "?", choices: tuple[str, ...] = ()) -> AskedQuestion:
    """A question, as events tell it."""
    return AskedQuestion(question_id=id, text=text, choices=choices)


def asked(id: str, text: str = "?", choices: tuple[str, ...] = ()) -> events.QuestionAsked:
    """A question is asked."""
    return events.QuestionAsked(question_id=id, text=text, choices=choices)


def accepted(seq: int, text: str, *answers: str, sender: str = "ada") -> events.MessageAccepted:
    """A message is accepted; it answers the questions with these ids."""
    return events.MessageAccepted(
        message_id=UUID(int=seq), seq=seq, text=text, origin="baton", sender=sender, answers=answers
    )


def taken(*seqs: int) -> tuple[MessageRef, ...]:
    """Messages by their numbers."""
    return tuple(MessageRef(message_id=UUID(int=seq), seq=seq) for seq in seqs)


def turn(*seqs: int) -> events.TurnStarted:
    """A turn begins with these messages."""
    return events.TurnStarted(turn=1, messages=taken(*seqs))


def over(result: str | None = None, error: str | None = None) -> events.TurnEnded:
    """A turn ends."""
    ending = Ending.FAILED if error else Ending.ANSWERED
    return events.TurnEnded(turn=1, outcome=ending, result=result, error=error)


def withdrawn(
    seq: int, *questions: str, result: str | None = None, error: str | None = None
) -> events.MessageWithdrawn:
    """A message is withdrawn, so that the questions with these ids are open."""
    return events.MessageWithdrawn(
        message_id=UUID(int=seq), seq=seq, result=result, error=error, open_questions=questions
    )
