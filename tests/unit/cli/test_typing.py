"""Keys, the line they edit, and what becomes of it."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from select import select
from typing import Self, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.key_binding import KeyBindings
from rich.cells import cell_len

from baton.cli.view.answers import answer_to, labelled, rule_of
from baton.cli.view.desk import Ask, Desk
from baton.cli.view.panel import rows
from baton.cli.view.typist import SURPRISE_SECONDS, Typist
from baton.client.board import Board
from baton.client.http import Client
from baton.domain.conversation import Question
from baton.domain.json import JsonObject
from baton.runtime.keyboard import Keyboard
from baton.runtime.terminal import harmless
from tests.support.cli_events import Log, accepted, asked, execution, over
from tests.support.examples import examples

_BYTES = "grüße\x1b[A日本\x1b[200~two\rlines\x1b[201~\x7f\x1b[1;5D\x1bb!\x1b\rx\x1bOC\x05\x06".encode()


@given(st.lists(st.integers(0, len(_BYTES)), max_size=12))
@settings(deadline=None, max_examples=examples(30))
def test_keys_are_the_same_however_their_bytes_are_cut(cuts: list[int]) -> None:
    async def typed() -> str:
        async with _Sitting() as sitting:
            sitting.ask(1, "a")
            for start, end in pairwise(sorted({0, len(_BYTES), *cuts})):
                await sitting.press(_BYTES[start:end])
            return sitting.text

    assert asyncio.run(typed()) == "grüße日本!\nxtwo\nline"


@given(st.lists(st.binary(max_size=20), max_size=10))
@settings(deadline=None, max_examples=examples(30))
def test_no_bytes_bring_more_than_text_into_an_answer(pieces: list[bytes]) -> None:
    async def typed() -> str:
        async with _Sitting() as sitting:
            sitting.ask(1, "a")
            line = sitting.typist.line
            assert line is not None
            for piece in pieces:
                await sitting.press(piece)
            return "".join((line.text, *(text for _, text in sitting.sent)))

    text = asyncio.run(typed())
    assert harmless(text) == text
    text.encode()


@given(st.text(max_size=60), st.integers(0, 60), st.integers(3, 30), st.integers(1, 6))
def test_the_rows_of_a_line_fit_and_hold_the_cursor(text: str, cursor: int, width: int, most: int) -> None:
    text = harmless(text)
    shown, row, column = rows(text, min(cursor, len(text)), width, most)
    assert 1 <= len(shown) <= most
    assert 0 <= row < len(shown)
    assert 0 <= column < width
    everything, _, _ = rows(text, min(cursor, len(text)), width, 10_000)
    assert "".join(everything) == text.replace("\n", "")
    assert all(cell_len(line) < width for line in everything)


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        ("one two\x1bbx ", "one x two", 6),
        ("one two\x1b[1;5Dx ", "one x two", 6),
        ("one two\x17", "one ", 4),
        ("one two\x01\x1bf\x0b", "one", 3),
        ("one two\x1b[H\x1b[1;3C\x0b", "one", 3),
        ("abc\x1b[D\x7f\x1b[3~", "a", 1),
        ("abc\x02\x08\x04", "a", 1),
        ("\x1b[200~a\r\nb\x1b[31m\tc\x1b[201~\x01\x0b", "a\n", 2),
        ("a\x1b\rb\x15", "a\n", 2),
        ("日本語\x1b[D\x7f", "日語", 1),
        ("\x9b31mred\u202e", "31mred", 6),
    ],
)
async def test_editing(keys: str, text: str, cursor: int) -> None:
    async with _Sitting() as sitting:
        sitting.ask(1, "a")
        await sitting.press(keys)
        assert (sitting.text, sitting.cursor) == (text, cursor)


def _asks(*choices: str, schema: JsonObject | None = None) -> Question:
    return Question("q", "Which?", choices, schema)


@pytest.mark.parametrize(
    ("question", "typed", "answer"),
    [
        (_asks("red", "green"), "2", "green"),
        (_asks("red", "green"), " GREEN ", "green"),
        (_asks("red", "green"), "3", "3"),
        (_asks("red", "green"), "blue", "blue"),
        (_asks("3", "2", "1"), "3", "3"),  # the words of a choice win over its place
        (_asks("3", "2", "1"), "a", "3"),  # which is why these are lettered
        (_asks(), " free text ", "free text"),
        (_asks(schema={"enum": ["yes", "no"]}), "1", "yes"),
        (_asks(schema={"enum": [1, 2]}), "1", "1"),
    ],
)
def test_answers(question: Question, typed: str, answer: str) -> None:
    assert answer_to(question, typed) == answer


def test_rules_in_words() -> None:
    assert rule_of(_asks(schema={"type": "integer", "minimum": 1, "maximum": 50})) == "a whole number, 1 to 50"
    assert rule_of(_asks(schema={"type": "string", "minLength": 3})) == "a text, at least 3 characters"
    assert rule_of(_asks(schema={"type": "object", "properties": {"a": {}, "b": {}}})) == "JSON: an object with a, b"
    assert rule_of(_asks(schema={"oneOf": []})) == "JSON that obeys the question's schema"
    assert rule_of(_asks("a", schema={"type": "string"})) == ""
    assert rule_of(_asks()) == ""


class _Sitting:
    """A desk, and a person who types."""

    def __init__(self) -> None:
        self.board, self.log = Board(execution([], [])), Log()
        self.desk = Desk(cast("Client", None))  # nothing is sent
        self.sent: list[tuple[str, str]] = []
        self.now = 0.0
        self.typist = Typist(self.desk, self._send, clock=lambda: self.now)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._keys = self._stack.enter_context(create_pipe_input())
        bindings = KeyBindings()
        self.typist.bind(bindings)
        keyboard = Keyboard(bindings, lambda: self.typist.line, lambda: None, self._keys)
        running = asyncio.create_task(keyboard.run())

        async def stop() -> None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        self._stack.push_async_callback(stop)
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @property
    def text(self) -> str:
        assert self.typist.line is not None
        return self.typist.line.text

    @property
    def cursor(self) -> int:
        assert self.typist.line is not None
        return self.typist.line.cursor_position

    def _send(self, ask: Ask, text: str) -> None:
        self.sent.append((ask.question.id, text))
        ask.sent = True

    def ask(self, task: int, question_id: str, *choices: str) -> None:
        self.board.apply(self.log(asked(question_id, choices=choices), task))
        self.board.apply(self.log(over(), task, "waiting"))
        self.desk.look(self.board)

    def answered_elsewhere(self, task: int, question_id: str) -> None:
        self.board.apply(self.log(accepted(1, "x", question_id), task, "running"))
        self.desk.look(self.board)
        self.typist.look()

    async def press(self, keys: str | bytes) -> None:
        """Press keys; return when they have been read, and done what they do."""
        self._keys.send_bytes(keys if isinstance(keys, bytes) else keys.encode())
        while select([self._keys.fileno()], [], [], 0)[0]:
            await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_questions_are_asked_one_by_one_in_their_order() -> None:
    async with _Sitting() as sitting:
        await sitting.press("early\r")  # nothing is asked: it goes nowhere
        sitting.ask(2, "second")
        sitting.ask(1, "first")
        await sitting.press("to two\rto one\r")
        assert sitting.sent == [("second", "to two"), ("first", "to one")]
        assert sitting.desk.current is None


async def test_what_was_typed_stays_with_its_question() -> None:
    async with _Sitting() as sitting:
        sitting.ask(1, "a")
        sitting.ask(2, "b")
        await sitting.press("half\tother\r done\r")
        assert sitting.sent == [("b", "other"), ("a", "half done")]


async def test_an_enter_meant_for_a_question_that_vanished_does_not_answer_the_next() -> None:
    async with _Sitting() as sitting:
        sitting.ask(1, "a", "yes", "no")
        sitting.ask(2, "b")
        await sitting.press("delete every")
        sitting.answered_elsewhere(1, "a")
        await sitting.press("thing\r")
        assert sitting.sent == []
        sitting.now += SURPRISE_SECONDS
        await sitting.press("\r")
        assert sitting.sent == [("b", "thing")]


async def test_choices_are_taken_by_number_and_by_arrow() -> None:
    async with _Sitting() as sitting:
        sitting.ask(1, "a", "red", "green", "blue")
        sitting.ask(2, "b", "red", "green", "blue")
        await sitting.press("\r")  # nothing chosen, nothing typed
        assert sitting.sent == []
        await sitting.press("\x1b[A\x1b[A\r")
        await sitting.press("\x1b[Bno, \x1b[Bpink\r")  # typing lets go of the choice; arrows leave text alone
        assert [answer_to(_asks("red", "green", "blue"), text) for _, text in sitting.sent] == ["green", "no, pink"]
        assert [label for label, _ in labelled(_asks("red", "green"))] == ["1", "2"]
