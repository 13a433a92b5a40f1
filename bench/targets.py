"""What is sent to: waiting tasks of Baton's, by both its doors, and bare workflows."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import orjson
from temporalio.client import WorkflowHandle

from baton.domain.json import JsonObject
from bench.bare import QUEUE as BARE_QUEUE
from bench.bare import BareWorkflow
from bench.http import BenchConnection
from bench.insert_app import PATH as INSERT_PATH
from bench.marks import ENDED, Marks
from bench.stack import QUEUE, BenchStack
from workflows.contracts import task_workflow_id

#: A message after which the scripted model asks again: a simple turn, and the task waits for the next.
ASK = "!ask next?"
CLIENTS = 16
_SECONDS = 60.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BenchTask:
    """A task that waits, its workflow, and the path that its messages are posted to."""

    execution: str
    workflow: str
    path: str


@dataclass(frozen=True, slots=True)
class Bare:
    """A bare workflow that waits."""

    handle: "WorkflowHandle[Any, Any]"

    @property
    def workflow(self) -> str:
        """Its id."""
        return self.handle.id


class Caller:
    """A client of both servers. One call at a time. Close it at the end."""

    def __init__(self, api: BenchConnection, insert: BenchConnection | None) -> None:
        self._api = api
        self._insert = insert

    @classmethod
    async def open(cls, stack: BenchStack) -> "Caller":
        """Connect to what is there."""

        async def connect(port: int) -> BenchConnection:
            return await BenchConnection.open("127.0.0.1", port, stack.api_key)

        return cls(await connect(stack.api_port), await connect(stack.insert_port) if stack.insert_port else None)

    def close(self) -> None:
        """Drop the connections."""
        self._api.close()
        if self._insert:
            self._insert.close()

    async def send(self, task: BenchTask, text: str = ASK) -> None:
        """Send a message by Baton's own API, or by Kubiya's. Raises ConnectionError unless it was accepted."""
        field = "text" if task.path.startswith("/baton") else "message"
        _accepted(await self._api.post(task.path, orjson.dumps({field: text})))

    async def insert(self) -> None:
        """Have one row inserted, while `Stack.insert_api` is open."""
        assert self._insert is not None
        _accepted(await self._insert.post(INSERT_PATH, orjson.dumps({"text": ASK})))

    async def start(self, path: str, body: object) -> Any:
        """Start something; what the API answers."""
        return orjson.loads(_accepted(await self._api.post(path, orjson.dumps(body))))

    async def read(self, path: str) -> Any:
        """Read something."""
        return orjson.loads(_accepted(await self._api.get(path)))


def _accepted(answer: Any) -> bytes:
    if not 200 <= answer.status < 300:
        raise ConnectionError(f"{answer.status}: {answer.body[:500]!r}")
    return answer.body


async def signal(bare: Bare, text: str = ASK) -> None:
    """What a program does that has the SDK alone."""
    await bare.handle.signal(BareWorkflow.message, text)


async def start_tasks(stack: BenchStack, count: int) -> list[BenchTask]:
    """Single tasks that wait for a message."""

    async def start(caller: Caller, _: int) -> BenchTask:
        started = await caller.start("/baton/v1/executions", {"prompt": ASK})
        task = started["tasks"][0]["id"]
        await _until_waiting(caller, f"/baton/v1/tasks/{task}")
        return BenchTask(started["id"], task_workflow_id(task), f"/baton/v1/tasks/{task}/messages")

    return await all_clients(stack, range(count), start)


async def start_plans(stack: BenchStack, count: int) -> list[BenchTask]:
    """The only task of each of several plans, addressed as Kubiya's clients do; they wait for a message."""

    async def start(caller: Caller, _: int) -> BenchTask:
        task: JsonObject = {"id": 1, "title": "ask", "description": ASK, "dependencies": []}
        plan: JsonObject = {"title": "bench", "team_breakdown": [{"team_name": "bench", "tasks": [task]}]}
        started = await caller.start("/api/v1/tasks/plan/execute", {"plan": plan, "worker_queue_id": QUEUE})
        execution = started["execution_id"]
        task_id = (await caller.read(f"/baton/v1/executions/{execution}"))["tasks"][0]["id"]
        await _until_waiting(caller, f"/baton/v1/tasks/{task_id}")
        return BenchTask(execution, task_workflow_id(task_id), f"/api/v1/tasks/plan/{execution}/tasks/1/message")

    return await all_clients(stack, range(count), start)


async def start_bare(stack: BenchStack, count: int) -> list[Bare]:
    """Bare workflows that have taken a turn and wait."""

    async def start(_: Caller, __: int) -> Bare:
        bare = Bare(
            await stack.client.start_workflow(
                BareWorkflow.run, list[str](), id=f"bare-{uuid4()}", task_queue=BARE_QUEUE
            )
        )
        await until_ended(stack.marks, bare, lambda: signal(bare))
        return bare

    return await all_clients(stack, range(count), start)


async def until_ended(marks: Marks, target: BenchTask | Bare, send: Callable[[], Awaitable[None]]) -> None:
    """Send, and wait until the turn that follows has ended."""
    ended = marks.next(ENDED, target.workflow)
    await send()
    await asyncio.wait_for(ended, _SECONDS)


async def until_quiet(marks: Marks) -> None:
    """Wait until no activity has begun or ended for a second: what was sent is worked off."""
    seen: dict[str, int] = {}
    while marks.counts != seen:
        seen = dict(marks.counts)
        await asyncio.sleep(1)


async def all_clients(
    stack: BenchStack, items: Iterable[Any], do: Callable[[Caller, Any], Awaitable[_T]], clients: int = CLIENTS
) -> list[_T]:
    """``do`` every item, by so many clients side by side, each with connections of its own."""
    left, done = iter(items), list[_T]()

    async def client() -> None:
        caller = await Caller.open(stack)
        try:
            for item in left:
                done.append(await do(caller, item))
        finally:
            caller.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return done


async def _until_waiting(caller: Caller, path: str) -> None:
    async with asyncio.timeout(_SECONDS):
        while (await caller.read(path))["state"] != "waiting":
            await asyncio.sleep(0.05)
