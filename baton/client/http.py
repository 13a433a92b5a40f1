"""The client of `/baton/v1`: one method per call that the CLI makes."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx

from baton.client.errors import Unreachable, UsageError
from baton.client.responses import decoded, refusal
from baton.client.schemas.agents import Agents, ChangedAgent, WholeAgent
from baton.client.schemas.approvals import ApprovalOut, DecidedApproval
from baton.client.schemas.artifacts import ArtifactOut, ArtifactPage, KeptArtifactOut
from baton.client.schemas.base import Json, PageOut
from baton.client.schemas.compactions import ChangedCompaction, CompactionOut, Compactions, RequestedCompaction
from baton.client.schemas.executions import ExecutionOut, StartedExecution
from baton.client.schemas.messages import Accepted, ChangedMessage, MessageOut, Messages
from baton.client.schemas.tasks import ExplanationOut, TaskOut, Tasks
from baton.client.server import Server
from baton.domain.json import unstorable, unstorable_text

T = TypeVar("T")

_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_RETRIED: Final = frozenset({502, 503, 504})
_PAUSE_SECONDS: Final = 0.5
_SAME_CLOCK: Final = timedelta(seconds=2)  #: `Date` has whole seconds


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the server accepted. ``replayed``: it had done so before, under the same Idempotency-Key."""

    receipt: Accepted
    replayed: bool


