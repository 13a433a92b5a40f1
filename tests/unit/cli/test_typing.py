"""Keys, the line they edit, and what becomes of it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from baton.cli.view.answers import answer_to, labelled, rule_of
from baton.cli.view.board import Board
from baton.cli.view.desk import Ask, Desk
from baton.cli.view.editor import Editor
from baton.cli.view.keys import Key, KeyDecoder
from baton.cli.view.typist import SURPRISE_SECONDS, Typist
from baton.domain.conversation import Question
from tests.unit.cli.events import Log, execution

_BYTES = "grüße\x1b[A日本\x1b[200~two\rlines\x1b[201~\x7f\x1b[1;5D\x1bb\r\x04\x1bOC".encode()
_KEYS = [
    Key("text", "grüße"),
    Key("up"),
    Key("text", "日本"),
    Key("paste", "two\rlines"),
    Key("backspace"),
    Key("word-left"),
    Key("word-left"),
    Key("enter"),
    Key("end-of-input"),
    Key("right"),
]


def _joined(keys: list[Key]) -> list[Key]:
    """Text in one piece, however it came."""
    joined: list[Key] = []
    for key in keys:
        if key.name == "text" and joined and joined[-1].name == "text":
            joined[-1] = Key("text", joined[-1].text + key.text)
        else:
            joined.append(key)
    return joined


@given(st.lists(st.integers(0, len(_BYTES)), max_size=12))
def test_keys_are_the_same_however_their_bytes_are_cut(cuts: list[int]) -> None:
    decoder, keys, edges = KeyDecoder(), list[Key](), sorted({0, len(_BYTES), *cuts})
    for start, end in pairwise(edges):
        keys += decoder.feed(_BYTES[start:end])
    assert _joined(keys) == _KEYS


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_no_bytes_break_the_decoder(pieces: list[bytes]) -> None:
    decoder = KeyDecoder()
    for piece in pieces:
        for key in decoder.feed(piece):
            assert key.name == "paste" or not any(character < " " for character in key.text)


_MOVES = ("left", "right", "word-left", "word-right", "home", "end")
_CUTS = ("newline", "backspace", "delete", "cut-word", "cut-line", "cut-rest")
_EDITS = st.one_of(
    st.text(min_size=1, max_size=5).map(lambda text: Key("text", text)),
    st.sampled_from((*_MOVES, *_CUTS)).map(Key),
)


@given(st.lists(_EDITS, max_size=40), st.integers(3, 30), st.integers(1, 6))
def test_the_rows_of_a_line_fit_and_hold_the_cursor(keys: list[Key], width: int, most: int) -> None:
    editor = Editor()
    for key in keys:
        assert editor.press(key)
        assert 0 <= editor.cursor <= len(editor.text)
    rows, row, column = editor.rows(width, most)
    assert 1 <= len(rows) <= most
    assert 0 <= row < len(rows)
    assert 0 <= column < width
    everything, _, _ = editor.rows(width, 10_000)
    assert "".join(everything) == editor.text.replace("\n", "")
    assert all(cell_len(line) < width for line in everything)


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        ([Key("text", "one two"), Key("word-left"), Key("text", "x ")], "one x two", 6),
        ([Key("text", "one two"), Key("cut-word")], "one ", 4),
        ([Key("text", "one two"), Key("home"), Key("word-right"), Key("cut-rest")], "one", 3),
        ([Key("text", "abc"), Key("left"), Key("backspace"), Key("delete")], "a", 1),
        ([Key("paste", "a\r\nb\x1b[31m\tc"), Key("home"), Key("cut-rest")], "a\n", 2),
        ([Key("text", "a"), Key("newline"), Key("text", "b"), Key("cut-line")], "a\n", 2),
    ],
)
def test_editing(keys: list[Key], text: str, cursor: int) -> None:
    editor = Editor()
    for key in keys:
        editor.press(key)
    assert (editor.text, editor.cursor) == (text, cursor)


def _asks(*choices: str, schema: dict[str, object] | None = None) -> Question:
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
    """A desk with two questions, and a person who types."""

    def __init__(self) -> None:
        self.board, self.log = Board(execution([], [])), Log()
        self.desk = Desk(None)  # type: ignore[arg-type]  # nothing is sent
        self.sent: list[tuple[str, str]] = []
        self.now = 0.0
        self.typist = Typist(self.desk, self._send, clock=lambda: self.now)

    def _send(self, ask: Ask, text: str) -> None:
        self.sent.append((ask.question.id, text))
        ask.sent = True

    def ask(self, task: int, question_id: str, *choices: str) -> None:
        self.board.apply(self.log("question.asked", task, question_id=question_id, text="?", choices=choices))
        self.board.apply(self.log("turn.ended", task, "waiting"))
        self.desk.look(self.board)

    def answered_elsewhere(self, task: int, question_id: str) -> None:
        self.board.apply(self.log("message.accepted", task, "running", seq=1, text="x", answers=[question_id]))
        self.desk.look(self.board)
        self.typist.look()

    def press(self, keys: str) -> None:
        for key in KeyDecoder().feed(keys.encode()):
            self.typist.press(key)


def test_questions_are_asked_one_by_one_in_their_order() -> None:
    sitting = _Sitting()
    sitting.press("early\r")  # nothing is asked: it goes nowhere
    sitting.ask(2, "second")
    sitting.ask(1, "first")
    sitting.press("to two\rto one\r")
    assert sitting.sent == [("second", "to two"), ("first", "to one")]
    assert sitting.desk.current is None


def test_what_was_typed_stays_with_its_question() -> None:
    sitting = _Sitting()
    sitting.ask(1, "a")
    sitting.ask(2, "b")
    sitting.press("half\tother\r done\r")
    assert sitting.sent == [("b", "other"), ("a", "half done")]


def test_an_enter_meant_for_a_question_that_vanished_does_not_answer_the_next() -> None:
    sitting = _Sitting()
    sitting.ask(1, "a", "yes", "no")
    sitting.ask(2, "b")
    sitting.press("delete every")
    sitting.answered_elsewhere(1, "a")
    sitting.press("thing\r")
    assert sitting.sent == []
    sitting.now += SURPRISE_SECONDS
    sitting.press("\r")
    assert sitting.sent == [("b", "thing")]


def test_choices_are_taken_by_number_and_by_arrow() -> None:
    sitting = _Sitting()
    sitting.ask(1, "a", "red", "green", "blue")
    sitting.ask(2, "b", "red", "green", "blue")
    sitting.press("\r")  # nothing chosen, nothing typed
    assert sitting.sent == []
    sitting.press("\x1b[A\x1b[A\r")
    sitting.press("\x1b[Bno, \x1b[Bpink\r")  # typing lets go of the choice; arrows leave text alone
    assert [answer_to(_asks("red", "green", "blue"), text) for _, text in sitting.sent] == ["green", "no, pink"]
    assert [label for label, _ in labelled(_asks("red", "green"))] == ["1", "2"]
