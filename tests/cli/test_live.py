"""The live view in a real pseudo-terminal: what a person sees and types."""

import json
import re
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from baton.domain.states import TaskState
from tests.cli.conftest import BATON, ROOT
from tests.support.fake_baton import KEY, FakeBaton
from tests.support.plans import plan
from tests.support.terminal import Screen, Terminal, in_terminal

Sit = Callable[..., AbstractAsyncContextManager[Terminal]]

CHOICE = '!ask {"question": "Which colour?", "choices": ["red", "green", "blue"]}'
NUMBER = '!ask {"question": "How many?", "schema": {"type": "integer", "minimum": 1}}'


@pytest.fixture
def sit(fake: FakeBaton, environment: dict[str, str], tmp_path: Path) -> Sit:
    """Sit down at a terminal and call `baton …`; a dict among the arguments is a plan, passed as a file."""

    @asynccontextmanager
    async def run(*arguments: str | dict[str, Any], width: int = 80, height: int = 24) -> AsyncGenerator[Terminal]:
        words: list[str] = []
        for argument in arguments:
            if isinstance(argument, dict):
                file = tmp_path / "plan.json"
                file.write_text(json.dumps(argument))
                argument = str(file)
            words.append(argument)
        whole = {**environment, "BATON_URL": fake.url, "BATON_API_KEY": KEY, "COLUMNS": "200", "LINES": "60"}
        async with in_terminal([*BATON, *words], environment=whole, width=width, height=height, directory=ROOT) as it:
            yield it

    return run


def _chapter(screen: Screen) -> int:
    """The last chapter that the screen shows."""
    return max(int(number) for number in re.findall(r"│ Chapter (\d+)\.", screen.text))


def _texts(fake: FakeBaton) -> list[str]:
    return [body["text"] for _, body, _ in fake.sends]


async def test_questions_are_answered_right_there_while_a_sibling_goes_on(fake: FakeBaton, sit: Sit) -> None:
    fake.pace = 1.0
    story = "!say It begins.\n" + "".join(f"!sleep 0.2\n!say Chapter {number}.\n" for number in range(2000))
    # The third task talks all the while; the plan ends when it is cut short below.
    async with sit("run", plan(CHOICE, NUMBER, story)) as terminal:
        await terminal.until("Which colour?")
        await terminal.until("1 of 2")
        await terminal.until("│ Chapter ")
        terminal.type("gre")
        await terminal.until("❯ gre")
        seen = fake.executions[next(iter(fake.executions))].task(3)
        assert seen.state is TaskState.RUNNING
        told = _chapter(terminal.screen)
        await terminal.until(lambda screen: "❯ gre" in screen.text and _chapter(screen) > told)
        assert terminal.screen.text.count("❯ gre") == 1
        terminal.type("en\r")
        await terminal.until("was answered by you")
        await terminal.until("How many?")
        terminal.type("lots\r")
        await terminal.until("The answer does not fit")
        await terminal.until("❯ lots")
        terminal.type("\x157\r")
        await terminal.until(lambda screen: "✔ 2 Task 2" in screen.text)
        terminal.type("\x03")
        assert await terminal.ended() == 130
        assert _texts(fake) == ["green", "lots", "7"]


async def test_it_ends_with_the_result_and_leaves_the_terminal_as_it_was(fake: FakeBaton, sit: Sit) -> None:
    async with sit("run", plan(CHOICE, ("!results", [1]))) as terminal:
        await terminal.until("Which colour?")
        assert not terminal.echoes
        assert "?2004" in terminal.screen.modes
        terminal.type("\x1b[B")
        terminal.type("\x1b[B")
        terminal.type("\r")
        assert await terminal.ended() == 0
        assert terminal.echoes
        assert terminal.screen.modes == {"?25", "?7"}
        assert "✔ A plan: succeeded" in terminal.screen.text
        assert "Task 1: You said: green" in terminal.screen.text
        assert "╭" not in terminal.screen.text  # what was drawn is gone
        assert "❯" not in terminal.screen.history
        assert terminal.screen.history.count("was answered by you") == 1


async def test_text_of_any_script_can_be_typed_edited_and_pasted(fake: FakeBaton, sit: Sit) -> None:
    async with sit("run", plan("!ask Say something"), width=40) as terminal:
        await terminal.until("❯")
        terminal.type("日本語と Grüße 😀 and much more that goes on to the next row")
        await terminal.until("the next row")
        terminal.type("\x1b[200~, pasted\rin two lines\x1b[201~")
        await terminal.until("in two lines")
        terminal.type("\x01!\x05\x7f\r")  # Home and End are of the line that the cursor is in
        assert await terminal.ended() == 0
    expected = "日本語と Grüße 😀 and much more that goes on to the next row, pasted\n!in two line"
    assert _texts(fake) == [expected]


async def test_ctrl_c_leaves_the_plan_running_and_watch_comes_back(fake: FakeBaton, sit: Sit) -> None:
    async with sit("run", plan(CHOICE)) as terminal:
        await terminal.until("Which colour?")
        terminal.type("half typ\x03")
        assert await terminal.ended() == 130
        assert terminal.echoes
        execution = next(iter(fake.executions.values()))
        assert f"baton watch {execution.id} --answer-here" in "".join(terminal.screen.history.splitlines())
    assert execution.task(1).state is TaskState.WAITING
    assert fake.sends == []
    async with sit("watch", execution.id) as terminal:
        await terminal.until("? 1 Task 1")
        assert "❯" not in terminal.screen.text
        assert f"baton send {execution.id}/1 TEXT" in terminal.screen.text
        async with sit("watch", f"{execution.id}/1", "--answer-here") as other:
            await other.until("❯")
            other.type("3\r")
            assert await other.ended() == 0
        assert await terminal.ended() == 0
        assert "was answered by ada" in terminal.screen.text


