"""A task as its rules say that it behaves, without a database: what the store is held to.

What `baton.domain.accepting` and `baton.domain.mailbox` decide is theirs to say. What the store decides beside them
(steps, calls, what becomes of messages) is said here a second time, as plainly as possible.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from baton.domain import mailbox
from baton.domain.accepting import accept
from baton.domain.conversation import Question
from baton.domain.errors import Conflict, KeyReused
from baton.domain.mailbox import Ending, Mailbox, Next, Rest, Standing, Then, next_for, standing
from baton.domain.messages import Draft
from baton.domain.states import SendMode, TaskState

S = TaskState


@dataclass(slots=True)
class ModelMessage:
    """A message, and what became of it."""

    text: str
    answers: tuple[str, ...]
    state: str = "accepted"
    turn: int | None = None


@dataclass(slots=True)
class ModelStep:
    """A step; ``calls`` are those that are left, ``asked`` what it asks when none is."""

    state: str = "running"
    attempt: int = 1
    calls: list[str] = field(default_factory=list[str])
    asked: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sender is told."""

    seq: int
    state: TaskState
    version: int
    turn: int
    turn_open: bool
    interrupts: int = 0
    replayed: bool = False


def _new() -> Mailbox:
    return Mailbox(S.RUNNING, 1, 0, False, 0, 0, 0, rest=Rest(S.RUNNING))


