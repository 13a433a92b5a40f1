"""Do the clients that people have work as they come, straight and through proxies? Each with its own ideas of HTTP."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.dialects.requests import start_task
from tests.hostile.entrance import ROUTES, Entrance

_HERE: Final = Path(__file__).parent
_SECONDS: Final = 90.0
#: A request: its path, how its body is sent (get: it has none), the body.
Call = tuple[str, str, str]


async def run(*command: str, given: bytes = b"") -> str:
    """What a program prints. Skips the test where the program is not installed."""
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    process = await asyncio.create_subprocess_exec(
        program,
        *command[1:],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            said, wrong = await process.communicate(given)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, wrong.decode()
    return said.decode()


async def by_java(url: str, key: str, calls: Sequence[Call]) -> list[str]:
    """A line per call: the status, and the body."""
    arguments = [part for call in calls for part in call]
    return (await run("java", str(_HERE / "Client.java"), url, key, *arguments)).splitlines()


async def by_node(url: str, key: str, calls: Sequence[Call]) -> list[str]:
    """A line per call: the status, and the body."""
    arguments = [part for call in calls for part in call]
    return (await run("node", str(_HERE / "client.mjs"), url, key, *arguments)).splitlines()


async def by_curl(url: str, key: str, calls: Sequence[Call]) -> list[str]:
    """A line per call: the status, and the body."""
    if "HTTP2" not in await run("curl", "--version"):
        pytest.skip("this curl speaks no HTTP/2")
    lines: list[str] = []
    for path, how, body in calls:
        common = ("--http2", "-sS", "-H", f"Authorization: Bearer {key}", "-w", "\n%{http_code}", url + path)
        sends = () if how == "get" else ("-H", "Content-Type: application/json", "--data-binary", "@-")
        chunked = ("-H", "Transfer-Encoding: chunked") if how == "chunked" else ()
        said = await run("curl", *common, *sends, *chunked, given=body.encode())
        text, _, status = said.rpartition("\n")
        lines.append(f"{status} {text}".replace("\n", " "))
    return lines


CLIENTS: Final = {"java": by_java, "node": by_node, "curl": by_curl}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_as_it_comes(entrance: Entrance, client: str, route: str) -> None:
    url = entrance.url(route)
    api = await entrance.api.for_new_tenants()
    execution = await start_task(api.http)
    task = execution["tasks"][0]
    agent = task["agent"]["number"]
    large = "x" * 100_000
    said: Any = {"agent_id": agent, "message": {"role": "user", "content": "a"}}
    sends: list[tuple[str, Any, int]] = [
        (f"/baton/v1/tasks/{task['id']}/messages", {"text": "a"}, 202),
        (f"/baton/v1/tasks/{task['id']}/messages", {"text": large}, 202),
        (f"/api/v1/executions/{execution['id']}/message", {"message": "a"}, 202),
        (f"/v1/ai/agents/tasks/{task['id']}/messages", {"message": "a"}, 202),
        ("/v1/chat/tasks", said, 202),
        (f"/api/v1/tasks/{task['id']}/messages", {"message": "a"}, 200),
        (f"/agents/v2/executions/{execution['id']}/user-messages", {"message": "a"}, 201),
        ("/baton/v1/executions", {"prompt": "!say hi"}, 201),
    ]
    calls = [(path, how, json.dumps(body)) for path, body, _ in sends for how in ("length", "chunked")]
    wanted = [status for _, _, status in sends for _ in range(2)]
    done = (await start_task(api.http))["tasks"][0]
    assert (await api.http.post(f"/baton/v1/tasks/{done['id']}/cancel")).status_code == 200
    calls.append((f"/baton/v1/tasks/{done['id']}/events", "get", ""))
    lines = await CLIENTS[client](url, api.key, calls)
    assert [int(line.split()[0]) for line in lines] == [*wanted, 200], lines
    assert lines[-1].count("event: end") == 1
    stored = (await api.http.get(f"/baton/v1/tasks/{task['id']}/messages?limit=200")).json()["items"]
    assert len(stored) == 2 * 6
    await api.close_clients()
