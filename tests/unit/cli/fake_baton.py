"""A small server that speaks `/baton/v1` over real HTTP, keeps everything in memory and obeys the scripted model's lines.

It lets tests of the CLI make happen what a real server seldom does: cut connections anywhere, go away and come back,
refuse, send an event twice. `tests/e2e/test_cli.py` runs the CLI against the real stack.
"""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from domain.plans import PlanTask, parse_plan
from domain.states import ExecutionState, TaskState, execution_state

KEY = "baton_test-key"
Json = dict[str, Any]


class Cut(Exception):
    """Ends a response in its middle, as a killed server does."""


@dataclass
class FakeTask:
    """A task and its player's state."""

    plan: PlanTask
    execution: "FakeExecution"
    id: str = field(default_factory=lambda: str(uuid4()))
    state: TaskState = TaskState.PENDING
    version: int = 1
    questions: list[Json] = field(default_factory=list)
    waiting_since: str | None = None
    result: str | None = None
    error: str | None = None
    messages: list[Json] = field(default_factory=list)
    by_key: dict[str, tuple[str, Json]] = field(default_factory=dict)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def json(self) -> Json:
        return {
            "id": self.id,
            "number": 1,
            "execution_id": self.execution.id,
            "position": self.plan.position,
            "title": self.plan.title,
            "description": self.plan.description,
            "depends_on": list(self.plan.depends_on),
            "state": self.state,
            "version": self.version,
            "questions": self.questions,
            "waiting_since": self.waiting_since,
            "result": self.result,
            "error": {"code": self.error} if self.error else None,
        }


@dataclass
class FakeExecution:
    """An execution and its log."""

    title: str
    summary: str = ""
    id: str = field(default_factory=lambda: str(uuid4()))
    tasks: list[FakeTask] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    grown: asyncio.Condition = field(default_factory=asyncio.Condition)
    state: ExecutionState = ExecutionState.PENDING

    def json(self) -> Json:
        return {
            "id": self.id,
            "kind": "plan",
            "title": self.title,
            "summary": self.summary,
            "state": self.state,
            "agent": {"id": str(uuid4()), "number": 1, "name": "assistant"},
            "queue": "baton",
            "tasks": [task.json() for task in self.tasks],
            "last_event": len(self.events),
        }

    def task(self, position: int) -> FakeTask:
        return next(task for task in self.tasks if task.plan.position == position)

    async def emit(self, type: str, data: Json, task: FakeTask | None = None, state: TaskState | None = None) -> None:
        """Append an event, with the states it brings about."""
        if task is not None and state is not None:
            task.state = state
            task.version += 1
        now = execution_state(task.state for task in self.tasks)
        changed, self.state = now != self.state, now
        event = {
            "seq": len(self.events) + 1,
            "type": type,
            "at": datetime.now(UTC).isoformat(),
            "execution_id": self.id,
            "task_id": task.id if task else None,
            "position": task.plan.position if task else None,
            "task_state": state,
            "execution_state": now if changed else None,
            "data": data,
        }
        async with self.grown:
            self.events.append(event)
            self.grown.notify_all()


