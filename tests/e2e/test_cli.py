"""A person at a terminal, on the real stack."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from baton.cli.demo import play_demo
from tests.support.stack import DevStack
from tests.support.terminal import in_terminal

_ROOT = Path(__file__).resolve().parents[2]
_BATON = (sys.executable, "-m", "baton.cli")


def _environment(stack: DevStack) -> dict[str, str]:
    """Nothing says where the stack is, but the note that it keeps while it runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "COLUMNS", "LINES"))}
    return {**kept, "XDG_STATE_HOME": str(stack.data / "state"), "PYTHONPATH": str(_ROOT)}


async def _baton(stack: DevStack, *arguments: str, code: int = 0) -> str:
    process = await asyncio.create_subprocess_exec(
        *_BATON,
        *arguments,
        cwd=_ROOT,
        env=_environment(stack),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == code, f"{out.decode()}\n{err.decode()}"
    return out.decode()


async def _inbox(stack: DevStack, execution: str) -> list[dict[str, Any]]:
    return [task for task in json.loads(await _baton(stack, "inbox", "--json")) if task["execution_id"] == execution]


async def test_a_plan_is_answered_in_the_terminal_although_the_api_dies(stack: DevStack) -> None:
    command = [*_BATON, "run", "examples/region-migration.yaml"]
    async with in_terminal(command, environment=_environment(stack), height=40, directory=_ROOT) as terminal:
        await terminal.until("❯", seconds=60)
        assert "Which region shall the orders service move to?" in terminal.screen.text
        killed = stack.send_signal("api")
        terminal.type("2\r")
        await terminal.until("was answered by you", seconds=60)
        await stack.restarted("api", killed)
        await terminal.until("5 Copy the data")
        await terminal.until("How many percent of the orders", seconds=60)
        await terminal.until("❯")
        terminal.type("80\r")
        await terminal.until("❯ 80")
        await terminal.until(lambda screen: "80 is greater than the maximum of 50" in screen.text.replace("\n", " "))
        terminal.type("\x7f\x7f20\r")
        assert await terminal.ended(60) == 0
        told = terminal.screen.history
    execution = told.split("Move the orders service to another region  ")[1].split()[0]
    assert told.count("was answered by you") == 2
    assert told.count("✔ succeeded after") == 8
    assert "✔ Move the orders service to another region: succeeded" in told
    async with stack.client() as client:
        tasks = (await client.get(f"/baton/v1/executions/{execution}")).json()["tasks"]
        for position, text in ((4, "eu-west-1"), (7, "20")):
            task = next(task for task in tasks if task["position"] == position)
            sent = (await client.get(f"/baton/v1/tasks/{task['id']}/messages")).json()["items"]
            assert [(message["text"], message["state"]) for message in sent] == [(text, "processed")]
            assert len(sent[0]["answers"]) == 1
            assert f"You said: {text}" in task["result"]


async def test_started_listed_answered_and_watched_by_separate_commands(stack: DevStack) -> None:
    execution = (await _baton(stack, "run", "examples/demo.yaml", "--detach")).strip()
    async with asyncio.timeout(30):
        while len(waiting := await _inbox(stack, execution)) < 2:
            await asyncio.sleep(0.1)
    assert {task["position"] for task in waiting} == {2, 3}
    shown = await _baton(stack, "inbox")
    assert "When shall release 2.4 go out?" in shown
    assert f"baton send {execution}/3 TEXT" in shown
    refused = await _baton(stack, "send", f"{execution}/3", "many", code=4)
    assert refused == ""
    assert "Accepted as message 1" in await _baton(stack, "send", f"{execution}/3", "10")
    asked = next(task for task in waiting if task["position"] == 2)
    options = ("--question", asked["questions"][0]["id"], "--idempotency-key", "once", "--json")
    first = json.loads(await _baton(stack, "send", asked["id"], "Sunday 21:00 UTC", *options))
    again = json.loads(await _baton(stack, "send", asked["id"], "Sunday 21:00 UTC", *options))
    assert first["id"] == again["id"]
    watched = await _baton(stack, "watch", execution)
    assert "Agree on a window: You said: Sunday 21:00 UTC" in watched
    assert "✔ Ship release 2.4 of the shop: succeeded" in watched
    events = [json.loads(line) for line in (await _baton(stack, "watch", execution, "--json")).splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["execution_state"] == "succeeded"
    assert await _inbox(stack, execution) == []


async def test_a_failure_is_seen_and_mended_by_a_message(stack: DevStack) -> None:
    told = await _baton(stack, "run", "examples/supplier-import.yaml", code=1)
    assert "2 Check the prices  ✘ failed" in told
    assert "4 Tell the shops  ✘ failed  dependency_failed" in told
    execution = told.splitlines()[0].split()[-1]
    await _baton(stack, "send", f"{execution}/2", "The file is repaired, try again.")
    assert "✔ Import the supplier's price list: succeeded" in await _baton(stack, "watch", execution)


async def test_nobody_to_answer(stack: DevStack) -> None:
    told = await _baton(stack, "run", "examples/one-question.yaml", code=3)
    assert "baton inbox" in told


async def test_the_demo(stack: DevStack, capsys: pytest.CaptureFixture[str]) -> None:
    assert await play_demo(stack.url, stack.api_key, temporal_ui_url=stack.ready["temporal_ui_url"]) == 0
    told = capsys.readouterr().out
    assert told.count("202: stored, and on its way; 1 kept running meanwhile") == 2
    order = [
        "2 Agree on a window  was answered by the demo",
        "3 Decide who gets it first  was answered by the demo",
        "1 Test the release candidate  ✔ succeeded",
        "4 Roll it out  started",
        "Agree on a window: You said: Sunday 21:00 UTC",
        "Decide who gets it first: You said: 10",
        "5 Tell the customers  ✔ succeeded",
    ]
    places = [told.index(line) for line in order]
    assert places[2:] == sorted(places[2:])
    assert max(places[:2]) < places[2]
    hints = told.split("Where to look next:\n")[1].splitlines()
    columns = {line.index(line.split("  ")[-1]) for line in map(str.rstrip, hints) if line}
    assert len(hints) == 5
    assert len(columns) == 1, "every hint stands apart from its label, in one column"
