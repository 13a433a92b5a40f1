"""A small server that speaks `/baton/v1` over real HTTP, keeps everything in memory and plays the plans it is given.

It lets tests of the CLI make happen what a real server seldom does: cut connections anywhere, go away and come back,
refuse, send an event twice. `tests/e2e/test_cli.py` runs the CLI against the real stack.
"""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from baton.domain.errors import InvalidPlan
from baton.domain.events import MessageAccepted
from baton.domain.plans import parse_plan
from baton.domain.states import TaskState
from tests.support.fake_player import play
from tests.support.fake_state import FakeExecution, FakeTask, Json

KEY = "baton_test-key"


class Cut(Exception):
    """Ends a response in its middle, as a killed server does."""


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

    async def start(self) -> None:
        """Listen; after a `stop` on the same port again."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        config = uvicorn.Config(self._app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
        self._server = uvicorn.Server(config)
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
            self._spawn(play(execution, self.pace))
        return execution

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
        plan = (await request.json())["plan"]
        try:
            warnings = parse_plan(plan).warnings
        except InvalidPlan as error:
            problems = [{"where": one.where, "message": one.message} for one in (error, *error.others)]
            return _problem(422, "invalid_plan", error.message, problems=problems)
        shown = self.begin(plan).json()
        return JSONResponse(shown | ({"warnings": warnings} if warnings else {}), 201)

    async def _get_execution(self, request: Request) -> Response:
        if denied := _denied(request):
            return denied
        execution = self.executions.get(request.path_params["id"])
        if execution is None:
            return _problem(404, "execution_not_found", "no such execution")
        return JSONResponse(execution.json())

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
        message: Json = {"message_id": str(uuid4()), "seq": len(task.messages) + 1, "text": text, "answers": answered}
        task.messages.append(message)
        task.questions = [asked for asked in task.questions if asked["id"] not in answered]
        runs = task.state is TaskState.WAITING and not task.questions
        accepted = MessageAccepted(
            message_id=UUID(message["message_id"]),
            seq=message["seq"],
            text=text,
            origin="baton",
            sender=sender,
            answers=tuple(answered),
        )
        await task.execution.emit(accepted, task, TaskState.RUNNING if runs else None)
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

    def _spawn(self, coroutine: Any) -> None:
        player = asyncio.create_task(coroutine)
        self._players.add(player)
        player.add_done_callback(self._players.discard)


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