async def test_an_answer_typed_while_the_server_is_away_arrives_once(fake: FakeBaton, sit: Sit) -> None:
    async with sit("run", plan(CHOICE, "!ask And you?"), height=30) as terminal:
        await terminal.until("1 of 2")
        await fake.stop()
        await terminal.until("no connection")
        terminal.type("2\r")
        await terminal.until("And you?")
        await fake.start()
        await terminal.until("was answered by you")
        await terminal.until(lambda screen: "no connection" not in screen.text)
        terminal.type("fine\r")
        assert await terminal.ended() == 0
    execution = next(iter(fake.executions.values()))
    assert [len(task.messages) for task in execution.tasks] == [1, 1]
    assert set(_texts(fake)) == {"green", "fine"}


async def test_a_question_answered_elsewhere_goes_away(fake: FakeBaton, sit: Sit) -> None:
    async with sit("run", plan(CHOICE, "!ask And you?")) as terminal:
        await terminal.until("1 of 2")
        terminal.type("delete every")
        await terminal.until("❯ delete every")
        task = next(iter(fake.executions.values())).task(1)
        await fake.accept(task, "blue", [task.questions[0]["id"]], sender="grace")
        await terminal.until("was answered by grace")
        await terminal.until("2 Task 2 asks")
        terminal.type("fine")
        await terminal.until("❯ fine")
        await terminal.until(lambda screen: "delete every" not in screen.text)
        fake.refusals = [(412, {"code": "outdated", "detail": "this question is not open any more"})]
        await _enter_until(terminal, lambda: bool(fake.sends))
        await terminal.until("was not taken: this question is not open any more")
        terminal.type("\x04")
        assert await terminal.ended() == 130


async def _enter_until(terminal: Terminal, taken: Callable[[], bool]) -> None:
    """Press Enter until it counts: a question that came up under one's fingers takes none at first."""

    def pressed(_: Screen) -> bool:
        if not taken():
            terminal.type("\r")
        return taken()

    await terminal.until(pressed)


async def test_nothing_that_was_told_is_lost_when_the_window_changes(fake: FakeBaton, sit: Sit) -> None:
    told = [f"line {number} of what was told, long enough to be wrapped" for number in range(12)]
    script = "\n".join(f"!say {line}" for line in told)
    async with sit("run", plan(f"{script}\n{CHOICE}")) as terminal:
        await terminal.until("❯")
        terminal.resize(50, 40)
        await terminal.until(lambda screen: screen.text.count("line ") == 12 and "❯" in screen.text)
        terminal.type("bl")
        await terminal.until("❯ bl")
        terminal.resize(100, 20)
        await terminal.until(lambda screen: "❯ bl" in screen.text and "─" * 60 in screen.text)
        assert terminal.screen.text.count("╭") == 1
        terminal.type("ue\r")
        assert await terminal.ended() == 0
    assert _texts(fake) == ["blue"]


async def test_ctrl_l_makes_the_screen_anew(sit: Sit) -> None:
    async with sit("run", plan(CHOICE)) as terminal:
        await terminal.until("❯")
        terminal.screen.feed("\x1b[HGarbage from another program")
        terminal.type("\x0c")
        await terminal.until(lambda screen: "Garbage" not in screen.text and "❯" in screen.text)
        assert terminal.screen.text.count("Which colour?") == 2  # as it was told, and where it is asked


async def test_it_can_be_stopped_and_continued(fake: FakeBaton, sit: Sit) -> None:
    async with sit("run", plan(CHOICE)) as terminal:
        await terminal.until("❯")
        terminal.type("\x1a")
        await terminal.until(lambda screen: "❯" not in screen.text and terminal.echoes)
        terminal.process.send_signal(signal.SIGCONT)
        await terminal.until("❯")
        terminal.type("1\r")
        assert await terminal.ended() == 0
    assert _texts(fake) == ["red"]


async def test_sigterm_leaves_the_terminal_as_it_was(fake: FakeBaton, sit: Sit) -> None:
    async with sit("run", plan(CHOICE)) as terminal:
        await terminal.until("❯")
        terminal.process.terminate()
        assert await terminal.ended() == 143
        assert terminal.echoes
        assert terminal.screen.modes == {"?25", "?7"}


async def test_prepared_answers_and_nobody_to_ask(fake: FakeBaton, sit: Sit) -> None:
    async with sit("run", plan(CHOICE, "!ask And you?"), "--answer", "1=3", "--no-input") as terminal:
        assert await terminal.ended() == 3
        assert "❯" not in terminal.screen.history
        assert "baton inbox" in terminal.screen.text
    assert _texts(fake) == ["blue"]


async def test_a_small_window_is_enough(fake: FakeBaton, sit: Sit) -> None:
    tasks = [f"!say something rather long to say, from task {number}\n!ask Number {number}?" for number in range(9)]
    async with sit("run", plan(*tasks), width=30, height=9) as terminal:
        for _ in tasks:
            await terminal.until("❯")
            count = len(fake.sends)
            terminal.type("ok\r")
            await terminal.until(lambda _, count=count: len(fake.sends) > count)
        assert await terminal.ended() == 0
    assert _texts(fake) == ["ok"] * 9


async def test_plain_even_in_a_terminal(fake: FakeBaton, sit: Sit) -> None:
    async with sit("run", plan(CHOICE), "--plain") as terminal:
        await terminal.until("3 blue")
        terminal.type("3\n")
        assert await terminal.ended() == 0
        assert "was answered by you" in terminal.screen.text
    assert _texts(fake) == ["blue"]
