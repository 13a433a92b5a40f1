"""The mailbox's machine, where senders also edit and withdraw what they sent, and somebody redrives what is dead."""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from baton.domain.conversation import Question
from baton.domain.errors import MessageTaken, TaskClosed
from baton.domain.mailbox import Mailbox
from baton.domain.states import SendMode, TaskState
from baton.domain.withdrawing import Others, accept_again, withdraw
from tests.support.mailbox_machine import MailboxMachine
from tests.support.mailbox_model import ModelMessage, ModelTask, Sent

S = TaskState
#: What stays of a message at its old place when it is redriven: nothing but the number.
MOVED = "moved"


class ReceiptsModel(ModelTask):
    """A task whose messages' senders think again. Messages are named by their numbers."""

    def edit(self, seq: int, text: str) -> None:
        """Have a message say something else."""
        message = self._message(seq)
        if message.text == text:
            return
        if message.state != "accepted":
            raise MessageTaken("too late", message.state, message.turn)
        message.text = text
        self.box = replace(self.box, version=self.box.version + 1)

    def withdraw(self, seq: int) -> None:
        """Take a message back."""
        message = self._message(seq)
        if message.state == "withdrawn":
            return
        if message.state != "accepted":
            raise MessageTaken("too late", message.state, message.turn)
        message.state = "withdrawn"
        was, rested = self.box, {question.id for question in self.box.rest.questions}
        others = Others(
            max((n for n, other in enumerate(self.messages, 1) if other.state == "accepted"), default=0),
            all(rested.intersection(other.answers) for other in self.messages if other.state == "accepted"),
        )
        self.box = withdraw(was, seq, message.answers, others)
        self.rung |= self.box.state is S.WAITING and self.box.questions != was.questions

    def redrive(self, seq: int) -> None:
        """Send a dead message again."""
        message = self._message(seq)
        if message.state != "dead":
            return
        if self.box.state is S.CANCELLED:
            raise TaskClosed("cancelled", self.box.state)
        self.messages.append(ModelMessage(message.text, message.answers))
        message.state, message.turn = MOVED, None
        self.rung |= self.box.state is not S.PENDING and not self.box.turn_open
        self.box = accept_again(self.box)

    def _message(self, seq: int) -> ModelMessage:
        return self.messages[seq - 1]


class ReceiptsMachine(MailboxMachine):
    """The rules, with those of receipts."""

    def __init__(self) -> None:
        super().__init__()
        self.model: ReceiptsModel = ReceiptsModel()

    def numbers(self) -> list[int]:
        """Of all messages."""
        return [seq for seq, message in enumerate(self.model.messages, 1) if message.state != MOVED]

    @precondition(lambda self: self.model.messages)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        self.both("withdraw", data.draw(st.sampled_from(self.numbers())))

    @precondition(lambda self: self.model.messages)
    @rule(data=st.data(), text=st.sampled_from("ab"))
    def edit(self, data: st.DataObject, text: str) -> None:
        self.both("edit", data.draw(st.sampled_from(self.numbers())), text)

    @precondition(lambda self: any(message.state == "dead" for message in self.model.messages))
    @rule(data=st.data())
    def redrive(self, data: st.DataObject) -> None:
        dead = [seq for seq in self.numbers() if self.model.messages[seq - 1].state == "dead"]
        self.both("redrive", data.draw(st.sampled_from(dead)))

    @precondition(lambda self: self.model.messages)
    @rule(data=st.data())
    def redrive_something(self, data: st.DataObject) -> None:
        self.both("redrive", data.draw(st.sampled_from(self.numbers())))

    @rule(data=st.data(), mode=st.sampled_from(SendMode))
    def think_better_of_it_at_once(self, data: st.DataObject, mode: SendMode) -> None:
        """What is taken back before anybody saw it has never been."""
        question = data.draw(st.sampled_from([None, *(one.id for one in self.model.box.questions)]))
        before = self.model.box
        sent = self.both("send", "never mind", mode=mode, question=question)
        if isinstance(sent, Sent):
            self.both("withdraw", sent.seq)
            assert _without_counters(self.model.box) == _without_counters(before)

    @invariant()
    def each_turn_claims_a_contiguous_range(self) -> None:
        kept = [message for message in self.model.messages if message.state not in ("withdrawn", MOVED)]
        turns = [message.turn for message in kept]
        claimed = [turn for turn in turns if turn is not None]
        assert claimed == sorted(claimed)
        assert turns == [*claimed, *([None] * (len(turns) - len(claimed)))]
        for message in kept:
            if message.turn and message.turn < self.model.box.turn:
                assert message.state in ("processed", "dead")

    @invariant()
    def no_question_is_lost(self) -> None:
        """But one whose answer was withdrawn while a later message made the task run on."""
        box, steps = self.model.box, self.model.steps.values()
        asked = {
            question.id
            for step in steps
            for question in step.asked
            if step.state == "recorded" and not (step.calls and box.turn_open)
        }
        taken_back = {id for message in self.model.messages if message.state == "withdrawn" for id in message.answers}
        answered = [
            id for message in self.model.messages if message.state not in ("withdrawn", MOVED) for id in message.answers
        ]
        still_open = [question.id for question in box.questions]
        assert len(answered) == len(set(answered))
        assert set(answered).isdisjoint(still_open)
        if box.state is not S.CANCELLED:
            assert {*answered, *still_open} <= asked
            assert asked - {*answered, *still_open} <= taken_back

    @invariant()
    def it_rests_with_all_that_may_be_asked_again(self) -> None:
        box = self.model.box
        rested = {question.id for question in box.rest.questions}
        assert {question.id for question in box.questions} <= rested
        assert box.rest.state is box.state or box.has_unclaimed

    def everything_has_ended(self) -> None:
        """At the end: what is left unread are answers beside which other questions are open."""
        box = self.model.box
        unread = [message for message in self.model.messages if message.state in ("accepted", "claimed")]
        rested: set[str] = {question.id for question in box.rest.questions}
        if box.state is not S.PAUSED:
            assert all(message.state == "accepted" and rested.intersection(message.answers) for message in unread)
        if unread:
            assert box.state in (S.WAITING, S.PAUSED)


def _without_counters(box: Mailbox) -> tuple[object, ...]:
    def ids(questions: tuple[Question, ...]) -> list[str]:
        return [question.id for question in questions]

    return box.state, box.turn, box.turn_open, box.unclaimed, ids(box.questions), box.rest
