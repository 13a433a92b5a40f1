"""Does `baton dev` keep what it promises: the line, the restarts, a clean end, data that stays?"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from baton.service.namespace import SEARCH_ATTRIBUTES
from tests.support.stack import PARTS, DevStack, running_stack, start_stack, until

pytestmark = pytest.mark.timeout(300)  # a stack takes five seconds to start, on a busy machine many more


async def _healthy(stack: DevStack) -> bool:
    async with stack.client() as client:
        try:
            return (await client.get("/health")).status_code == 200
        except httpx.TransportError:
            return False


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


async def test_the_line_says_where_everything_is(stack: DevStack) -> None:
    assert list(stack.ready) == [
        "url",
        "api_key",
        "tenant",
        "agent_id",
        "task_queue",
        "temporal_address",
        "temporal_ui_url",
        "postgres_dsn",
        "pids",
    ]
    assert isinstance(stack.ready["agent_id"], int)
    assert set(stack.ready["pids"]) == set(PARTS)
    assert {p.pid for p in stack.descendants()} >= set(stack.pids.values())
    assert stack.stdout.read_text().count("\n") == 1, "only the line goes to stdout"
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{stack.url}/health")).status_code == 200
        assert (await client.get(stack.ready["temporal_ui_url"], follow_redirects=True)).status_code == 200
    connection = await asyncpg.connect(stack.ready["postgres_dsn"])
    try:
        durable = [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")]
        assert durable == ["on", "on"]
        assert await connection.fetchval("SHOW listen_addresses") == ""
    finally:
        await connection.close()


async def test_secrets_are_for_their_user_alone(stack: DevStack) -> None:
    (note,) = (stack.data / "state/baton/dev").glob("*.json")
    for file in (stack.data / "credentials.json", stack.data / "stack.json", note):
        assert file.stat().st_mode & 0o077 == 0, file
    socket_directory = Path(stack.ready["postgres_dsn"].split("host=")[1])
    assert socket_directory.stat().st_mode & 0o077 == 0, "whoever enters it is PostgreSQL's superuser"


async def test_search_attributes_are_there(stack: DevStack) -> None:
    from temporalio.client import Client

    client = await Client.connect(stack.ready["temporal_address"])
    for name in SEARCH_ATTRIBUTES:
        assert (await client.count_workflows(f"{name} = 'nobody'")).count == 0


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_that_dies_is_started_again(stack: DevStack, part: str) -> None:
    others = {name: pid for name, pid in stack.pids.items() if name != part}
    old = stack.pids[part]
    new = await stack.kill_and_wait(part)
    assert new != old
    assert psutil.Process(new).is_running()
    assert {name: pid for name, pid in stack.pids.items() if name != part} == others, "nobody else was restarted"
    while not await _healthy(stack):
        await asyncio.sleep(0.1)


async def test_calls_made_while_the_api_restarts_wait_for_it(stack: DevStack) -> None:
    old = stack.send_signal("api")
    async with stack.client() as client:
        assert (await client.get("/health")).status_code == 200
    await stack.restarted("api", old)


async def _task_in_state(stack: DevStack, task: str, state: str) -> dict[str, Any]:
    async with stack.client() as client, asyncio.timeout(30):
        while (found := (await client.get(f"/baton/v1/tasks/{task}")).raise_for_status().json())["state"] != state:
            await asyncio.sleep(0.1)
    return found


async def test_an_api_that_is_told_to_stop_ends_its_streams_at_once(stack: DevStack) -> None:
    async with stack.client() as client:
        started = (await client.post("/baton/v1/executions", json={"prompt": "!ask Which colour?"})).raise_for_status()
        await _task_in_state(stack, started.json()["tasks"][0]["id"], "waiting")
        path = f"/baton/v1/executions/{started.json()['id']}"
        last = (await client.get(path)).json()["last_event"]
        async with client.stream("GET", f"{path}/events", timeout=60) as stream:
            lines = stream.aiter_lines()
            while await anext(lines) != f"id: {last}":
                pass
            old = stack.send_signal("api", signal.SIGTERM)
            assert [line async for line in lines if line.startswith("id:")] == [], "it ends cleanly, with nothing new"
    await stack.restarted("api", old)  # which is long before the API would give up on a reader that stays
    assert "ended with exit code 0; starting it again" in stack.stderr.read_text()


async def test_its_end_is_complete_and_its_data_stays(tmp_path: Path) -> None:
    same = ("api_key", "tenant", "agent_id", "task_queue", "postgres_dsn")
    kept: list[dict[str, object]] = []
    task = ""
    for number, code in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 0)):
        stack = await start_stack(tmp_path / "data")
        kept.append({name: stack.ready[name] for name in same})
        if not task:
            async with stack.client() as client:
                prompt = {"prompt": "!ask Which colour?\n!finish Done."}
                started = (await client.post("/baton/v1/executions", json=prompt)).raise_for_status().json()
            task = started["tasks"][0]["id"]
        waiting = await _task_in_state(stack, task, "waiting")
        assert waiting["questions"][0]["text"] == "Which colour?"
        if len(kept) == 3:
            async with stack.client() as client:
                sent = await client.post(f"/baton/v1/tasks/{task}/messages", json={"text": "blue"})
            assert sent.is_success
            assert (await _task_in_state(stack, task, "succeeded"))["result"].endswith("Done.")
        processes = stack.descendants()
        assert len(processes) >= len(PARTS)
        assert await stack.stop(number) == code
        if code == 0:
            assert _alive(processes) == []
            assert not list((tmp_path / "data/state/baton/dev").glob("*.json"))
            assert not Path(stack.ready["postgres_dsn"].split("host=")[1]).exists()
        else:  # the system ends its children after it
            await until(lambda: _alive(processes) == [])  # noqa: B023 (awaited here)
    assert kept[1:] == kept[:1] * 2


async def test_two_stacks_do_not_share_data(stack: DevStack) -> None:
    with pytest.raises(AssertionError, match="another `baton dev` is using"):
        await start_stack(stack.data)
    assert await _healthy(stack)


async def test_what_cannot_start_is_said_in_a_line_or_two(stack: DevStack, tmp_path: Path) -> None:
    port = stack.url.rsplit(":", 1)[1]
    with pytest.raises(AssertionError, match=rf"the API cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
        await start_stack(tmp_path / "one", arguments=["--port", port])
    with pytest.raises(AssertionError, match=r"Temporal cannot be reached at 127\.0\.0\.1:1:"):
        await start_stack(tmp_path / "two", environment={"TEMPORAL_ADDRESS": "127.0.0.1:1"})
    with pytest.raises(AssertionError, match="RELAY_BATCH: Input should be a valid integer") as failure:
        await start_stack(tmp_path / "three", environment={"BATON_RELAY_BATCH": "sesame"})
    assert "sesame" not in str(failure.value)
    assert "Traceback" not in str(failure.value)


async def test_it_uses_the_temporal_server_that_it_is_given(stack: DevStack, tmp_path: Path) -> None:
    given = {
        "TEMPORAL_ADDRESS": stack.ready["temporal_address"],
        "TEMPORAL_NAMESPACE": "new-here",
        "BATON_TASK_QUEUE": "other",
    }
    async with running_stack(tmp_path / "data", environment=given) as other:
        assert other.ready["temporal_address"] == stack.ready["temporal_address"]
        assert other.ready["temporal_ui_url"] is None
        assert other.ready["pids"]["temporal"] is None
        assert other.ready["task_queue"] == "other"
        async with other.client() as client:
            started = (await client.post("/baton/v1/executions", json={"prompt": "!say hello"})).raise_for_status()
        assert (await _task_in_state(other, started.json()["tasks"][0]["id"], "succeeded"))["result"] == "hello"


async def test_without_data_it_leaves_nothing_on_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "baton.cli", "dev", "--json", "--no-demo", "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")},
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 90)
    assert list(tmp_path.glob("baton-dev-*"))
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert list(tmp_path.glob("baton-*")) == []