class Client:
    """Calls Baton. Every method raises Refused (the server said no) or Unreachable.

    While the server is away, every call is retried for ``patience_seconds``, but only once the server has answered: if
    it never has, the first failure is raised. What sends or starts something carries an Idempotency-Key, so that it is
    done once.
    """

    def __init__(self, server: Server, *, patience_seconds: float = 30.0) -> None:
        self.server = server
        self._patience_seconds = patience_seconds
        headers = {"User-Agent": "baton-cli"}
        if server.api_key:
            headers["Authorization"] = f"Bearer {server.api_key}"
        # Proxies of the environment are for the world outside; Baton's address was given to be used as it is.
        self.http = httpx.AsyncClient(
            base_url=server.url,
            headers=headers,
            timeout=_TIMEOUT,
            trust_env=False,
            verify=server.url.startswith("https:"),  # reading all certificates takes 0.1 s
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

    async def start_plan(self, plan: Json, *, queue: str | None = None, agent: str | None = None) -> StartedExecution:
        """Start a plan, once, however often the request has to be retried. After Unreachable it is unknown whether it
        was started."""
        body: Json = {"plan": plan}
        if queue:
            body["queue"] = queue
        if agent:
            body["agent"] = int(agent) if agent.isdecimal() else agent
        return decoded(StartedExecution, await self._call("POST", "/executions", json=body, headers=_new_key()))

    async def start_task(self, prompt: str, *, title: str, agent: str, plan_only: bool = False) -> StartedExecution:
        """Start a single task, as `start_plan` starts a plan. ``plan_only``: its agent may change nothing."""
        body: Json = {"prompt": prompt, "title": title, "agent": agent, "plan_only": plan_only}
        return decoded(StartedExecution, await self._call("POST", "/executions", json=body, headers=_new_key()))

    async def cancel_execution(self, execution_id: UUID | str) -> None:
        """Cancel what has not ended of an execution."""
        await self._call("POST", f"/executions/{execution_id}/cancel")

    async def execution(self, execution_id: UUID | str) -> ExecutionOut:
        """An execution with its tasks."""
        return decoded(ExecutionOut, await self._call("GET", f"/executions/{execution_id}"))

    async def task(self, task_id: UUID | str) -> TaskOut:
        """A task."""
        return decoded(TaskOut, await self._call("GET", f"/tasks/{task_id}"))

    async def explain(self, task_id: UUID | str) -> ExplanationOut:
        """Why a task is where it is."""
        return decoded(ExplanationOut, await self._call("GET", f"/tasks/{task_id}/explain"))

    def waiting_tasks(self) -> AsyncIterator[TaskOut]:
        """The inbox: every waiting task, the longest wait first."""
        return self._pages(Tasks, "/tasks", ["waiting"])

    def messages(self, task_id: UUID | str, states: Sequence[str] = ()) -> AsyncIterator[MessageOut]:
        """A task's messages, in order; only those in ``states`` if any are given."""
        return self._pages(Messages, f"/tasks/{task_id}/messages", states)

    def dead_messages(self) -> AsyncIterator[MessageOut]:
        """The dead messages of all tasks, in the order in which they died."""
        return self._pages(Messages, "/messages", ["dead"])

    async def edit(self, message_id: UUID | str, text: str, *, if_version: int | None = None) -> ChangedMessage:
        """Replace the text of a message that no turn has read. Raises UsageError like `send`."""
        _check_text(text)
        return await self._change("PATCH", f"{message_id}", if_version, {"text": text})

    async def withdraw(self, message_id: UUID | str, *, if_version: int | None = None) -> ChangedMessage:
        """Withdraw a message that no turn has read."""
        return await self._change("DELETE", f"{message_id}", if_version)

    async def redrive(self, message_id: UUID | str) -> ChangedMessage:
        """Send a dead message again; any other stays as it is."""
        return await self._change("POST", f"{message_id}/redrive")

    async def pin(self, message_id: UUID | str, *, pinned: bool = True) -> ChangedMessage:
        """Have the agent go on reading a message word for word, or not."""
        return await self._change("PUT" if pinned else "DELETE", f"{message_id}/pin")

    async def _change(
        self, method: str, path: str, if_version: int | None = None, json: Json | None = None
    ) -> ChangedMessage:
        """Change what becomes of a message. Safe to repeat."""
        return decoded(
            ChangedMessage, await self._call(method, f"/messages/{path}", json=json, headers=_if_match(if_version))
        )

    def compactions(self, task_id: UUID | str) -> AsyncIterator[CompactionOut]:
        """A task's summaries, newest first; the first that is not undone is the one in use."""
        return self._pages(Compactions, f"/tasks/{task_id}/compactions")

    async def ask_for_compaction(self, task_id: UUID | str) -> RequestedCompaction:
        """Have the task's next step make a summary. Safe to repeat."""
        return decoded(RequestedCompaction, await self._call("POST", f"/tasks/{task_id}/compactions"))

    async def undo_compaction(self, task_id: UUID | str, number: int) -> ChangedCompaction:
        """Have the agent read again what a summary stands for. Safe to repeat."""
        path = f"/tasks/{task_id}/compactions/{number}"
        return decoded(ChangedCompaction, await self._call("DELETE", path))

    async def redo_compaction(self, task_id: UUID | str, number: int) -> ChangedCompaction:
        """Have the agent read a summary again that was undone. Safe to repeat."""
        path = f"/tasks/{task_id}/compactions/{number}/redo"
        return decoded(ChangedCompaction, await self._call("POST", path))

    def artifacts(self, execution_id: UUID | str, task_id: UUID | str | None = None) -> AsyncIterator[KeptArtifactOut]:
        """The artifacts of an execution, or of one of its tasks, oldest first."""
        of = f"/executions/{execution_id}" if task_id is None else f"/tasks/{task_id}"
        return self._pages(ArtifactPage, f"{of}/artifacts")

    async def artifact(self, artifact_id: str) -> AsyncIterator[str]:
        """What an artifact says, part by part."""
        offset: int | None = 0
        while offset is not None:
            path = f"/artifacts/{quote(artifact_id, safe='')}"
            part = decoded(ArtifactOut, await self._call("GET", path, query={"offset": str(offset)}))
            yield part.text
            offset = part.next_offset

    def agents(self) -> AsyncIterator[WholeAgent]:
        """All agents, oldest first."""
        return self._pages(Agents, "/agents")

    async def agent(self, name: str) -> WholeAgent:
        """An agent by its name, integer or uuid."""
        return decoded(WholeAgent, await self._call("GET", f"/agents/{quote(name, safe='')}"))

    async def create_agent(self, agent: Json) -> ChangedAgent:
        """Create an agent, once, however often the request has to be retried. After Unreachable it is unknown whether
        it was created."""
        return decoded(ChangedAgent, await self._call("POST", "/agents", json=agent, headers=_new_key()))

    async def change_agent(self, name: str, change: Json, *, if_version: int | None = None) -> ChangedAgent:
        """Change an agent. Safe to repeat."""
        path = f"/agents/{quote(name, safe='')}"
        return decoded(ChangedAgent, await self._call("PATCH", path, json=change, headers=_if_match(if_version)))

    async def _pages(self, model: type[PageOut[T]], path: str, states: Sequence[str] = ()) -> AsyncIterator[T]:
        """All items of a list, page by page."""
        cursor: str | None = None
        while True:
            query: dict[str, str | list[str]] = {"state": [*states], "limit": "100"}
            page = decoded(model, await self._call("GET", path, query=query | ({"cursor": cursor} if cursor else {})))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if not cursor:
                return

    async def send(
        self,
        task_id: UUID | str,
        text: str,
        *,
        question: str | None = None,
        mode: str | None = None,
        idempotency_key: str | None = None,
        if_version: int | None = None,
    ) -> SentMessage:
        """Send a message to a task. It is accepted at most once, however often the request has to be retried.

        Raises UsageError for a text that cannot be sent as UTF-8.
        """
        _check_text(text)
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())} | _if_match(if_version)
        if question:
            headers["Baton-Question"] = question
        if mode:
            headers["Baton-Mode"] = mode
        response = await self._call("POST", f"/tasks/{task_id}/messages", json={"text": text}, headers=headers)
        return SentMessage(decoded(Accepted, response), replayed=response.headers.get("Idempotent-Replayed") == "true")

    async def approval(self, approval_id: UUID | str) -> ApprovalOut:
        """An approval."""
        return decoded(ApprovalOut, await self._call("GET", f"/approvals/{approval_id}"))

    async def decide(self, approval_id: UUID | str, decision: Json) -> DecidedApproval:
        """Decide on an approval. Safe to repeat: the same decision again changes nothing.

        Raises UsageError for text that cannot be sent as UTF-8.
        """
        if reason := unstorable(decision):
            raise UsageError(f"this cannot be sent: {reason}")
        return decoded(DecidedApproval, await self._call("POST", f"/approvals/{approval_id}", json=decision))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: Json | None = None,
        headers: dict[str, str] | None = None,
        query: Mapping[str, str | list[str]] | None = None,
    ) -> httpx.Response:
        patience_seconds = self._patience_seconds if self._was_there else 0.0
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
        """The error for a server that cannot be reached, with what to do about it."""
        url = self.server.url
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(f"no Baton at {url}. Start one with `baton dev`, or say where it is with --url.")
        return Unreachable(f"the connection to {url} was lost: {str(error) or type(error).__name__}")


def _check_text(text: str) -> None:
    if reason := unstorable_text(text):
        raise UsageError(f"this cannot be sent: {reason}")


def _new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def _if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}