class FakeBaton:
    """The server. `url` is known once `running_fake_baton` has yielded it.

    ``cut_after``: numbers of events after which a stream that sends them is cut, each once. ``repeat``: send each event
    twice. ``refusals``: answers to the next sends, before they are looked at: (status, problem). ``pace``: what one
    second of `!sleep` takes.
    """

    def __init__(self) -> None:
        self.url = ""
        self.executions: dict[str, FakeExecution] = {}
        self.cut_after: set[int] = set()
        self.repeat = False
        self.refusals: list[tuple[int, Json]] = []
        self.streams_opened: list[str] = []
        self.sends: list[tuple[str, Json, dict[str, str]]] = []
        self.pace = 0.05
        self.play = True
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._port = 0
        self._players: set[asyncio.Task[None]] = set()

    # --- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen; after a `stop` on the same port again."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        config = uvicorn.Config(self._app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._serving = asyncio.create_task(self._server._serve([listener]))  # pyright: ignore[reportPrivateUsage]
        while not self._server.started:
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Go away: streams end in their middle, connections are refused."""
        assert self._server is not None
        assert self._serving is not None
        self._server.should_exit = self._server.force_exit = True
        await self._serving

    async def close(self) -> None:
        """Stop, and end the players."""
        for player in self._players:
            player.cancel()
        await asyncio.gather(*self._players, return_exceptions=True)
        await self.stop()

    def begin(self, plan: Json) -> FakeExecution:
        """Start a plan, as a POST does."""
        parsed = parse_plan(plan)
        execution = FakeExecution(parsed.title, parsed.summary)
        execution.tasks = [FakeTask(task, execution) for task in parsed.tasks]
        self.executions[execution.id] = execution
        if self.play:
            self._spawn(self._play(execution))
        return execution

    # --- routes ------------------------------------------------------------------------------------------------------

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/baton/v1/executions", self._post_execution, methods=["POST"]),
                Route("/baton/v1/executions/{id}", self._get_execution),
                Route("/baton/v1/executions/{id}/events", self._get_events),
                Route("/baton/v1/tasks", self._get_tasks),
                Route("/baton/v1/tasks/{id}", self._get_task),
                Route("/baton/v1/tasks/{id}/messages", self._post_message, methods=["POST"]),
            ]
        )

    async def _post_execution(self, request: Request) -> Response:
        if denied := _denied(request):
            return denied
        try:
            execution = self.begin((await request.json())["plan"])
        except Exception as error:  # noqa: BLE001
            return _problem(422, "invalid_plan", getattr(error, "message", str(error)))
        return JSONResponse(execution.json(), 201)

    async def _get_execution(self, request: Request) -> Response:
        if denied := _denied(request):
            return denied
        execution = self.executions.get(request.path_params["id"])
        return JSONResponse(execution.json()) if execution else _problem(404, "execution_not_found", "no such execution")

    async def _get_events(self, request: Request) -> Response:
        if denied := _denied(request):
            return denied
        execution = self.executions.get(request.path_params["id"])
        if execution is None:
            return _problem(404, "execution_not_found", "no such execution")
        after = request.headers.get("Last-Event-ID", "0")
        self.streams_opened.append(after)
        return StreamingResponse(self._frames(execution, int(after)), media_type="text/event-stream")

    async def _frames(self, execution: FakeExecution, after: int) -> AsyncIterator[str]:
        yield "retry: 10\n\n: hello\n\n"
        while True:
            for event in execution.events[after:]:
                after = event["seq"]
                frame = f"id: {after}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n"
                yield frame
                if self.repeat:
                    yield frame
                if after in self.cut_after:
                    self.cut_after.discard(after)
                    yield "id: 999\nevent: text.delta\ndata: {"
                    raise Cut
            async with execution.grown:
                if len(execution.events) > after:
                    continue
                if execution.state.is_over:
                    yield f"event: end\ndata: {json.dumps({'execution_state': execution.state})}\n\n"
                    return
                await execution.grown.wait()

    async def _get_tasks(self, request: Request) -> Response:
        if denied := _denied(request):
            return denied
        waiting = [
            task.json()
            for execution in self.executions.values()
            for task in execution.tasks
            if task.state == request.query_params.get("state")
        ]
        start = int(request.query_params.get("cursor", "0"))
        more = str(start + 2) if len(waiting) > start + 2 else None
        return JSONResponse({"items": waiting[start : start + 2], "next_cursor": more})

    async def _get_task(self, request: Request) -> Response:
        if denied := _denied(request):
            return denied
        task = self._task(request.path_params["id"])
        return JSONResponse(task.json()) if task else _problem(404, "task_not_found", "no such task")

    async def _post_message(self, request: Request) -> Response:
        body, key = await request.json(), request.headers.get("Idempotency-Key", "")
        self.sends.append((request.path_params["id"], body, dict(request.headers)))
        if denied := _denied(request):
            return denied
        if self.refusals:
            status, problem = self.refusals.pop(0)
            return JSONResponse(problem, status, media_type="application/problem+json")
        task = self._task(request.path_params["id"])
        if task is None:
            return _problem(404, "task_not_found", "no such task")
        if key in task.by_key:
            text, receipt = task.by_key[key]
            if text != body["text"]:
                return _problem(422, "idempotency_key_reused", "the key was used for another message")
            return JSONResponse(receipt, 202, {"Idempotent-Replayed": "true"})
        if task.state is TaskState.CANCELLED:
            return _problem(409, "task_closed", "the task was cancelled: it takes no more messages")
        question = request.headers.get("Baton-Question")
        open_ids = [asked["id"] for asked in task.questions]
        if question is not None and question not in open_ids:
            return _problem(412, "outdated", "this question is not open any more")
        answered = [question] if question else open_ids
        for asked in task.questions:
            if asked["id"] in answered and asked.get("schema", {}) and not body["text"].isdecimal():
                problems = ["the answer is not of type 'integer'"]
                return _problem(422, "answer_refused", "The answer does not fit the question", problems=problems)
        receipt = await self.accept(task, body["text"], answered)
        task.by_key[key] = (body["text"], receipt)
        return JSONResponse(receipt, 202)

    async def accept(self, task: FakeTask, text: str, answered: list[str], sender: str = "ada") -> Json:
        """Accept a message as a send does, whoever it is from."""
        message = {"message_id": str(uuid4()), "seq": len(task.messages) + 1, "text": text, "answers": answered}
        task.messages.append(message)
        task.questions = [asked for asked in task.questions if asked["id"] not in answered]
        runs = task.state is TaskState.WAITING and not task.questions
        data = {**message, "origin": "baton", "sender": sender}
        await task.execution.emit("message.accepted", data, task, TaskState.RUNNING if runs else None)
        if runs:
            task.waiting_since = None
            task.answered.set()
        return {
            "id": message["message_id"],
            "seq": message["seq"],
            "task_id": task.id,
            "execution_id": task.execution.id,
            "state": "accepted",
            "accepted_at": datetime.now(UTC).isoformat(),
            "task": {"state": task.state, "version": task.version},
        }

    def _task(self, task_id: str) -> FakeTask | None:
        return next((t for e in self.executions.values() for t in e.tasks if t.id == task_id), None)

    # --- the scripted model, in small ----------------------------------------------------------------------------------

    async def _play(self, execution: FakeExecution) -> None:
        tasks = [{"id": task.id, "position": task.plan.position, "title": task.plan.title} for task in execution.tasks]
        await execution.emit("execution.created", {"title": execution.title, "tasks": tasks})
        while not execution.state.is_over:
            for task in execution.tasks:
                needs = [execution.task(position).state for position in task.plan.depends_on]
                if task.state is not TaskState.PENDING:
                    continue
                if any(state in (TaskState.FAILED, TaskState.CANCELLED) for state in needs):
                    task.error = "dependency_failed"
                    await execution.emit("task.failed", {"code": "dependency_failed"}, task, TaskState.FAILED)
                elif all(state is TaskState.SUCCEEDED for state in needs):
                    await execution.emit("task.started", {}, task, TaskState.RUNNING)
                    self._spawn(self._run(task))
            async with execution.grown:
                count = len(execution.events)
                if any(task.state is TaskState.PENDING for task in execution.tasks) or not execution.state.is_over:
                    await asyncio.wait_for(_grown(execution, count), None)

    async def _run(self, task: FakeTask) -> None:
        emit, turn, step = task.execution.emit, 1, 1
        said: list[str] = []

        async def begin() -> None:
            claimed = [{"message_id": m["message_id"], "seq": m["seq"]} for m in task.messages if not m.get("turn")]
            for message in task.messages:
                message.setdefault("turn", turn)
            await emit("turn.started", {"turn": turn, "messages": claimed}, task)
            await emit("step.started", {"turn": turn, "step": step}, task)

        async def say(text: str) -> None:
            for word in ("\n" if said else "", *text.splitlines(keepends=True)):
                if word:
                    await emit("text.delta", {"turn": turn, "step": step, "attempt": 1, "text": word}, task)
            said.append(text)

        async def complete(**more: Any) -> None:
            await emit("step.completed", {"turn": turn, "step": step, "text": "\n".join(said), "calls": [], **more}, task)

        async def end(state: TaskState, **more: Any) -> None:
            data = {"turn": turn, "outcome": str(state), "result": None, "error": None, "messages": [], **more}
            await emit("turn.ended", data, task, state)

        await begin()
        for line in task.plan.description.splitlines():
            word, _, rest = line.partition(" ")
            if word == "!say":
                await say(rest)
            elif word == "!sleep":
                await asyncio.sleep(float(rest) * self.pace)
            elif word == "!results":
                for position in task.plan.depends_on:
                    needed = task.execution.task(position)
                    await say(f"{needed.plan.title}: {needed.result}")
            elif word == "!fail":
                for attempt in range(1, int(rest.split()[0]) + 1):
                    failure = {"turn": turn, "step": step, "attempt": attempt, "code": "scripted_failure", "retrying": True}
                    await emit("step.failed", failure, task)
                    await emit("step.voided", {"turn": turn, "step": step, "attempt": attempt}, task)
            elif word == "!fatal":
                task.error = "scripted_fatal"
                await end(TaskState.FAILED, error={"code": "scripted_fatal"})
                return
            elif word == "!ask":
                asked = json.loads(rest) if rest.startswith("{") else {"question": rest}
                question = {
                    "id": f"q_{uuid4().hex[:8]}",
                    "text": asked["question"],
                    "choices": asked.get("choices", []),
                    "schema": asked.get("schema"),
                }
                await complete()
                said.clear()
                task.questions.append(question)
                task.waiting_since = datetime.now(UTC).isoformat()
                task.answered.clear()
                data = {"question_id": question["id"], **{k: question[k] for k in ("text", "choices", "schema")}}
                await emit("question.asked", data, task)
                await end(TaskState.WAITING)
                await task.answered.wait()
                turn += 1
                await begin()
                await say(f"You said: {task.messages[-1]['text']}")
        await complete()
        task.result = "\n".join(said)
        await end(TaskState.SUCCEEDED, result=task.result)

    def _spawn(self, coroutine: Any) -> None:
        player = asyncio.create_task(coroutine)
        self._players.add(player)
        player.add_done_callback(self._players.discard)


async def _grown(execution: FakeExecution, count: int) -> None:
    while len(execution.events) <= count:
        await execution.grown.wait()


def _denied(request: Request) -> Response | None:
    if request.headers.get("Authorization") == f"Bearer {KEY}":
        return None
    return _problem(401, "unauthenticated", "no credentials")


def _problem(status: int, code: str, detail: str, **more: Any) -> Response:
    problem = {"type": f"about:{code}", "title": code, "status": status, "detail": detail, "code": code, **more}
    return JSONResponse(problem, status, media_type="application/problem+json")


@asynccontextmanager
async def running_fake_baton() -> AsyncGenerator[FakeBaton]:
    """A server that listens."""
    baton = FakeBaton()
    await baton.start()
    try:
        yield baton
    finally:
        await baton.close()
