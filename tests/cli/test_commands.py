"""The commands as processes, with pipes for stdin and stdout."""

import asyncio
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from baton.cli.commands.run import prepared_answers
from baton.cli.demo import ANSWERS, play_demo
from baton.cli.demo import PLAN as DEMO
from baton.cli.main import COMMANDS, build, overview
from baton.domain.plans import parse_plan
from baton.domain.states import TaskState
from tests.cli.conftest import ROOT, Command
from tests.support.fake_baton import KEY, FakeBaton
from tests.support.plans import plan

ASKING = ('!ask {"question": "Which?", "choices": ["red", "green"]}', "!ask How many?", ("!results", [1, 2]))


@pytest.fixture
def asking(tmp_path: Path) -> str:
    """The file of a plan of three tasks; two ask, the third tells the answers."""
    file = tmp_path / "asking.yaml"
    file.write_text(yaml.safe_dump(plan(*ASKING, title="Asking")))
    return str(file)


async def _waiting(fake: FakeBaton, count: int) -> None:
    def waiting() -> int:
        return sum(t.state is TaskState.WAITING for e in fake.executions.values() for t in e.tasks)

    async with asyncio.timeout(60):
        while waiting() < count:
            await asyncio.sleep(0.01)


async def test_prepared_answers_see_a_plan_through(baton: Command, fake: FakeBaton, asking: str) -> None:
    ran = await baton("run", asking, "--answer", "1=2", "--answer", "2=a = b", "--no-input")
    assert (ran.code, ran.err) == (0, "")
    assert "1 Task 1  was answered by you\n         │ green\n" in ran.out
    assert "Task 2: You said: a = b" in ran.out
    assert "Asking: succeeded" in ran.out
    assert {body["text"] for _, body, _ in fake.sends} == {"green", "a = b"}
    assert all(headers["baton-question"].startswith("q_") for _, _, headers in fake.sends)
    assert len({headers["idempotency-key"] for _, _, headers in fake.sends}) == 2


async def test_lines_of_stdin_answer_in_the_order_of_the_questions(
    baton: Command, fake: FakeBaton, tmp_path: Path
) -> None:
    file = tmp_path / "in-turn.json"
    file.write_text(json.dumps(plan("!ask First?", ("!ask Second?", [1]))))
    ran = await baton("run", str(file), stdin="one\n\ntwo\n")
    assert ran.code == 0
    assert [body["text"] for _, body, _ in fake.sends] == ["one", "two"]


async def test_who_cannot_answer_leaves_and_says_how_to_come_back(baton: Command, fake: FakeBaton, asking: str) -> None:
    for ran in (await baton("run", asking, "--no-input"), await baton("run", asking, stdin="")):
        assert ran.code == 3
        assert "baton inbox" in ran.out
    ran = await baton("run", asking, "--answer", "2=7")
    assert ran.code == 3
    assert "2 Task 2  ✔ succeeded" in ran.out
    execution = list(fake.executions)[-1]
    assert f"baton watch {execution} --answer-here" in ran.out
    assert "asks: Which?" in ran.out


async def test_a_refused_answer_is_told_and_the_next_line_is_taken(
    baton: Command, fake: FakeBaton, tmp_path: Path
) -> None:
    file = tmp_path / "number.json"
    file.write_text(json.dumps(plan('!ask {"question": "How many?", "schema": {"type": "integer"}}')))
    ran = await baton("run", str(file), "--answer", "1=lots", stdin="7\n")
    assert ran.code == 0
    assert "the answer to 1 was not taken: The answer does not fit the question" in ran.out
    assert [body["text"] for _, body, _ in fake.sends] == ["lots", "7"]


