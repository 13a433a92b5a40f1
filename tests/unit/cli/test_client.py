"""Finding the server, calling it, and saying in one line what went wrong."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from baton.client.address import Address, find_execution, find_task_id, only_task_of
from baton.client.errors import Refused, Unreachable, UsageError
from baton.client.http import Client
from baton.client.responses import as_json, decoded
from baton.client.schemas.executions import ExecutionOut
from baton.client.server import Server, find_server, state_directory
from baton.domain.states import TaskState
from tests.support.fake_baton import KEY, FakeBaton
from tests.support.plans import plan


def _note(environment: dict[str, str], name: str, **more: object) -> None:
    """What a `baton dev` that runs has noted."""
    file = state_directory(environment) / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    note = {"url": f"http://127.0.0.1:{name}", "api_key": f"of-{name}", "pid": os.getpid()}
    file.write_text(json.dumps({**note, "directory": "/", "started": 1, **more}))


def test_what_is_said_wins_over_the_environment_over_a_running_stack(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    assert find_server(None, None, environment) == Server("http://127.0.0.1:8080", "")
    _note(environment, "9000")
    assert find_server(None, None, environment) == Server("http://127.0.0.1:9000", "of-9000")
    assert find_server("http://127.0.0.1:9000/", None, environment) == Server("http://127.0.0.1:9000", "of-9000")
    environment |= {"BATON_URL": "https://baton.example", "BATON_API_KEY": "of-env"}
    assert find_server(None, None, environment) == Server("https://baton.example", "of-env")
    assert find_server("http://x", "said", environment) == Server("http://x", "said")


def test_the_key_of_a_local_stack_goes_to_no_other_server(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path), "BATON_URL": "https://baton.example"}
    _note(environment, "9000")
    assert find_server(None, None, environment) == Server("https://baton.example", "")


def test_of_several_stacks_the_one_of_this_directory_is_used_and_named(tmp_path: Path) -> None:
    environment, said = {"XDG_STATE_HOME": str(tmp_path)}, list[str]()
    _note(environment, "9002", directory="/home/ada/two", started=2)
    _note(environment, "9001", directory="/home/ada/one", started=1)

    def found(directory: str, url: str | None = None) -> str:
        return find_server(url, None, environment, Path(directory), said.append).api_key

    assert found("/home/ada/two/deep/below") == "of-9002"
    assert found("/home/ada/twofold") == "of-9001"  # none is of this one: the first
    assert found("/home/ada/one") == "of-9001"
    assert said[0] == (
        "using http://127.0.0.1:9002, started in /home/ada/two; also running: http://127.0.0.1:9001 (choose with --url)"
    )
    assert len(said) == 3
    assert found("/", "http://127.0.0.1:9002") == "of-9002"
    assert len(said) == 3
    gone = subprocess.Popen(["true"])
    gone.wait()
    _note(environment, "9001", directory="/home/ada/one", started=1, pid=gone.pid)
    assert found("/home/ada/one") == "of-9002"
    assert len(said) == 3


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": 1}'])
def test_a_broken_state_file_is_as_none(tmp_path: Path, content: str) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    state_directory(environment).mkdir(parents=True)
    (state_directory(environment) / "1.json").write_text(content)
    assert find_server(None, None, environment).url == "http://127.0.0.1:8080"


def test_a_url_must_be_one() -> None:
    with pytest.raises(UsageError, match="http://"):
        find_server("localhost:8080", None, {})


def test_addresses() -> None:
    uuid = "0198c2a0-0000-7000-8000-000000000001"
    assert Address.parse(uuid.upper()) == Address(uuid)
    assert Address.parse(f"{uuid}/12") == Address(uuid, 12)
    for wrong in ("", "7", f"{uuid}/x", "x/1", f"{uuid}/1/2"):
        with pytest.raises(UsageError, match="names no task"):
            Address.parse(wrong)


async def test_a_task_is_found_by_execution_and_number(fake: FakeBaton) -> None:
    execution = fake.begin(plan("!ask A?", "!ask B?"))
    async with Client(Server(fake.url, KEY)) as client:
        assert await find_task_id(client, f"{execution.id}/2") == execution.task(2).id
        with pytest.raises(UsageError, match="has no task 3; it has 1, 2"):
            await find_task_id(client, f"{execution.id}/3")
        with pytest.raises(UsageError, match="name one"):
            await only_task_of(client, execution.id)
        assert await only_task_of(client, execution.task(1).id) is None
        assert (await find_execution(client, execution.task(2).id))[1] == 2
        assert (await find_execution(client, execution.id))[1] is None


async def test_the_task_named_as_an_example_is_there(fake: FakeBaton) -> None:
    numbered = plan("!ask A?", "!ask B?")
    for number, task in zip((10, 20), numbered["tasks"], strict=True):
        task["id"] = number
    execution = fake.begin(numbered)
    async with Client(Server(fake.url, KEY)) as client:
        with pytest.raises(UsageError, match=f"as in {execution.id}/10$"):
            await only_task_of(client, execution.id)


async def test_a_send_is_repeated_under_its_key_until_the_server_is_back(fake: FakeBaton) -> None:
    execution = fake.begin(plan("!ask Go on?"))
    task = execution.task(1)
    async with Client(Server(fake.url, KEY)) as client:
        while (await client.task(task.id)).state is not TaskState.WAITING:
            await asyncio.sleep(0.01)
        fake.refusals = [(503, {"code": "unavailable", "detail": "PostgreSQL cannot be reached"})]
        await fake.stop()
        sending = asyncio.create_task(client.send(task.id, "yes"))
        await asyncio.sleep(0.1)
        await fake.start()
        sent = await sending
    assert sent.receipt.seq == 1
    assert len(task.messages) == 1
    assert len({headers["idempotency-key"] for _, _, headers in fake.sends}) == 1
    assert len(fake.sends) == 2


async def test_a_repeat_under_the_same_key_is_told(fake: FakeBaton) -> None:
    execution = fake.begin(plan("!ask Go on?"))
    async with Client(Server(fake.url, KEY)) as client:
        first = await client.send(execution.task(1).id, "yes", idempotency_key="k")
        again = await client.send(execution.task(1).id, "yes", idempotency_key="k")
    assert (first.replayed, again.replayed) == (False, True)
    assert first.receipt.id == again.receipt.id


async def test_a_server_that_is_not_there_is_said_to_be_so_at_once(fake: FakeBaton) -> None:
    await fake.stop()
    async with Client(Server(fake.url, KEY), patience_seconds=60) as client:
        with pytest.raises(Unreachable, match=r"no Baton at http://127\.0\.0\.1"):
            await asyncio.wait_for(client.task("0198c2a0-0000-7000-8000-000000000001"), 10)
    await fake.start()


async def test_a_refusal_is_one_line(fake: FakeBaton) -> None:
    problem = {
        "code": "invalid_input",
        "detail": "The body is wrong.",
        "errors": [{"loc": ["body", "text"], "msg": "must be text"}, {"msg": "and\nnot nothing"}],
    }
    fake.refusals = [(422, problem), (500, {"title": "Oops"})]
    async with Client(Server(fake.url, KEY)) as client:
        with pytest.raises(Refused) as refused:
            await client.send("x", "y")
        assert refused.value.message == "The body is wrong: text: must be text; and not nothing"
        assert refused.value.code == "invalid_input"
        with pytest.raises(Refused, match="Oops"):
            await client.send("x", "y")


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"[]", b'{"id": 7}', b"\xff"])
async def test_a_success_that_is_not_baton_s_is_one_line(body: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    async with Client(Server("http://proxy", KEY)) as client:
        client.http = httpx.AsyncClient(transport=transport, base_url="http://proxy")
        with pytest.raises(Unreachable, match=r"^proxy answered 200, but not as Baton does \(.*\)\. Is --url right\?$"):
            await client.task("0198c2a0-0000-7000-8000-000000000001")


async def test_what_a_newer_server_adds_is_left_out(fake: FakeBaton) -> None:
    shown = fake.begin(plan("!ask Go on?")).json()
    shown["tasks"][0]["agent"] = {**shown["tasks"][0]["agent"], "mood": "sunny"}
    newer = httpx.Response(200, json={**shown, "weather": {"now": "rain"}})
    execution = decoded(ExecutionOut, newer)
    assert execution.tasks[0].title == "Task 1"
    assert "mood" not in as_json(execution)["tasks"][0]["agent"]
    with pytest.raises(ValidationError):  # the API is held to what it publishes
        ExecutionOut.model_validate(newer.json())


async def test_another_server_than_baton_is_recognised(fake: FakeBaton) -> None:
    async with Client(Server(f"{fake.url}/elsewhere", KEY)) as client:
        with pytest.raises(Unreachable, match="not as Baton does"):
            await client.task("0198c2a0-0000-7000-8000-000000000001")
