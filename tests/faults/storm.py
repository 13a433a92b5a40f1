"""A storm: clients that call every route of every dialect at once, on the same tasks, and what must hold after it."""

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import UUID, uuid4

import asyncpg
import httpx

from baton.domain.agents import Scope
from baton.domain.states import ExecutionState, TaskState, execution_state
from tests.dialects.access_table import TABLE, Entry
from tests.dialects.test_access_matrix import filled, place_of
from tests.support.stack import DevStack

#: What agents are told, in place of the words that the table has for it.
_LINES: Final = (
    "hello",
    "!say one\n!say two",
    "!stream 20",
    "!ask Which?",
    '!ask {"question": "Which?", "choices": ["this", "that"]}',
    '!tool write_note {"name": "storm", "text": "x"}',
    "!sleep 0.2\n!ask On?",
    "!fail 1 not now\n!say then",
    "!fatal over",
    "!say first\n!finish done",
)
_STARTS: Final = frozenset(
    {
        "POST /baton/v1/executions",
        "POST /api/v1/tasks/plan/execute",
        "POST /api/v1/agents/{agent_id}/execute",
        "POST /v1/chat/tasks",
        "POST /v1/ai/agents/tasks",
        "POST /api/v1/tasks",
        "POST /agents/v2/agents/{agentId}/execute",
    }
)
_PLACE: Final = re.compile(r"\{(\w+)\}")
_MODES: Final = (None, None, "queue", "interrupt", "reject")
_LIVE_TASKS: Final = 60  # starts pause while so many are at work: a storm that outruns the worker measures nothing