async def test_a_failing_plan_ends_with_1_and_says_why(baton: Command) -> None:
    ran = await baton("run", "examples/supplier-import.yaml")
    assert ran.code == 1
    assert "attempt 2 failed (scripted_failure); retrying" in ran.out
    assert "2 Check the prices  ✘ failed after" in ran.out
    assert "3 Publish the prices  ✘ failed  dependency_failed" in ran.out
    assert "5 Photograph what is new  ✔ succeeded" in ran.out


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda file: file.stem)
async def test_every_example_can_be_seen_through(baton: Command, fake: FakeBaton, example: Path) -> None:
    answers = ["--answer=1=2", "--answer=2=1", "--answer=3=10", "--answer=4=1", "--answer=7=20"]
    ran = await baton("run", str(example), *answers, "--no-input")
    assert ran.code == (1 if example.stem == "supplier-import" else 0), ran.out


async def test_json_is_the_event_log(baton: Command, fake: FakeBaton, asking: str) -> None:
    ran = await baton("run", asking, "--json", "--answer", "1=red", "--answer", "2=7")
    events = [json.loads(line) for line in ran.out.splitlines()]
    execution = next(iter(fake.executions.values()))
    assert events == json.loads(json.dumps(execution.events))
    assert ran.code == 0
    watched = await baton("watch", f"{execution.id}/1", "--json", "--after", "5")
    assert [json.loads(line)["seq"] for line in watched.out.splitlines()] == [
        event["seq"] for event in events if event["position"] in (None, 1) and event["seq"] > 5
    ]
    assert watched.code == 0


async def test_detached_then_listed_then_answered_then_watched(baton: Command, fake: FakeBaton, asking: str) -> None:
    started = await baton("run", asking, "--detach")
    execution = started.out.strip()
    assert execution in fake.executions
    await _waiting(fake, 2)
    await baton("run", asking, "--detach")
    await _waiting(fake, 4)

    listed = json.loads((await baton("inbox", "--json")).out)
    assert [(task["execution_id"], task["position"]) for task in listed[:2]] == [(execution, 1), (execution, 2)]
    assert len(listed) == 4  # the fake server's pages have two
    shown = (await baton("inbox")).out
    assert "Which?" in shown
    assert " 1 red" in shown
    assert f"baton send {execution}/1 TEXT" in shown

    sent = await baton("send", f"{execution}/1", "green")
    assert sent.code == 0
    assert sent.out.startswith("Accepted as message 1, id ")
    again = await baton("send", listed[1]["id"], "-", "--json", "--idempotency-key", "k", stdin="seven\n")
    assert json.loads(again.out)["task_id"] == listed[1]["id"]
    assert (await baton("send", listed[1]["id"], "seven\n", "--idempotency-key", "k")).out.startswith("Accepted before")

    watched = await baton("watch", execution)
    assert watched.code == 0
    assert "1 Task 1  was answered by ada" in watched.out
    assert "Task 1: You said: green" in watched.out
    one = await baton("watch", f"{execution}/1")
    assert one.code == 0
    assert "Task 2" not in one.out


async def test_a_choice_is_sent_by_its_number(baton: Command, fake: FakeBaton) -> None:
    fake.begin(
        plan(
            '!ask {"question": "Which?", "choices": ["red", "green"]}',
            '!ask {"question": "How many?", "choices": ["3", "2"]}',
            "!ask Free?",
        )
    )
    await _waiting(fake, 3)
    execution = next(iter(fake.executions.values()))
    asked = {n: execution.task(n).questions[0]["id"] for n in (1, 2, 3)}
    for number, text in ((1, " 2\n"), (2, "a"), (3, "2")):
        assert (await baton("send", f"{execution.id}/{number}", text)).code == 0
    assert [(body["text"], headers.get("baton-question")) for _, body, headers in fake.sends] == [
        ("green", asked[1]),
        ("3", asked[2]),
        ("2", None),
    ]
    fake.begin(plan('!ask {"question": "Which?", "choices": ["red", "green"]}'))
    await _waiting(fake, 1)
    task = list(fake.executions.values())[-1].task(1)
    task.questions.append({**task.questions[0], "id": "q_more"})
    ran = await baton("send", task.id, "1")
    assert (ran.code, ran.out) == (2, "")
    assert "name one with --question" in ran.err
    assert (await baton("send", task.id, "1", "--question", "q_more")).code == 0
    assert (await baton("send", task.id, "9")).code == 0
    assert [(body["text"], headers.get("baton-question")) for _, body, headers in fake.sends[3:]] == [
        ("red", "q_more"),
        ("9", None),
    ]


