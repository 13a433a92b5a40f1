"""A task as a view holds it."""

from dataclasses import dataclass, field
from datetime import datetime

from baton.domain.conversation import Question
from baton.domain.states import TaskState


@dataclass(slots=True)
class BoardTask:
    """A task as the events so far have it. ``text`` is what its step under way has streamed, ``reasoning`` what
    its model has thought aloud before that."""

    id: str
    position: int
    title: str
    depends_on: tuple[int, ...] = ()
    agent: str = ""  #: its agent's name, where that is not the execution's
    state: TaskState = TaskState.PENDING
    text: str = ""
    reasoning: str = ""
    questions: dict[str, Question] = field(default_factory=dict[str, Question])  #: those that are open
    asked: dict[str, Question] = field(default_factory=dict[str, Question])  #: all that it ever asked
    queued: set[int] = field(default_factory=set[int])  #: messages that no turn has taken up yet
    started_at: datetime | None = None
    waiting_since: datetime | None = None
    ended_at: datetime | None = None
    result: str | None = None
    error: str | None = None

    @property
    def saying(self) -> str:
        """What is to be seen of its step under way: the answer, and until there is one the reasoning."""
        return self.text.strip() or self.reasoning.strip()

    def begin_text(self) -> None:
        """Nothing has been streamed: a step begins, ends or begins again."""
        self.text = self.reasoning = ""
