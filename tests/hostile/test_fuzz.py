"""Whatever strangers send to any route of any dialect: a clear 4xx in the dialect's own words, or the right answer.

Never a 5xx, never a half-done write, and the server goes on serving. Requests are made from `access_table`, so that a
new route is asked wrong things as soon as it has a line there. `BATON_TEST_FUZZ` says how many (20,000 takes some
minutes), `BATON_TEST_SEED` which.
"""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID

import pytest

from tests.dialects.access_table import TABLE
from tests.dialects.spoken import SPOKEN
from tests.dialects.test_access_matrix import filled, place_of
from tests.hostile.inputs import SECRET, TOKENS, Request, spoil
from tests.hostile.shapes import is_in_shape
from tests.hostile.wire import NoReply, Reply, Wire, request_bytes
from tests.hostile.world import Target, api_process, dialect_finder, routes, tasks_in_every_state
from tests.support.postgres import PostgresServer

REQUESTS: Final = int(os.environ.get("BATON_TEST_FUZZ", "3000"))
SEED: Final = int(os.environ.get("BATON_TEST_SEED", "1"))
_CLIENTS: Final = 8
_MORE_BYTES: Final = 100 * 2**20
_OTHERS: Final[tuple[str, ...]] = (
    "/health",
    "/docs",
    "/docs/baton",
    "/docs/{name}",
    "/docs/{name}/openapi.json",
    "/",
    "/api/v1",
    "/v1",
    "/nothing/{x}",
)


@pytest.fixture(scope="module")
async def target(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Target]:
    """An API process of this module's own."""
    dsn = await postgres.create_database()
    async with api_process(dsn, tmp_path_factory.mktemp("fuzz"), BATON_JWT_SECRET=SECRET) as started:
        yield started
    await postgres.drop_database(dsn)


