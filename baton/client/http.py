"""The client of `/baton/v1`: one method per call that the CLI makes."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import quote
from uuid import uuid4

import httpx
import orjson

from baton.client.connection import Connection
from baton.client.errors import Refused, Unreachable, UsageError
from baton.client.shapes import Approval, Execution, Json, Message, Receipt, Task
from baton.domain.json import unstorable, unstorable_text

_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_RETRIED: Final = frozenset({502, 503, 504})
_PAUSE_SECONDS: Final = 0.5
_SAME_CLOCK: Final = timedelta(seconds=2)  #: `Date` has whole seconds


class Client:
    """Calls Baton. Every method raises Refused (the server said no) or Unreachable.

    Reads, and sends of messages (which carry an Idempotency-Key), are repeated for ``patience_seconds`` while the
    server is away, once it has answered at all: one that is not there is said to be so at once. Starting an execution
    is never repeated: it might start twice.
    """

    def __init__(self, connection: Connection, *, patience_seconds: float = 30.0) -> None:
        self.connection = connection
        self._patience_seconds = patience_seconds
        headers = {"User-Agent": "baton-cli"}
        if connection.api_key:
            headers["Authorization"] = f"Bearer {connection.api_key}"
        # Proxies of the environment are for the world outside; Baton's address was given to be used as it is.
        self.http = httpx.AsyncClient(
            base_url=connection.url,
            headers=headers,
            timeout=_TIMEOUT,
            trust_env=False,
            verify=connection.url.startswith("https:"),  # reading all certificates takes 0.1 s
            event_hooks={"response": [self._compare_clocks]},
        )
        self._clock_offset = timedelta()
        self._was_there = False

    def server_time(self) -> datetime:
        """What time it is for the server, to a second or two: its clock need not be ours."""
        return datetime.now(UTC) + self._clock_offset

    async def _compare_clocks(self, response: httpx.Response) -> None:
        try:
            offset = parsedate_to_datetime(response.headers["Date"]) - datetime.now(UTC)
        except (KeyError, ValueError, TypeError):  # it does not say, or not in a way that can be read
            return
        self._clock_offset = offset if abs(offset) > _SAME_CLOCK else timedelta()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def start_plan(self, plan: Json, *, queue: str | None = None, agent: str | None = None) -> Execution:
        """Start a plan. Raises Unreachable without a repeat: whether it was started is then unknown."""
        body: Json = {"plan": plan}
        if queue:
            body["queue"] = queue
        if agent:
            body["agent"] = int(agent) if agent.isdecimal() else agent
        return Execution.of((await self._call("POST", "/executions", json=body, repeat=False)).json())

    async def execution(self, execution_id: str) -> Execution:
        """An execution with its tasks."""
        return Execution.of((await self._call("GET", f"/executions/{execution_id}")).json())

    async def task(self, task_id: str) -> Task:
        """A task."""
        return Task.of((await self._call("GET", f"/tasks/{task_id}")).json())

    async def explain(self, task_id: str) -> Json:
        """Why a task is where it is, as the server wrote it."""
        return (await self._call("GET", f"/tasks/{task_id}/explain")).json()

    async def waiting_tasks(self) -> AsyncIterator[tuple[Task, Json]]:
        """The inbox: every task that waits, longest first, as typed and as the server wrote it."""
        async for item in self._pages("/tasks", ["waiting"]):
            yield Task.of(item), item

    async def messages(self, task_id: str, states: Sequence[str] = ()) -> AsyncIterator[Message]:
        """A task's messages, in order; only those in ``states`` if any are named."""
        async for item in self._pages(f"/tasks/{task_id}/messages", states):
            yield Message.of(item)

    async def dead_messages(self) -> AsyncIterator[Message]:
        """The dead messages of all tasks, those first that died first."""
        async for item in self._pages("/messages", ["dead"]):
            yield Message.of(item)

    async def edit(self, message_id: str, text: str, *, if_version: int | None = None) -> Message:
        """Have a message that no turn has read say something else. Raises UsageError like `send`."""
        _check_text(text)
        return await self._change("PATCH", message_id, if_version, {"text": text})

    async def withdraw(self, message_id: str, *, if_version: int | None = None) -> Message:
        """Withdraw a message that no turn has read."""
        return await self._change("DELETE", message_id, if_version)

    async def redrive(self, message_id: str) -> Message:
        """Send a dead message again; any other stays as it is."""
        return await self._change("POST", f"{message_id}/redrive")

    async def _change(self, method: str, path: str, if_version: int | None = None, json: Json | None = None) -> Message:
        """Change what becomes of a message. Safe to repeat: what is done already stays so."""
        headers = {} if if_version is None else {"If-Match": f'"{if_version}"'}
        return Message.of((await self._call(method, f"/messages/{path}", json=json, headers=headers)).json())

    async def agents(self) -> AsyncIterator[Json]:
        """All agents, oldest first, as the server writes them."""
        async for item in self._pages("/agents"):
            yield item

    async def agent(self, name: str) -> Json:
        """An agent by its name, integer or uuid."""
        return (await self._call("GET", f"/agents/{quote(name, safe='')}")).json()

    async def create_agent(self, agent: Json) -> Json:
        """Make an agent. Raises Unreachable without a repeat: whether it was made is then unknown."""
        return (await self._call("POST", "/agents", json=agent, repeat=False)).json()

    async def change_agent(self, name: str, change: Json, *, if_version: int | None = None) -> Json:
        """Change an agent. Safe to repeat."""
        headers = {} if if_version is None else {"If-Match": f'"{if_version}"'}
        return (await self._call("PATCH", f"/agents/{quote(name, safe='')}", json=change, headers=headers)).json()

    async def _pages(self, path: str, states: Sequence[str] = ()) -> AsyncIterator[Json]:
        """All items of a list, page by page."""
        cursor: str | None = None
        while True:
            query: dict[str, str | list[str]] = {"state": [*states], "limit": "100"}
            page = (await self._call("GET", path, query=query | ({"cursor": cursor} if cursor else {}))).json()
            for item in page["items"]:
                yield item
            cursor = page.get("next_cursor")
            if not cursor:
                return

    async def send(
        self,
        task_id: str,
        text: str,
        *,
        question: str | None = None,
        mode: str | None = None,
        idempotency_key: str | None = None,
        if_version: int | None = None,
    ) -> Receipt:
        """Send a message to a task. Accepted at most once, however often it has to be repeated.

        Raises UsageError for a text that cannot be sent as UTF-8.
        """
        _check_text(text)
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
        if question:
            headers["Baton-Question"] = question
        if mode:
            headers["Baton-Mode"] = mode
        if if_version is not None:
            headers["If-Match"] = f'"{if_version}"'
        response = await self._call("POST", f"/tasks/{task_id}/messages", json={"text": text}, headers=headers)
        return Receipt.of(response.json(), replayed=response.headers.get("Idempotent-Replayed") == "true")

    async def approval(self, approval_id: str) -> Approval:
        """An approval."""
        return Approval.of((await self._call("GET", f"/approvals/{approval_id}")).json())

    async def decide(self, approval_id: str, decision: Json) -> Approval:
        """Decide on an approval. Safe to repeat: the same decision again changes nothing.

        Raises UsageError for text that cannot be sent as UTF-8.
        """
        if reason := unstorable(decision):
            raise UsageError(f"this cannot be sent: {reason}")
        return Approval.of((await self._call("POST", f"/approvals/{approval_id}", json=decision)).json())

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: Json | None = None,
        headers: dict[str, str] | None = None,
        query: Mapping[str, str | list[str]] | None = None,
        repeat: bool = True,
    ) -> httpx.Response:
        patience_seconds = self._patience_seconds if repeat and self._was_there else 0.0
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                response = await self.http.request(method, f"/baton/v1{path}", json=json, headers=headers, params=query)
            except httpx.TransportError as error:
                if time.monotonic() + _PAUSE_SECONDS > deadline:
                    raise self.unreachable(error) from error
            else:
                self._was_there = True
                if response.is_success:
                    return response
                if response.status_code not in _RETRIED or time.monotonic() + _PAUSE_SECONDS > deadline:
                    raise refusal(response)
            await asyncio.sleep(_PAUSE_SECONDS)

    def unreachable(self, error: Exception) -> Unreachable:
        """Say in one line that the server is not there, and how to say where it is."""
        url = self.connection.url
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(f"no Baton at {url}. Start one with `baton dev`, or say where it is with --url.")
        return Unreachable(f"the connection to {url} was lost: {str(error) or type(error).__name__}")


def _check_text(text: str) -> None:
    if reason := unstorable_text(text):
        raise UsageError(f"this cannot be sent: {reason}")


def refusal(response: httpx.Response) -> Refused | Unreachable:
    """The error that an answer stands for. The response's body must have been read."""
    problem = _problem(response)
    if problem is None:
        where = f"{response.request.url.host}:{response.request.url.port or ''}".rstrip(":")
        return Unreachable(f"{where} answered {response.status_code}, and not as Baton does. Is --url right?")
    if response.status_code == 401:
        problem["detail"] = "the key is missing or not good: give one with --key or BATON_API_KEY."
    return Refused(response.status_code, problem)


def _problem(response: httpx.Response) -> Json | None:
    """The problem+json document in an answer, None if there is none."""
    try:
        document: Any = orjson.loads(response.content)
    except ValueError:
        return None
    return cast("Json", document) if isinstance(document, dict) else None
