"""Tasks, senders that retry, and what became of what was acknowledged."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx


@dataclass(slots=True)
class Workload:
    """A sender's view of a stack, by Baton's own API."""

    client: httpx.AsyncClient

    async def start(self, prompt: str, agent: str | None = None) -> dict[str, Any]:
        """Start a single task; its resource."""
        body = {"prompt": prompt, "title": "a task", "agent": agent}
        answer = await self._until_answered(lambda: self.client.post("/baton/v1/executions", json=body))
        assert answer.status_code == 201, answer.text
        return answer.json()["tasks"][0]

    async def send(self, task: str, text: str, key: str | None = None) -> httpx.Response:
        """Send a message and retry under the same key until it is answered; the last answer."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return await self._until_answered(
            lambda: self.client.post(f"/baton/v1/tasks/{task}/messages", json={"text": text}, headers=headers)
        )

    async def task(self, task: str) -> dict[str, Any]:
        """A task's resource."""
        answer = await self._until_answered(lambda: self.client.get(f"/baton/v1/tasks/{task}"))
        return answer.json()

    async def until(self, task: str, *states: str, seconds: float = 60) -> dict[str, Any]:
        """Wait for a task to come to one of ``states`` with no message queued."""
        async with asyncio.timeout(seconds):
            while True:
                found = await self.task(task)
                if found["state"] in states and not found["queued"]:
                    return found
                await asyncio.sleep(0.05)

    async def messages(self, task: str) -> list[dict[str, Any]]:
        """All messages of a task, in order."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
            page = (
                await self._until_answered(
                    lambda query=query: self.client.get(f"/baton/v1/tasks/{task}/messages", params=query)
                )
            ).json()
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items

    async def log(self, execution: str) -> list[dict[str, Any]]:
        """All events of an execution that is over, by its stream."""
        async with asyncio.timeout(30):
            return await self._log(execution)

    async def _log(self, execution: str) -> list[dict[str, Any]]:
        import json

        found: list[dict[str, Any]] = []
        async with self.client.stream("GET", f"/baton/v1/executions/{execution}/events") as stream:
            assert stream.status_code == 200
            kind = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    if kind == "end":
                        return found
                    found.append(json.loads(line.removeprefix("data: ")))
        raise AssertionError("the stream ended without its end frame")

    async def _until_answered(self, call: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        async with asyncio.timeout(60):
            while True:
                try:
                    answer = await call()
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
                    continue
                if answer.status_code < 500:
                    return answer
                await asyncio.sleep(0.1)


def said(log: list[dict[str, Any]]) -> list[str]:
    """What the agent acknowledged, line by line."""
    return [
        line.removeprefix("You said: ")
        for event in log
        if event["type"] == "step.completed"
        for line in event["data"]["text"].splitlines()
        if line.startswith("You said: ")
    ]


def gapless(log: list[dict[str, Any]]) -> bool:
    """Whether a log is numbered 1, 2, 3, … in order."""
    return [event["seq"] for event in log] == list(range(1, len(log) + 1))