@dataclass
class Score:
    """What was answered, and what should not have been."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    wrong: list[str] = field(default_factory=list[str])
    messages: set[str] = field(default_factory=set[str])
    executions: set[str] = field(default_factory=set[str])

    def count(self, request: Request, reply: Reply, dialect: str) -> None:
        """Judge an answer."""
        self.statuses[reply.status] += 1
        told = f"{request.method} {request.target[:200]} {request.headers!s:.200} {(request.body or b'')[:200]!r}"
        if reply.status >= 500 or reply.status < 200:
            self.wrong.append(f"{reply.status}: {told} -> {reply.body[:300]!r}")
        elif reply.status >= 400 and request.method != "HEAD" and not is_in_shape(dialect, reply):
            self.wrong.append(f"{reply.status} in no shape of {dialect!r}: {told} -> {reply.body[:300]!r}")
        elif reply.status < 300:
            self.messages |= {one for one in reply.headers.get("baton-message-id", "").split(", ") if one}
            self.executions |= {one for one in (reply.headers.get("baton-execution-id", ""),) if one}


def make(dice: random.Random, names: list[dict[str, Any]], key: str) -> Request:
    """A request that is right, but for what `spoil` did to it."""
    if dice.random() < 0.03:
        request = Request("GET", list(dice.choice(_OTHERS).split("/")), [], key)
        request.places = [n for n, segment in enumerate(request.segments) if segment.startswith("{")]
        document, parameters = None, []
    else:
        _, method, path, parameters = dice.choice(ROUTES)
        known = dice.choice(names)
        segments = path.split("/")
        places = [n for n, segment in enumerate(segments) if segment.startswith("{")]
        for n in places:
            segments[n] = str(known[place_of(path, segments[n].strip("{}"))])
        document = filled(TABLE[f"{method} {path}"].body, known)
        request = Request(method, segments, places, key)
        if document is not None:
            request.body = dumped(document)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        spoil(dice, request, document, parameters)
    return request


def dumped(document: Any) -> bytes:
    return json.dumps(document).encode()


ROUTES: Final = list(routes())


async def fuzz(target: Target, count: int, seed: int, names: list[dict[str, Any]], score: Score) -> None:
    """Ask ``count`` wrong things, several at a time."""
    whose = dialect_finder()
    numbers = iter(range(count))

    async def client() -> None:
        wire = Wire(target.api.url)
        for number in numbers:
            request = make(random.Random(f"{seed}/{number}"), names, target.api.key)
            sent = request_bytes(request.method, request.target, request.all_headers(), request.sent_body())
            try:
                reply = await wire.ask(sent, method=request.method)
            except NoReply as error:
                wire.close()
                score.wrong.append(f"no reply ({error}) to {seed}/{number}: {sent[:300]!r}")
                continue
            path = request.target.partition("?")[0]
            path = path if "%2f" in path.lower() else unquote(path)
            score.count(request, reply, whose(path))
        wire.close()

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))


def test_every_dialect_has_a_shape() -> None:
    assert {dialect for dialect, *_ in ROUTES} == set(SPOKEN)


@pytest.mark.parametrize("dialect", sorted(SPOKEN))
async def test_credentials_that_nobody_gave_out(target: Target, dialect: str) -> None:
    wire = Wire(target.api.url)
    path = next(path for name, method, path, _ in ROUTES if name == dialect and method == "GET")
    for token in TOKENS:
        request = Request("GET", path.split("/"), [], token)
        reply = await wire.ask(request_bytes("GET", request.target, request.all_headers(), None), method="GET")
        assert reply.status == 401, token[:300]
        assert is_in_shape(dialect, reply)
    wire.close()


@pytest.mark.timeout(60 + REQUESTS // 10)
async def test_strangers(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    names, score = await tasks_in_every_state(target.api), Score()
    had = await stored(target)
    await fuzz(target, REQUESTS // 5, SEED, names, score)
    before = target.resident_bytes
    await fuzz(target, REQUESTS - REQUESTS // 5, SEED + 1, names, score)
    after = target.resident_bytes
    with capsys.disabled():
        by_status = ", ".join(f"{status}: {times}" for status, times in sorted(score.statuses.items()))
        print(f"\n{sum(score.statuses.values())} wrong requests to {len(ROUTES)} routes: {by_status}")
        print(f"memory of the API: {before / 2**20:.0f} MiB after a fifth of them, {after / 2**20:.0f} MiB after all")
    assert not score.wrong, f"{len(score.wrong)} answers:\n" + "\n".join(score.wrong[:20])
    assert "Traceback" not in target.log.read_text()
    assert after - before < _MORE_BYTES
    await nothing_is_half_done(target, had, score)
    for name in ("baton", "kubiya", "chat_tasks"):
        assert (await target.api.http.get(f"/docs/{name}")).status_code == 200
    assert (await target.api.http.post("/baton/v1/executions", json={"prompt": "!say hi"})).status_code == 201


async def stored(target: Target) -> tuple[set[str], set[str]]:
    """The ids of all messages and executions."""
    async with target.api.pool.connection() as connection:
        messages = await connection.fetch("SELECT id FROM messages")
        executions = await connection.fetch("SELECT id FROM executions")
    return {str(row["id"]) for row in messages}, {str(row["id"]) for row in executions}


async def nothing_is_half_done(target: Target, had: tuple[set[str], set[str]], score: Score) -> None:
    """All that was stored was told, all that was told is stored, and the rows fit each other."""
    messages, executions = await stored(target)
    assert messages - had[0] <= score.messages
    assert score.messages <= messages
    assert executions - had[1] <= score.executions
    assert score.executions <= executions
    async with target.api.pool.connection() as connection:
        gaps = await connection.fetch(
            "SELECT e.id FROM executions e LEFT JOIN events v ON v.tenant_id = e.tenant_id AND v.execution_id = e.id"
            " GROUP BY e.tenant_id, e.id, e.event_seq HAVING count(v.seq) <> e.event_seq OR max(v.seq) <> e.event_seq"
        )
        empty = await connection.fetch(
            "SELECT id FROM executions e WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.execution_id = e.id)"
        )
    assert [UUID(str(row["id"])) for row in (*gaps, *empty)] == []
