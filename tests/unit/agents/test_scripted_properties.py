"""Is every directive performed once and in order, whatever comes in between?

The oracle knows only the order in which texts are read. It watches what the talk shows of each step, and takes from
the implementation nothing but how far an interrupted step says that it came.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baton.agents.errors import ModelFailed
from baton.agents.models import Models
from baton.agents.notes import begun_in
from baton.agents.responses import decoded
from baton.domain.conversation import ReadMessage, RecordedStep
from baton.domain.states import StepState
from tests.support.examples import examples
from tests.unit.agents.talk import Talk

MANY = 60
FAILING = ("fail", "stuck", "fatal")
KINDS = ("say", "stream", "tool", "ask", "finish", "fail", "stuck", "fatal", "sleep", "plain")


@dataclass(frozen=True)
class Item:
    """A directive with a mark of its own, so that its performance shows."""

    kind: str
    mark: str

    @property
    def line(self) -> str:
        match self.kind:
            case "stream":
                return "!stream 4"
            case "tool":
                return f'!tool clock {{"mark": "{self.mark}"}}'
            case "ask":
                return f"!ask {self.mark}?"
            case "fail":
                return f"!fail 1 {self.mark}"
            case "stuck":
                return f"!fail 99 {self.mark}"
            case "sleep":
                return "!sleep 0"
            case "plain":
                return self.mark
            case _:
                return f"!{self.kind} {self.mark}"

    @property
    def shown(self) -> str | None:
        """What its performance adds to the text, None where it adds nothing."""
        match self.kind:
            case "say" | "finish":
                return self.mark
            case "stream":
                return "t1 t2 t3 t4"
            case "plain":
                return f"You said: {self.mark}"
            case _:
                return None


def a_text(kinds: Sequence[str], marks: "deque[str]") -> list[Item]:
    """The items of a text: directives, or the text itself where there are none."""
    items = [Item(kind, marks.popleft()) for kind in kinds if kind != "plain"]
    return items or [Item("plain", marks.popleft())]


def as_text(items: Sequence[Item]) -> str:
    return "\n".join(item.line for item in items)


class Oracle:
    """What has been read and not been performed."""

    def __init__(self, description: Sequence[Item]) -> None:
        self.left = deque(description)
        self.texts: dict[int, Sequence[Item]] = {}

    def claimed(self, talk: Talk, asked: str | None) -> None:
        """A turn begins: an answer to what was just ``asked`` goes first, everything else last."""
        turn = talk.turns[-1]
        answers = [message for message in turn.messages if asked is not None and asked in message.answers]
        for message in turn.messages:
            if message not in answers:
                self.left.extend(self._items(message))
        for message in answers:
            self.left.extendleft(reversed(self._items(message)))

    def performed(self, step: RecordedStep, shown: str) -> None:
        """Check a step, of which ``shown`` was seen, against what is next, and take it off."""
        shown = "\n".join(_performed(shown))
        match step.state:
            case StepState.RECORDED:
                self._recorded(step)
            case StepState.INTERRUPTED:
                assert step.response is not None
                items = self._take(begun_in(decoded(step.response)))
                visible = [item.shown for item in items if item.shown]
                expected = "\n".join(visible)
                assert expected.startswith(shown)
                assert shown.startswith("\n".join(visible[:-1]))
            case _:
                items = self._take_until(lambda item: item.kind in FAILING)
                assert shown.startswith("\n".join(item.shown for item in items if item.shown))

    def _recorded(self, step: RecordedStep) -> None:
        items = self._take_until(lambda item: item.kind in ("tool", "ask", "finish"))
        assert not any(item.kind in ("stuck", "fatal") for item in items)
        assert _performed(step.text) == [item.shown for item in items if item.shown]
        called = [call.arguments.get("mark") or call.arguments.get("question") for call in step.calls]
        asked = {"tool": "{}", "ask": "{}?"}
        assert called == [asked[item.kind].format(item.mark) for item in items if item.kind in asked]

    def _items(self, message: ReadMessage) -> Sequence[Item]:
        return self.texts[message.seq]

    def _take(self, count: int) -> list[Item]:
        assert count <= len(self.left)
        return [self.left.popleft() for _ in range(count)]

    def _take_until(self, ends: Callable[[Item], bool]) -> list[Item]:
        items: list[Item] = []
        while self.left:
            items.append(self.left.popleft())
            if ends(items[-1]):
                break
        return items


def _performed(text: str) -> list[str]:
    """The lines that directives account for."""
    return [line for line in text.split("\n") if line and not line.startswith(("clock: ", "Done: "))]


KIND = st.sampled_from(KINDS)
TEXTS = st.lists(KIND, max_size=5)
# A turn: the messages that come before it, and after how many pieces of text it is interrupted (None: never).
TURNS = st.lists(
    st.tuples(st.lists(st.tuples(TEXTS, st.booleans()), max_size=3), st.sampled_from((None, 0, 1, 2, 3, 5, 8))),
    max_size=6,
)


@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(description=st.lists(KIND.filter(lambda kind: kind != "plain"), min_size=1, max_size=8), turns=TURNS)
async def test_every_directive_is_performed_once_and_in_order(
    models: Models, description: list[str], turns: list[tuple[list[tuple[list[str], bool]], int | None]]
) -> None:
    marks = deque(f"m{number}" for number in range(1000))
    items = a_text(description, marks)
    talk = Talk(models, as_text(items))
    oracle = Oracle(items)
    asked: str | None = None

    for messages, interrupted_after in [*turns, *[([], None)] * MANY]:
        for kinds, is_answer in messages:
            text = a_text(kinds, marks)
            sent = talk.send(as_text(text), answers=None if is_answer else ())
            oracle.texts[sent.seq] = text
        talk.begin_turn()
        oracle.claimed(talk, asked)
        asked = await _turn(talk, oracle, interrupted_after)
        if len(talk.turns) >= len(turns) and not oracle.left:
            return
    raise AssertionError(f"left: {oracle.left}")


async def _turn(talk: Talk, oracle: Oracle, interrupted_after: int | None) -> str | None:
    """A turn to its end. Gives the id of the question that it ended with."""
    heard = 0

    def on_text(_: str) -> None:
        nonlocal heard
        heard += 1
        if heard == interrupted_after:
            task.cancel()  # felt at the next place where the model waits, if there is one

    while True:
        task = asyncio.ensure_future(talk.step(on_text))
        if interrupted_after == 0:
            await asyncio.sleep(0)
            task.cancel()
        try:
            answer = await task
        except asyncio.CancelledError:  # in the middle of the step, or right after it was recorded
            oracle.performed(talk.steps[-1], talk.steps[-1].text)
            return talk.steps[-1].questions[0][1] if talk.steps[-1].questions else None
        except ModelFailed:
            oracle.performed(talk.steps[-1], talk.partials[-1].text)
            return None
        oracle.performed(talk.steps[-1], answer.text)
        questions = talk.steps[-1].questions
        if questions or not answer.calls:
            return questions[0][1] if questions else None
