"""A task, those who write to it, its workflow and its workers: anything may happen, in any order, and again.

The workflow is `workflows.progress`, as `AgentTaskWorkflow` uses it; Temporal repeats an activity until its outcome is
known, doorbells may be lost, and the relay rings what nobody has taken up.
"""

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activities.encoding import outcome
from baton.domain.conversation import Question
from baton.domain.errors import DomainError
from baton.domain.mailbox import Standing, due
from baton.domain.states import SendMode, TaskState
from tests.support.mailbox_model import ModelTask
from workflows.contracts import TOOLS, ProgressState
from workflows.progress import Progress

S = TaskState

_BEGINNINGS = ("new", "at work", "waiting", "waiting for two", "succeeded", "failed", "paused")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step that a worker is at."""

    turn: int
    step: int
    attempt: int


class MailboxMachine(RuleBasedStateMachine):
    """The rules by themselves. What a subclass has beside the model does the same and is compared."""

    def __init__(self) -> None:
        super().__init__()
        self.model = ModelTask()
        self.progress = Progress(ProgressState())
        self.at_work: Attempt | None = None
        self.lost: list[Attempt] = []  #: attempts whose worker Temporal has given up, but which still go on
        self.asked = 0

    # -- what a subclass adds -------------------------------------------------------------------------------------

    def both(self, name: str, *args: object, **kwargs: object) -> object:
        """Do something to the model, and to whatever is held to it; what it gave, or the error that it raised."""
        try:
            return getattr(self.model, name)(*args, **kwargs)
        except DomainError as error:
            return error

    def is_rung(self) -> bool:
        """Whether the relay will ring."""
        return self.model.rung

    @initialize(state=st.sampled_from(_BEGINNINGS))
    def begin(self, state: str) -> None:
        """Start where something can happen: at random, most states would hardly ever be reached."""
        if state == "new":
            return
        self.a_worker_comes(True)
        if state == "failed":
            self.the_model_fails_for_good(True)
        elif state != "at work":
            self.the_worker_records({"waiting": 1, "waiting for two": 2}.get(state, 0), 0, True)
        if state == "paused":
            self.both("send", "a")
            self.both("pause")

    # -- those who write ------------------------------------------------------------------------------------------

    @rule(mode=st.sampled_from(SendMode), text=st.sampled_from("ab"))
    def send(self, mode: SendMode, text: str) -> None:
        self.both("send", text, mode=mode)

    @rule(text=st.sampled_from("ab"), key=st.sampled_from(["k1", "k2"]), mode=st.sampled_from(SendMode))
    def send_with_a_key(self, text: str, key: str, mode: SendMode) -> None:
        self.both("send", text, key=key, mode=mode)

    @rule(behind=st.integers(0, 1), mode=st.sampled_from(SendMode))
    def send_if_nothing_has_changed(self, behind: int, mode: SendMode) -> None:
        self.both("send", "a", if_versions=(self.model.box.version - behind,), mode=mode)

    @precondition(lambda self: self.model.box.questions)
    @rule()
    def send_while_questions_are_open(self) -> None:
        self.both("send", "b")

    @precondition(lambda self: self.model.box.questions)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        question = data.draw(st.sampled_from(self.model.box.questions))
        self.both("send", "an answer", question=question.id)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def answer_something(self, data: st.DataObject) -> None:
        self.both("send", "an answer", question=f"q{data.draw(st.integers(0, self.asked))}")

    @precondition(lambda self: self.model.box.state is not S.PAUSED)
    @rule()
    def pause(self) -> None:
        self.both("pause")

    @precondition(lambda self: self.model.box.state is S.PAUSED)
    @rule()
    def resume(self) -> None:
        self.both("resume")

    @precondition(lambda self: self.model.box.version > 12)
    @rule()
    def cancel(self) -> None:
        self.both("cancel")

    # -- those who work -------------------------------------------------------------------------------------------

    @rule()
    def a_doorbell_arrives(self) -> None:
        self.progress.heard(*self.bell())

    @precondition(lambda self: self.at_work is None and (self.progress.is_working or self.progress.should_look))
    @rule(is_told=st.booleans())
    def a_worker_comes(self, is_told: bool) -> None:
        if not self.progress.is_working:
            self.progress.look()
        state = self.progress.state
        if state.next == TOOLS:
            self._make_calls(is_told)
            return
        found = self.both("start", state.turn, state.step)
        if isinstance(found, Standing):
            self._saw(found, is_told)
        else:
            assert isinstance(found, int)
            self.at_work = Attempt(state.turn, state.step, found)

    def _make_calls(self, is_told: bool) -> None:
        state = self.progress.state
        for call in list(self.model.steps[state.turn, state.step].calls) or ["c0"]:
            found = self.both("start_call", state.turn, state.step, call)
            if found is None:
                found = self.both("record_call", state.turn, state.step, call)
            assert isinstance(found, Standing)
            self._saw(found, is_told)
            if not is_told:
                return

    @precondition(lambda self: self.at_work)
    @rule(questions=st.sampled_from([0, 0, 1, 2]), calls=st.sampled_from([0, 0, 1, 2]), is_told=st.booleans())
    def the_worker_records(self, questions: int, calls: int, is_told: bool) -> None:
        assert self.at_work
        self._record(self.at_work, questions, calls, is_told=is_told)
        self.at_work = None

    @precondition(lambda self: self.at_work and self.model.box.interrupted(self.at_work.turn))
    @rule(is_told=st.booleans())
    def the_worker_is_interrupted(self, is_told: bool) -> None:
        assert self.at_work
        found = self.both("interrupted", self.at_work.turn, self.at_work.step, self.at_work.attempt)
        assert isinstance(found, Standing)
        self._saw(found, is_told)
        self.at_work = None

    @precondition(lambda self: self.at_work)
    @rule(is_told=st.booleans())
    def the_model_fails_for_good(self, is_told: bool) -> None:
        assert self.at_work
        found = self.both("fail", self.at_work.turn)
        assert isinstance(found, Standing)
        self._saw(found, is_told)
        self.at_work = None

    @precondition(lambda self: self.at_work is None and self._can_come())
    @rule(
        meanwhile=st.sampled_from(["nothing", "nothing", "a message", "an interrupt", "a pause", "a loss"]),
        questions=st.sampled_from([0, 1, 2]),
        calls=st.sampled_from([0, 0, 1]),
    )
    def a_turn_is_taken(self, meanwhile: str, questions: int, calls: int) -> None:
        """What mostly happens, in one go: alone, the rules would hardly ever come in this order."""
        self.progress.heard(*self.bell())
        for _ in range(4):
            if self.at_work is None and (self.progress.is_working or self.progress.should_look):
                self.a_worker_comes(True)
        if self.at_work is None:
            return
        if meanwhile == "a message":
            self.both("send", "a")
        elif meanwhile == "an interrupt":
            self.both("send", "a", mode=SendMode.INTERRUPT)
        elif meanwhile == "a pause":
            self.both("pause")
        elif meanwhile == "a loss":
            self.the_worker_is_lost()
            self.a_worker_comes(True)
        if self._is_at_work():
            self.the_worker_records(questions, calls, True)

    def _is_at_work(self) -> bool:
        return self.at_work is not None

    def _can_come(self) -> bool:
        return self.progress.is_working or self.progress.should_look or self.is_rung()

    @precondition(lambda self: self.at_work)
    @rule()
    def the_worker_is_lost(self) -> None:
        assert self.at_work
        self.lost.append(self.at_work)
        self.at_work = None

    @precondition(lambda self: self.lost)
    @rule(data=st.data(), questions=st.integers(0, 1))
    def a_lost_worker_records_after_all(self, data: st.DataObject, questions: int) -> None:
        self._record(data.draw(st.sampled_from(self.lost)), questions, 0, is_told=False)

    def _record(self, mine: Attempt, questions: int, calls: int, *, is_told: bool) -> None:
        asks = [
            Question(f"q{self.asked + n}", "?", call_id=f"call-q{self.asked + n}", turn=mine.turn, asked_at="2026")
            for n in range(questions)
        ]
        self.asked += questions
        names = [f"c{n}" for n in range(calls)]
        found = self.both("record", mine.turn, mine.step, mine.attempt, asks, names)
        assert isinstance(found, Standing)
        self._saw(found, is_told)

    def _saw(self, found: Standing, is_told: bool) -> None:
        """Temporal has the activity's outcome, or takes the worker to be dead and will send another."""
        if is_told:
            self.progress.saw(outcome(found, words=False))

    def bell(self) -> tuple[int, int]:
        """What the relay or a sender tells the workflow: what is true now."""
        box = self.model.box
        stops = box.interrupt_turn >= box.turn and (box.turn_open or box.state is S.CANCELLED)
        return box.version, box.turn if stops else 0

    # -- what holds at any moment ---------------------------------------------------------------------------------

    @invariant()
    def nothing_closes_over_an_unclaimed_message(self) -> None:
        box = self.model.box
        waiting = self.model.unclaimed()
        assert box.unclaimed == len(waiting)
        assert box.accepted_seq == len(self.model.messages)
        if box.state.is_over:
            assert not waiting
        if box.state is S.WAITING:
            assert box.questions
            assert all(message.answers for message in waiting), "what answers nothing is read at once"

    @invariant()
    def a_task_without_unclaimed_messages_is_where_it_would_be_without_them(self) -> None:
        box = self.model.box
        if not box.has_unclaimed:
            assert (box.rest.state, box.rest.questions) == (box.state, box.questions)

    @invariant()
    def each_turn_claims_a_contiguous_range(self) -> None:
        claimed = [message.turn for message in self.model.messages if message.turn is not None]
        assert claimed == sorted(claimed)
        unread = [message.turn for message in self.model.messages[len(claimed) :]]
        assert set(unread) <= {None}
        ended = [message for message in self.model.messages if message.turn and message.turn < self.model.box.turn]
        assert {message.state for message in ended} <= {"processed", "dead"}

    @invariant()
    def no_question_is_lost(self) -> None:
        box = self.model.box
        asked = {
            question.id
            for step in self.model.steps.values()
            for question in step.asked
            if step.state == "recorded" and not self._is_to_be_asked(step.calls)
        }
        answered = [id for message in self.model.messages for id in message.answers]
        still_open = [question.id for question in box.questions]
        assert len(answered) == len(set(answered))
        assert set(answered).isdisjoint(still_open)
        if box.state is not S.CANCELLED:
            assert {*answered, *still_open} == asked
        if box.state is S.SUCCEEDED:
            assert not still_open

    def _is_to_be_asked(self, calls: list[str]) -> bool:
        return bool(calls) and self.model.box.turn_open

    @invariant()
    def turns_and_states_fit(self) -> None:
        box = self.model.box
        if box.turn_open:
            assert box.state in (S.RUNNING, S.PAUSED)
        assert box.interrupt_turn <= box.turn
        assert self.at_work is None or self.at_work.turn <= box.turn

    @invariant()
    def somebody_will_come(self) -> None:
        """Whatever is due: a worker is on its way, or the relay will ring."""
        knows = self.progress.is_working or self.progress.should_look
        if due(self.model.box) is not None and not knows:
            assert self.is_rung()
            told = Progress(replace(self.progress.state))
            told.heard(*self.bell())
            assert told.should_look
        mine = self.at_work
        if mine and (mine.turn < self.model.box.turn or self.model.box.interrupted(mine.turn)):
            stops = self.progress.state.interrupt >= mine.turn
            over = not self.model.box.turn_open or mine.turn < self.model.box.turn
            assert stops or self.is_rung() or over

    def teardown(self) -> None:
        """Let everybody do what they have to do: the task comes to rest, and every message to its end."""
        for _ in range(100):
            if self.at_work:
                self.the_worker_records(0, 0, True)
            elif self.progress.is_working or self.progress.should_look:
                self.a_worker_comes(True)
            elif self.is_rung():
                self.progress.heard(*self.bell())
                if not self.progress.should_look:
                    break
            else:
                break
        assert due(self.model.box) is None
        assert not self.progress.is_working
        assert not self.progress.should_look
        self.everything_has_ended()

    def everything_has_ended(self) -> None:
        """At the end: what is left unread are answers beside which other questions are open."""
        box = self.model.box
        unread = [message for message in self.model.messages if message.state not in ("processed", "dead")]
        if box.state is not S.PAUSED:
            assert all(message.state == "accepted" and message.answers for message in unread)
        if unread:
            assert box.state in (S.WAITING, S.PAUSED)
