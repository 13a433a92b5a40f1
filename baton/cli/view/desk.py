"""The questions that wait for us: which is asked now, what was typed for each, and the sending of answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from baton.cli.view.answers import answer_to
from baton.client.board import Board
from baton.client.board_task import BoardTask
from baton.client.errors import Refused, Unreachable, UsageError
from baton.client.http import Client, SentMessage
from baton.domain.conversation import Question
from baton.domain.states import TaskState


@dataclass(slots=True)
class Ask:
    """A question at the desk. ``trouble`` says why the last answer was not taken; ``busy``: one is on its way."""

    task: BoardTask
    question: Question
    trouble: str = ""
    busy: bool = False
    sent: bool = False
    last_key: tuple[str, str] = ("", "")

    def forget_trouble(self) -> None:
        """Another answer is being typed."""
        self.trouble = ""

    def key_for(self, text: str) -> str:
        """The Idempotency-Key of this answer: the same for every attempt to send the same text."""
        if self.last_key[0] != text:
            self.last_key = (text, str(uuid4()))
        return self.last_key[1]


class Desk:
    """Queues the open questions of an execution, oldest first, and sends what is answered.

    ``prepared``: answers given in advance, by the task's position (as text) or uuid; each is used once, in order.
    """

    def __init__(self, client: Client, prepared: Mapping[str, list[str]] | None = None) -> None:
        self._client = client
        self._prepared = {task: list(answers) for task, answers in (prepared or {}).items()}
        self._asks: dict[str, Ask] = {}
        self._answered_elsewhere: set[str] = set()

    def look(self, board: Board, only: int | None = None) -> None:
        """Take in which questions are open now. ``only``: of the task at this position alone."""
        open_now = {
            question.id: (task, question)
            for task in board.tasks.values()
            if task.state is TaskState.WAITING and only in (None, task.position)
            for question in task.questions.values()
        }
        for question_id in [known for known in self._asks if known not in open_now]:
            del self._asks[question_id]
        for question_id, (task, question) in open_now.items():
            if question_id not in self._asks and question_id not in self._answered_elsewhere:
                self._asks[question_id] = Ask(task, question)

    @property
    def open(self) -> list[Ask]:
        """The questions that nothing is on its way for, in the order to be asked."""
        return [ask for ask in self._asks.values() if not ask.busy and not ask.sent]

    @property
    def current(self) -> Ask | None:
        """The question to ask now."""
        return next(iter(self.open), None)

    @property
    def sending(self) -> bool:
        """Whether an answer is on its way, or accepted and not yet seen in the event log."""
        return any(ask.busy or ask.sent for ask in self._asks.values())

    def has_sent(self, question_ids: tuple[str, ...], text: str) -> bool:
        """Whether this answer to open questions is the one that was sent from here: its event may well come before the
        answer to the send."""
        asks = [self._asks[question_id] for question_id in question_ids if question_id in self._asks]
        return any((ask.busy or ask.sent) and ask.last_key[0] == text for ask in asks)

    def turn(self, ask: Ask, *, back: bool = False) -> None:
        """Put a question last (``back``: the last one first instead); what was typed stays with it."""
        order = [other for other in self._asks.values() if other is not ask]
        if back and order:
            order = [order[-1], ask, *order[:-1]]
        elif ask.question.id in self._asks:
            order.append(ask)
        self._asks = {other.question.id: other for other in order}

    @property
    def has_prepared(self) -> bool:
        """Whether an open question's answer was given in advance."""
        return any(self._prepared_for(ask) for ask in self.open)

    def take_prepared(self) -> tuple[Ask, str] | None:
        """A question whose answer was given in advance, and that answer."""
        for ask in self.open:
            if answers := self._prepared_for(ask):
                return ask, answers.pop(0)
        return None

    def _prepared_for(self, ask: Ask) -> list[str]:
        return self._prepared.get(str(ask.task.position)) or self._prepared.get(ask.task.id) or []

    async def answer(self, ask: Ask, typed: str) -> SentMessage | None:
        """Send what was typed for a question. None: it was not taken, and `Ask.trouble` says why.

        A question that somebody else has answered meanwhile leaves the desk; any other goes back to it, as the last.
        """
        text = answer_to(ask.question, typed)
        ask.busy, ask.trouble = True, ""
        try:
            receipt = await self._client.send(
                ask.task.id, text, question=ask.question.id, idempotency_key=ask.key_for(text)
            )
        except Refused as refused:
            ask.trouble = refused.message
            if refused.status in (404, 409, 412):
                self._answered_elsewhere.add(ask.question.id)
                self._asks.pop(ask.question.id, None)
            else:
                self.turn(ask)
            return None
        except (Unreachable, UsageError) as error:
            ask.trouble = error.message
            self.turn(ask)
            return None
        finally:
            ask.busy = False
        ask.sent = True
        return receipt