@dataclass(slots=True)
class ModelTask:
    """A single task."""

    box: Mailbox = field(default_factory=_new)
    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    steps: dict[tuple[int, int], ModelStep] = field(default_factory=dict[tuple[int, int], ModelStep])
    receipts: dict[str, tuple[bytes, Sent]] = field(default_factory=dict[str, tuple[bytes, Sent]])
    rung: bool = True  #: the relay will ring, unless a worker comes before

    def send(
        self,
        text: str,
        *,
        mode: SendMode = SendMode.QUEUE,
        question: str | None = None,
        if_versions: tuple[int, ...] | None = None,
        key: str | None = None,
    ) -> Sent:
        """Accept a message, or refuse it."""
        draft = Draft(text, origin="test", question=question, if_versions=if_versions)
        if key in self.receipts:
            digest, receipt = self.receipts[key]
            if digest != draft.digest():
                raise KeyReused("another message")
            return replace(receipt, interrupts=0, replayed=True)
        was = self.box
        accepted = accept(was, draft, mode)
        self.box = accepted.box
        self.rung |= accepted.rings
        self.messages.append(ModelMessage(text, accepted.answers))
        sent = Sent(
            self.box.accepted_seq, self.box.state, self.box.version, was.turn, was.turn_open, accepted.interrupts
        )
        if key is not None:
            self.receipts[key] = draft.digest(), sent
        return sent

    def start(self, turn: int, step: int) -> int | Standing:
        """A worker comes to take a step: its attempt, or where the task stands instead."""
        match next_for(self.box, turn, step):
            case Next.BEGIN:
                for message in self.unclaimed():
                    message.state, message.turn = "claimed", turn
                self.box = mailbox.begin(self.box)
                self.rung = False
                self.steps[turn, 0] = ModelStep()
                return 1
            case Next.NEXT_TURN:
                return standing(self.box)
            case Next.REST:
                self.rung = False
                return standing(self.box)
            case Next.WORK:
                return self._go_on(turn, step)

    def _go_on(self, turn: int, step: int) -> int | Standing:
        known = self.steps.get((turn, step))
        if known is not None and known.state != "running":
            return self._after_step(turn, step)
        if self.box.interrupted(turn):
            return self._end(Ending.INTERRUPTED)
        if known is None:
            self.steps[turn, step] = ModelStep()
            return 1
        known.attempt += 1
        return known.attempt

    def record(
        self, turn: int, step: int, attempt: int, asked: Sequence[Question] = (), calls: Sequence[str] = ()
    ) -> Standing:
        """An attempt has its answer."""
        if not self._may_record(turn, step, attempt):
            return self._too_late(turn, step)
        mine = self.steps[turn, step]
        if self.box.interrupted(turn):
            mine.state = "interrupted"
            return self._end(Ending.INTERRUPTED)
        mine.state, mine.asked, mine.calls = "recorded", tuple(asked), list(calls)
        return self._after_calls(turn, step) if calls else self._end(Ending.ANSWERED, mine.asked)

    def interrupted(self, turn: int, step: int, attempt: int) -> Standing:
        """An attempt was interrupted."""
        if not self._may_record(turn, step, attempt):
            return self._too_late(turn, step)
        self.steps[turn, step].state = "interrupted"
        return self._end(Ending.INTERRUPTED)

    def fail(self, turn: int) -> Standing:
        """The model has failed for good."""
        return self._end(Ending.FAILED) if self._has_open(turn) else standing(self.box)

    def start_call(self, turn: int, step: int, call: str) -> Standing | None:
        """A worker comes to make a call: None where it is to."""
        if not self._has_open(turn):
            return standing(self.box)
        if self.box.interrupted(turn):
            return self._end(Ending.INTERRUPTED, self.steps[turn, step].asked)
        return None if call in self.steps[turn, step].calls else self._after_calls(turn, step)

    def record_call(self, turn: int, step: int, call: str) -> Standing:
        """A call gave something."""
        if not self._has_open(turn):
            return standing(self.box)
        mine = self.steps[turn, step]
        mine.calls = [left for left in mine.calls if left != call]
        if self.box.interrupted(turn):
            return self._end(Ending.INTERRUPTED, mine.asked)
        return self._after_calls(turn, step)

    def pause(self) -> None:
        """Somebody pauses the task."""
        box = self.box
        if box.state not in (S.RUNNING, S.WAITING, S.PAUSED):
            raise Conflict("nothing to pause", box.state)
        if box.state is not S.PAUSED:
            self.box = mailbox.pause(box)
            self.rung = True

    def resume(self) -> None:
        """Somebody lets the task go on."""
        if self.box.state is not S.PAUSED:
            raise Conflict("not paused", self.box.state)
        rested = {question.id for question in self.box.rest.questions}
        news = any(rested.isdisjoint(message.answers) for message in self.unclaimed())
        self.box = mailbox.resume(self.box, has_news=news)
        self.rung = True

    def cancel(self) -> None:
        """Somebody cancels the task."""
        box = self.box
        if box.state is S.CANCELLED:
            return
        if box.state.is_over:
            raise Conflict("nothing to cancel", box.state)
        if box.turn_open:
            self._tell("processed")
            self._end_steps("interrupted")
        for message in self.unclaimed():
            message.state = "dead"
        self.box = mailbox.cancel(box)
        self.rung = True

    def unclaimed(self) -> list[ModelMessage]:
        """Messages that wait for a turn."""
        return [message for message in self.messages if message.state == "accepted"]

    def _has_open(self, turn: int) -> bool:
        return self.box.turn_open and self.box.turn == turn

    def _may_record(self, turn: int, step: int, attempt: int) -> bool:
        mine = self.steps.get((turn, step))
        return self._has_open(turn) and mine is not None and (mine.state, mine.attempt) == ("running", attempt)

    def _too_late(self, turn: int, step: int) -> Standing:
        return Standing(Then.STEP, turn, step, self.box) if self._has_open(turn) else standing(self.box)

    def _after_step(self, turn: int, step: int) -> Standing:
        left = self.steps[turn, step].calls
        return Standing(Then.TOOLS, turn, step, self.box) if left else Standing(Then.STEP, turn, step + 1, self.box)

    def _after_calls(self, turn: int, step: int) -> Standing:
        mine = self.steps[turn, step]
        return self._end(Ending.ANSWERED, mine.asked) if mine.asked and not mine.calls else self._after_step(turn, step)

    def _end(self, ending: Ending, asked: tuple[Question, ...] = ()) -> Standing:
        self.box = mailbox.end(self.box, ending, asked)
        self.rung = False
        self._tell("dead" if ending is Ending.FAILED else "processed")
        self._end_steps("failed" if ending is Ending.FAILED else "interrupted")
        return standing(self.box)

    def _end_steps(self, state: str) -> None:
        for (turn, _), step in self.steps.items():
            if turn == self.box.turn:
                step.calls = []
                step.state = state if step.state == "running" else step.state

    def _tell(self, state: str) -> None:
        for message in self.messages:
            if message.state == "claimed":
                message.state = state