@dataclass
class Storm:
    """``statuses``: how often each route was answered with what. ``accepted``: ids of messages that callers were told
    are stored. ``unexpected``: answers that no fault explains."""

    stack: DevStack
    pool: "asyncpg.Pool[asyncpg.Record]"
    seed: int
    faults: bool = False
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    accepted: set[UUID] = field(default_factory=set[UUID])
    unexpected: list[str] = field(default_factory=list[str])
    _sent: list[tuple[str, str, bytes | None, str, str]] = field(
        default_factory=list[tuple[str, str, bytes | None, str, str]]
    )
    _names: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _live: int = 0

    async def blow(self, seconds: float, clients: int) -> None:
        """Let ``clients`` call whatever they like for so many seconds."""
        async with self.stack.client() as http:
            agents = (await http.get("/baton/v1/agents")).json()["items"]
            careful = {"tools": ["clock", "write_note"], "policies": {"write_note": "ask", "*": "allow"}}
            for agent in agents:
                assert (await http.patch(f"/baton/v1/agents/{agent['id']}", json=careful)).status_code == 200
            for prompt in _LINES:
                assert (await http.post("/baton/v1/executions", json={"prompt": prompt})).status_code == 201
            await self._look()
            until = time.monotonic() + seconds
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_looking(until))
                for n in range(clients):
                    group.create_task(self._client(http, random.Random(f"{self.seed}/{n}"), until))

    async def _keep_looking(self, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
            await self._look()

    async def _look(self) -> None:
        """Learn what there is: the clients name it in their paths."""
        rows = await self.pool.fetch(
            """
            SELECT t.id, t.number, t.execution_id, t.position, e.in_plan, a.id AS agent_id, a.number AS agent_number,
                   (SELECT m.id FROM messages m WHERE m.task_id = t.id ORDER BY random() LIMIT 1) AS message,
                   (SELECT p.id FROM approvals p WHERE p.task_id = t.id
                     ORDER BY p.state = 'open' DESC LIMIT 1) AS approval,
                   (SELECT k.id FROM keys k WHERE k.name LIKE 'storm-%' ORDER BY random() LIMIT 1) AS key
              FROM (SELECT * FROM tasks ORDER BY number DESC LIMIT 150) t
              JOIN executions e ON e.id = t.execution_id
              JOIN agents a ON a.id = t.agent_id
            """
        )
        self._live = await self.pool.fetchval("SELECT count(*) FROM tasks WHERE state = 'running'")
        plans = [row for row in rows if row["in_plan"]]
        self._names = [
            {
                "EXECUTION": str(row["execution_id"]),
                "TASK": str(row["id"]),
                "TASK_NUMBER": row["number"],
                "PLAN": str((plan := plans[n % len(plans)] if plans else row)["execution_id"]),
                "PLAN_TASK": str(plan["id"]),
                "ONE": plan["position"],
                "MESSAGE": str(row["message"] or uuid4()),
                "APPROVAL": str(row["approval"] or uuid4()),
                "AGENT": str(row["agent_id"]),
                "AGENT_NUMBER": row["agent_number"],
                "ARTIFACT": str(uuid4()),  # the storm's tools and talks are short
                "NUMBER": 1,
                "KEY": str(row["key"] or uuid4()),
            }
            for n, row in enumerate(rows)
        ]

    async def _client(self, http: httpx.AsyncClient, dice: random.Random, until: float) -> None:
        routes = list(TABLE)
        weights = [4.0 if TABLE[route].scope is Scope.SEND else 1.0 for route in routes]
        while time.monotonic() < until:
            if self._sent and dice.random() < 0.05:
                await self._repeat(http, dice)
                continue
            (route,) = dice.choices(routes, weights)
            if route in _STARTS and self._live > _LIVE_TASKS:
                continue
            await self._call(http, dice, route, TABLE[route])

    async def _call(self, http: httpx.AsyncClient, dice: random.Random, route: str, entry: Entry) -> None:
        method, _, path = route.partition(" ")
        names = dice.choice(self._names) | {"NEW": f"storm-{uuid4()}"}
        target = _PLACE.sub(lambda m: str(names[entry.ids.get(m[1]) or place_of(path, m[1])]), path) + entry.query
        body = None if entry.body is None else json.dumps(self._spoken(filled(entry.body, names), dice)).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        sends = entry.scope is Scope.SEND and method == "POST" and entry.body is not None and "approvals" not in path
        if sends:
            headers["Idempotency-Key"] = str(uuid4())
            if mode := dice.choice(_MODES):
                headers["Baton-Mode"] = mode
        answer = await self._ask(http, route, method, target, body, headers)
        if sends and answer is not None and answer.status_code < 300:
            told = answer.headers.get("Baton-Message-Id", "")
            self.accepted |= {UUID(one) for one in told.split(", ") if one}
            self._sent.append((route, target, body, headers["Idempotency-Key"], told))

    def _spoken(self, value: Any, dice: random.Random) -> Any:
        """``value`` with lines of the storm for the words of the table, and the queue that the worker polls."""
        if isinstance(value, dict):
            return {key: self._spoken(item, dice) for key, item in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            return [self._spoken(item, dice) for item in cast("list[Any]", value)]
        if value == "q":
            return self.stack.ready["task_queue"]
        return dice.choice(_LINES) if value in ("hello", "!say hi", "something else") else value

    async def _repeat(self, http: httpx.AsyncClient, dice: random.Random) -> None:
        """Send what was accepted under the same key: it must be told of the same message."""
        route, target, body, key, told = dice.choice(self._sent[-200:])
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        answer = await self._ask(http, route, "POST", target, body, headers)
        if answer is None or answer.status_code == 503:
            return
        if answer.status_code >= 300 or answer.headers.get("Baton-Message-Id", "") != told:
            self.unexpected.append(f"{route}: a repeat of {told} was told {answer.status_code} {answer.text[:200]}")

    async def _ask(
        self,
        http: httpx.AsyncClient,
        route: str,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> httpx.Response | None:
        try:
            async with http.stream(method, target, content=body, headers=headers) as answer:
                if answer.headers.get("content-type", "").startswith("text/event-stream"):
                    await _read_a_little(answer)
                else:
                    await answer.aread()
        except httpx.TransportError as error:
            if not self.faults:
                self.unexpected.append(f"{route}: {error!r}")
            return None
        self.statuses[route, answer.status_code] += 1
        if answer.status_code >= 500 and not (self.faults and answer.status_code == 503):
            said = "" if answer.is_stream_consumed and not hasattr(answer, "_content") else answer.text[:300]
            self.unexpected.append(f"{route}: {answer.status_code} {said}")
        return answer

    async def settle(self, seconds: float) -> None:
        """Go on with whatever stands still, until every task is over."""
        deadline = time.monotonic() + seconds
        async with self.stack.client() as http:
            while left := await self.pool.fetch(
                "SELECT id, state FROM tasks WHERE state NOT IN ('succeeded', 'failed', 'cancelled')"
            ):
                assert time.monotonic() < deadline, f"{len(left)} tasks are not over: {left[:5]}"
                for row in left:
                    if row["state"] in (TaskState.WAITING, TaskState.PAUSED):
                        await self._go_on(http, row["id"])
                await asyncio.sleep(0.5)

    async def _go_on(self, http: httpx.AsyncClient, task: UUID) -> None:
        try:
            await http.post(f"/baton/v1/tasks/{task}/messages", json={"text": "this"})
        except httpx.TransportError:
            if not self.faults:
                raise

    async def wrong(self) -> list[str]:
        """What does not hold of what is stored, in words; none where all is well."""
        found = list(self.unexpected)
        for what, query in _CHECKS.items():
            found += [f"{what}: {dict(row)}" for row in await self.pool.fetch(query)]
        states: dict[UUID, tuple[str, list[TaskState]]] = {}
        for row in await self.pool.fetch(
            "SELECT e.id, e.state, t.state AS task FROM executions e JOIN tasks t ON t.execution_id = e.id"
        ):
            states.setdefault(row["id"], (row["state"], []))[1].append(TaskState(row["task"]))
        for execution, (state, tasks) in states.items():
            if execution_state(tasks) is not ExecutionState(state):
                found.append(f"execution {execution} is {state}, its tasks are {tasks}")
        stored = {row["id"] for row in await self.pool.fetch("SELECT id FROM messages")}
        return found + [f"message {one} was accepted and is not there" for one in self.accepted - stored]


#: What is wrong → the rows that show it.
_CHECKS: Final = {
    # A message that is redriven takes a new number.
    "counters are not the rows": """
        SELECT t.id, t.accepted_seq, t.unclaimed, count(m.id) AS messages, max(m.seq) AS last, r.times AS redriven
          FROM tasks t
               LEFT JOIN messages m ON m.task_id = t.id
               CROSS JOIN LATERAL (
                   SELECT count(*) AS times FROM events v
                    WHERE v.execution_id = t.execution_id AND v.task_id = t.id AND v.type = 'message.redriven') r
         GROUP BY t.tenant_id, t.id, r.times
        HAVING t.accepted_seq <> count(m.id) + r.times OR t.accepted_seq <> coalesce(max(m.seq), 0)
            OR t.unclaimed <> count(m.id) FILTER (WHERE m.state = 'accepted')
    """,
    "the log has a gap": """
        SELECT e.id, e.event_seq, count(v.seq) AS events, max(v.seq) AS last
          FROM executions e LEFT JOIN events v ON v.execution_id = e.id
         GROUP BY e.tenant_id, e.id
        HAVING e.event_seq <> count(v.seq) OR e.event_seq <> coalesce(max(v.seq), 0)
    """,
    "a message came to no end": """
        SELECT id, state FROM messages
         WHERE state NOT IN ('processed', 'withdrawn', 'dead') OR (state = 'dead') <> (reason IS NOT NULL)
    """,
    "a turn has no end": """
        SELECT task_id, turn FROM turns WHERE state = 'running' OR ended_at IS NULL
    """,
    "a message was taken more than once": """
        SELECT m.id, m.state, count(v.seq) AS taken, m.failed_turns
          FROM messages m
          JOIN tasks t ON t.id = m.task_id
          JOIN events v ON v.execution_id = t.execution_id AND v.task_id = t.id AND v.type = 'turn.started'
           AND v.data -> 'messages' @> jsonb_build_array(jsonb_build_object('message_id', m.id))
         GROUP BY m.tenant_id, m.id, m.state, m.failed_turns
        HAVING count(v.seq) > 1 + cardinality(m.failed_turns)
    """,
    "a processed message was taken by no turn": """
        SELECT m.id FROM messages m
          JOIN tasks t ON t.id = m.task_id
         WHERE m.state = 'processed' AND m.turn IS NOT NULL AND NOT EXISTS (
               SELECT FROM events v
                WHERE v.execution_id = t.execution_id AND v.task_id = t.id AND v.type = 'turn.started'
                  AND v.data -> 'messages' @> jsonb_build_array(jsonb_build_object('message_id', m.id)))
    """,
    "there were deadlocks": """
        SELECT deadlocks FROM pg_stat_database WHERE datname = current_database() AND deadlocks > 0
    """,
}


async def _read_a_little(answer: httpx.Response) -> None:
    try:
        async with asyncio.timeout(0.3):
            async for _ in answer.aiter_bytes():
                pass
    except TimeoutError:
        return
