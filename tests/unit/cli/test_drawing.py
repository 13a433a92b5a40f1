"""What is drawn fits, says what is the case, and leaves what stays alone."""

import io
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, ConsoleDimensions
from rich.text import Text

from baton.cli.commands.inbox import inbox_table
from baton.cli.view.desk import Ask
from baton.cli.view.panel import panel
from baton.cli.view.region import Region
from baton.cli.view.texts import ago, clock, usage_line
from baton.cli.view.tree import tree_lines
from baton.cli.view.typist import InputLine
from baton.client.board import Board
from baton.client.board_task import BoardTask
from baton.client.schemas.tasks import TaskOut
from baton.domain.conversation import Question, Usage
from baton.domain.events import ReasoningDelta, TaskFailed
from baton.domain.plans import PlanTask
from baton.runtime.terminal import harmless, harmless_json, one_line
from tests.support.cli_events import CREATED, START, STARTED, Log, asked, execution, over
from tests.support.events import delta
from tests.support.fake_state import USAGE, FakeExecution, FakeTask
from tests.support.terminal import Screen


def _console(width: int = 80, height: int = 24) -> Console:
    return Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system="truecolor")


def _tree(board: Board, width: int = 60, height: int = 20, only: int | None = None) -> str:
    now = START + timedelta(seconds=70)
    lines = tree_lines(board, _console(width), height=height, now=now, tick=0, only=only)
    assert len(lines) <= height
    assert all(line.cell_len < width for line in lines)
    return "\n".join(line.plain.rstrip() for line in lines)


def _running(*needs: list[int]) -> tuple[Board, Log]:
    board, log = Board(execution(*needs)), Log()
    board.apply(log(CREATED, execution_state="running"))
    return board, log


def test_a_task_of_another_agent_names_it() -> None:
    board = Board(execution([], [1], agents={2: "writer"}))
    first, second = _tree(board).splitlines()[1:]
    assert "Task 2 · writer" in second
    assert "·" not in first


def test_a_tree_of_tasks_with_their_states() -> None:
    board, log = _running([], [], [1, 2], [3], [3])
    for event in (
        log(STARTED, 1, "running"),
        log(STARTED, 2, "running"),
        log(over("ok"), 1, "succeeded"),
        log(asked("q"), 2),
        log(over(), 2, "waiting"),
    ):
        board.apply(event)
    assert _tree(board) == (
        "⠋ A plan                                      running  1:09\n"
        "  ✔ 1 Task 1                                           0:02\n"
        "  ? 2 Task 2                                     asks  1:04\n"
        "  └─ ○ 3 Task 3                                     after 2\n"
        "     ├─ ○ 4 Task 4                                  after 3\n"
        "     └─ ○ 5 Task 5                                  after 3"
    )
    assert _tree(board, only=2).splitlines()[1:] == ["  ? 2 Task 2                                     asks  1:04"]


def test_a_running_task_shows_the_end_of_what_it_says() -> None:
    board, log = _running([], [1])
    board.apply(log(STARTED, 1, "running"))
    for number in range(1, 40):
        board.apply(log(delta(f"line {number}\n"), 1))
    lines = _tree(board, height=6).splitlines()
    assert lines[2:5] == ["    │ line 37", "    │ line 38", "    │ line 39"]


def test_where_there_is_no_room_only_lively_tasks_are_shown() -> None:
    board, log = _running(*(list[int]() for _ in range(30)))
    for number in (7, 9):
        board.apply(log(STARTED, number, "running"))
    board.apply(log(TaskFailed(code="x"), 3, "failed"))
    lines = _tree(board, height=8).splitlines()
    assert lines[1] == "  2 of 30 tasks; the others: 27 pending, 1 failed"
    assert [line.split()[1] for line in lines[2:]] == ["7", "9"]


def test_a_chain_of_a_thousand_tasks_can_be_drawn() -> None:
    board, _ = _running(*[[number] if number else [] for number in range(1000)])
    assert "1000 pending" in _tree(board, height=10)
    assert _tree(board, height=1100).count("○") == 1000


@settings(deadline=None)
@given(
    st.integers(20, 140),
    st.integers(4, 40),
    st.lists(st.text(max_size=60), min_size=1, max_size=8),
    st.text(max_size=400),
    st.text(max_size=120),
    st.lists(st.text(min_size=1, max_size=40), max_size=14),
)
def test_whatever_is_said_the_drawing_fits(
    width: int, height: int, titles: list[str], text: str, typed: str, choices: list[str]
) -> None:
    board, log = _running(*[[number] if number % 3 else [] for number in range(len(titles))])
    for task, title in zip(board.tasks.values(), titles, strict=True):
        task.title = title
    board.apply(log(STARTED, 1, "running"))
    board.apply(log(delta(text), 1))
    _tree(board, width, height)
    ask = Ask(BoardTask("t", 1, titles[0]), Question("q", text or "?", tuple(choices)))
    line = InputLine(changed=ask.forget_trouble)
    line.insert_text(typed)
    lines, (row, column) = panel(ask, line, waiting=3, is_plan=True, console=_console(width), height=height)
    assert len(lines) <= max(height, 7)
    assert all(line.cell_len < width for line in lines)
    assert 0 < row < len(lines) - 1
    assert 0 < column < width


@given(st.text())
def test_nothing_that_a_terminal_obeys_gets_through(text: str) -> None:
    screen = Screen(80, 5)
    screen.feed(harmless(text).replace("\n", "\r\n"))  # raises for control characters and escapes
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(harmless(text))
    assert "\n" not in one_line(text)