async def test_headers_of_a_send(baton: Command, fake: FakeBaton, asking: str) -> None:
    execution = fake.begin(plan("!ask Well?"))
    await _waiting(fake, 1)
    task = execution.task(1)
    options = ["--mode", "interrupt", "--question", task.questions[0]["id"], "--if-version", "3"]
    assert (await baton("send", task.id, "yes", *options)).code == 0
    _, _, headers = fake.sends[-1]
    assert headers["baton-mode"] == "interrupt"
    assert headers["if-match"] == '"3"'
    assert headers["baton-question"].startswith("q_")


async def test_an_execution_of_one_task_stands_for_it(baton: Command, fake: FakeBaton) -> None:
    single, several = fake.begin(plan("!ask Well?")), fake.begin(plan("!ask A?", "!ask B?"))
    await _waiting(fake, 3)
    assert (await baton("send", single.id, "yes")).code == 0
    ran = await baton("send", several.id, "yes")
    assert (ran.code, ran.err) == (
        2,
        f"baton: {several.id} is a plan with the tasks 1, 2: name one, as in {several.id}/1\n",
    )


async def test_errors_are_one_line_with_their_own_exit_codes(
    baton: Command, fake: FakeBaton, asking: str, tmp_path: Path
) -> None:
    (tmp_path / "cycle.yaml").write_text(yaml.safe_dump(plan(("!say x", [2]), ("!say y", [1]))))
    nobody = "0198c2a0-0000-7000-8000-000000000001"
    cases = [
        (2, "cannot read the plan nowhere.yaml", baton("run", "nowhere.yaml")),
        (2, "--answer takes TASK=TEXT", baton("run", asking, "--answer", "red")),
        (2, "names no task", baton("send", "7", "yes")),
        (2, "there is no text to send", baton("send", nobody, " ")),
        (2, "must begin with http", baton("inbox", url="ftp://x")),
        (4, "depend", baton("run", str(tmp_path / "cycle.yaml"))),
        (4, "no such task", baton("send", nobody, "yes")),
        (4, "no such task", baton("watch", nobody)),
        (4, "--key or BATON_API_KEY", baton("inbox", key="wrong")),
        (5, "no Baton at http://127.0.0.1:9", baton("inbox", url="http://127.0.0.1:9")),
    ]
    for (code, says, _), ran in zip(cases, await asyncio.gather(*(ran for _, _, ran in cases)), strict=True):
        assert (ran.code, ran.out) == (code, ""), ran
        assert says in ran.err
        assert ran.err.startswith("baton: ")
        assert ran.err.count("\n") == 1