def test_json_keeps_its_meaning_without_control_characters() -> None:
    assert harmless_json('{"a": "\x9b31m\x7f"}') == '{"a": "\\u009b31m\\u007f"}'


@pytest.mark.parametrize(
    ("seconds", "on_a_clock", "in_words"),
    [
        (-3, "0:00", "0 s"),
        (59, "0:59", "59 s"),
        (61, "1:01", "1 min"),
        (3661, "1:01:01", "1 h"),
        (2e5, "55:33:20", "2 days"),
    ],
)
def test_spans(seconds: float, on_a_clock: str, in_words: str) -> None:
    assert clock(timedelta(seconds=seconds)) == on_a_clock
    assert ago(timedelta(seconds=seconds)) == in_words


class _Drawn:
    """A region on a screen."""

    def __init__(self, width: int = 40, height: int = 10) -> None:
        self.file = io.StringIO()
        self.console = Console(file=self.file, width=width, height=height, force_terminal=True)
        self.region = Region(self.console)
        self.screen = Screen(width, height)

    def show(self) -> str:
        self.screen.feed(self.file.getvalue().replace("\n", "\r\n"))
        self.file.seek(0)
        self.file.truncate()
        return self.screen.text


def _lines(*texts: str) -> list[Text]:
    return [Text(text) for text in texts]


def test_a_region_is_replaced_and_what_is_printed_stays_above_it() -> None:
    drawn = _Drawn()
    drawn.region.draw(_lines("one", "two", "three"), (1, 2))
    assert drawn.show() == "one\ntwo\nthree"
    assert (drawn.screen.row, drawn.screen.column) == (1, 2)
    drawn.region.draw(_lines("uno"), above=[Text("said first"), Text("and then")])
    assert drawn.show() == "said first\nand then\nuno"
    assert "?25" not in drawn.screen.modes
    drawn.region.draw(_lines("eins", "zwei"), (0, 0), above=[Text("x" * 60)])
    assert drawn.show() == f"said first\nand then\n{'x' * 40}\n{'x' * 20}\neins\nzwei"
    assert "?25" in drawn.screen.modes
    drawn.region.close()
    assert drawn.show() == f"said first\nand then\n{'x' * 40}\n{'x' * 20}"


@given(
    st.lists(
        st.tuples(st.lists(st.text("abc日", max_size=50), max_size=4), st.integers(1, 14), st.integers(0, 14)),
        max_size=12,
    )
)
def test_nothing_that_was_printed_is_ever_lost(frames: list[tuple[list[str], int, int]]) -> None:
    drawn, printed = _Drawn(width=40, height=10), list[str]()
    for above, count, row in frames:
        lines = _lines(*(f"region {number}" for number in range(count)))
        shown = min(count, 9)
        drawn.region.draw(lines, (min(row, shown - 1), 0), above=[Text(text) for text in above])
        printed += above
    drawn.region.close()
    drawn.show()
    seen = "".join(line.strip() for line in drawn.screen.history.splitlines())
    assert seen == "".join("".join(text.split()) for text in printed)


def test_after_a_resize_the_screen_is_made_anew() -> None:
    drawn = _Drawn(width=40, height=10)
    drawn.region.draw(_lines("a" * 39, "b" * 39), above=[Text("stays"), Text("w" * 30)])
    drawn.show()
    drawn.console.size = ConsoleDimensions(20, 6)
    drawn.screen.resize(20, 6)
    drawn.screen.feed("garbage of the terminal's own making\r\n" * 3)
    drawn.region.draw(_lines("a" * 39, "b"), (1, 0))
    assert drawn.show() == f"stays\n{'w' * 20}\n{'w' * 10}\n{'a' * 19}\nb"


@pytest.mark.parametrize(
    ("used", "line"),
    [
        (Usage(), ""),
        (Usage(1, 2, calls=1), "1 model call · 1 tokens in · 2 out"),
        (
            Usage(1_234_567, 34_567, 1_200_000, 30_000, 1.25, 1_024),
            "1,024 model calls · 1,234,567 tokens in (1,200,000 cached) · 34,567 out (30,000 reasoning) · 1.25 USD",
        ),
    ],
)
def test_what_was_used_in_a_line(used: Usage, line: str) -> None:
    assert usage_line(used) == line


def test_reasoning_is_seen_until_there_is_an_answer() -> None:
    board, log = _running([])
    for event in (log(STARTED, 1, "running"), log(ReasoningDelta(turn=1, step=0, attempt=1, text="Hm, let me see"), 1)):
        board.apply(event)
    assert "Hm, let me see" in _tree(board)
    board.apply(log(delta("Four."), 1))
    assert "Four." in _tree(board)
    assert "Hm" not in _tree(board)


def test_the_inbox_says_what_was_used_where_there_is_room() -> None:
    def drawn(title: str, **used: float) -> str:
        fake = FakeTask(PlanTask(1, title, ""), FakeExecution("a plan"))
        task = TaskOut.model_validate({**fake.json(), "usage": {**USAGE, **used}})
        console = _console()
        console.print(inbox_table([task], START))
        out = console.file
        assert isinstance(out, io.StringIO)
        screen = Screen(80, 24)
        screen.feed(out.getvalue().replace("\n", "\r\n"))
        return screen.text

    assert "Tidy · 1,234 tokens" in drawn("Tidy", calls=1, input_tokens=1200, output_tokens=34)
    assert "Tidy · 0.02 USD" in drawn("Tidy", calls=1, input_tokens=1200, usd=0.02)
    assert "·" not in drawn("Tidy")
    assert "tokens" not in drawn("A title that takes a whole line " * 2, calls=1, input_tokens=1200)