async def test_a_key_that_nobody_reads_is_told_with_its_line(baton: Command, fake: FakeBaton, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(
        "title: T\ntasks:\n- {id: 1, title: a, description: x}\n"
        "- id: 2\n  title: 2.4\n  description: y\n  depend_on: [1]\n"
    )
    ran = await baton("run", str(file), "--detach")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.splitlines() == [
        f"baton: {file}, line 7: task 2 has an unknown key 'depend_on'; did you mean 'depends_on'?",
        f'baton: {file}, line 5: task 2: title must be text, not a number: write "2.4"',
    ]
    assert not fake.executions
    file.write_text(
        "title: T\nteam_breakdown:\n- tasks:\n"
        "  - {id: 1, title: a, description: '!say x', priority: high, depend_on: []}\n"
    )
    ran = await baton("run", str(file), "--detach")
    assert ran.code == 0
    assert ran.out.strip() in fake.executions
    assert ran.err == "baton: warning: task 1 has an unknown key 'depend_on'; did you mean 'depends_on'?\n"


async def test_a_server_that_goes_and_comes_back_is_told(baton: Command, fake: FakeBaton, asking: str) -> None:
    running = asyncio.create_task(baton("run", asking, "--answer", "1=1", stdin=None))
    await _waiting(fake, 1)
    await fake.stop()
    await fake.start()
    ran = await running
    assert ran.code == 3
    assert "was answered by you" in ran.out


async def test_control_characters_of_a_model_do_not_reach_the_terminal(
    baton: Command, fake: FakeBaton, tmp_path: Path
) -> None:
    file = tmp_path / "evil.json"
    evil = "\x1b]0;title\x07\x1b[2J\x9b31m[red]text[/red]\x7f"
    file.write_text(json.dumps(plan(f"!say {evil}", f"!ask {evil}", title=f"T{evil}")))
    ran = await baton("run", str(file), "--answer", f"2={evil}")
    assert ran.code == 0
    assert "[red]text[/red]" in ran.out
    assert not set("\x1b\x07\x9b\x7f") & set(ran.out)


async def test_the_demo(fake: FakeBaton, capsys: pytest.CaptureFixture[str]) -> None:
    fake.pace = 0.3
    assert await play_demo(fake.url, KEY, temporal_ui_url="http://localhost:8233/") == 0
    told = capsys.readouterr().out
    execution = next(iter(fake.executions.values()))
    assert "Agree on a window: You said: Sunday 21:00 UTC" in told  # what came after used the answers
    assert "Decide who gets it first: You said: 10" in told
    assert told.count("202: stored") == 2
    assert "1 kept running meanwhile" in told
    assert f"http://localhost:8233/namespaces/default/workflows/plan-{execution.id}" in told
    demo = parse_plan(yaml.safe_load(DEMO.read_text()))
    assert len(demo.tasks) >= 4
    assert sum(not task.depends_on for task in demo.tasks) >= 2
    assert {str(task.position) for task in demo.tasks if "!ask" in task.description} == set(ANSWERS)


async def test_a_demo_that_fails_says_so(fake: FakeBaton, capsys: pytest.CaptureFixture[str]) -> None:
    assert await play_demo(fake.url, "wrong") == 4
    assert "The demo failed: " in capsys.readouterr().out


def test_answers_are_gathered_by_task() -> None:
    assert prepared_answers(["1=a", "2=b=c", "1= d"]) == {"1": ["a", " d"], "2": ["b=c"]}


async def test_a_port_that_is_none_is_a_line(baton: Command) -> None:
    for command in ("dev", "api"):
        ran = await baton(command, "--port", "99999")
        assert ran.code == 2
        assert "65535" in ran.err
        assert "Traceback" not in ran.err


def test_every_help_fits_80_columns_and_no_summary_is_cut() -> None:
    app, runner = build(list(COMMANDS)), CliRunner()

    def shown(*words: str) -> str:
        return runner.invoke(app, [*words, "--help"], terminal_width=80).output

    groups = {(): COMMANDS, ("keys",): ("create", "list", "revoke"), ("agents",): ("list", "show", "create", "change")}
    for group, names in groups.items():
        assert "..." not in shown(*group).split("Commands:")[1]
        for name in names:
            text = shown(*group, name)
            assert text.startswith(f"Usage: {' '.join(['baton', *group, name])}"), text
            assert all(len(line) <= 80 for line in text.splitlines())


def test_the_overview_says_what_the_commands_say() -> None:
    """It imports none of them."""
    said, meant = (CliRunner().invoke(app, ["--help"]).output for app in (overview(), build(list(COMMANDS))))
    assert said == meant


@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), ([], 2), (["nonsense"], 2), (["--", "send", "--help"], 0)]
)
async def test_what_names_no_command(baton: Command, words: list[str], code: int) -> None:
    ran = await baton(*words)
    assert ran.code == code
    assert ("Usage: baton send" if "send" in words else "Usage: baton [OPTIONS] COMMAND") in ran.out + ran.err
