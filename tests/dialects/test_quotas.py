"""Does a key that asks too often hear so, in every dialect's shape, and only that key?"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import jwt
import pytest

from api.dialects import all_dialects
from baton.domain.agents import Scope
from baton.domain.quota import WINDOW_SECONDS
from baton.service.windows import SharedWindows
from tests.dialects.conftest import QUICK
from tests.dialects.requests import start_task
from tests.dialects.spoken import SPOKEN
from tests.support.api import RunningApi, running_api
from tests.support.redis import RedisServer, running_redis

CHEAP = "/baton/v1/executions?limit=1"
SECRET = "a-secret-of-at-least-thirty-two-bytes!"
_RATE = re.compile(r'"requests";r=(\d+);t=(\d+)')


def left(answer: httpx.Response) -> int:
    """How many requests are left, by the answer's header."""
    found = _RATE.fullmatch(answer.headers["ratelimit"])
    assert found, answer.headers["ratelimit"]
    assert 1 <= int(found[2]) <= 60
    return int(found[1])


@pytest.mark.parametrize("name", SPOKEN)
async def test_one_request_too_many(api: RunningApi, name: str) -> None:
    path, told = SPOKEN[name].reads, SPOKEN[name].told
    client = api.client(await api.new_key(per_minute=3))
    answers = [await client.get(path) for _ in range(5)]
    assert [answer.status_code == 429 for answer in answers] == [False] * 3 + [True] * 2
    assert [left(answer) for answer in answers] == [2, 1, 0, 0, 0]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"requests";q=3;w=60'}
    refused = answers[-1]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    code, message = told(refused.json())
    assert (code, "3 requests a minute" in message) == ("rate_limited", True)
    assert not {"retry-after"} & set(answers[0].headers)
    other = await api.client(await api.new_key(per_minute=3)).get(path)
    assert left(other) == 2
    assert not {"ratelimit", "ratelimit-policy"} & set((await api.http.get(path)).headers)


async def test_a_key_of_no_own_limit_has_the_configured_one(api: RunningApi) -> None:
    answer = await api.client(await api.new_key(per_minute=None)).get(CHEAP)
    assert answer.headers["ratelimit-policy"] == '"requests";q=100;w=60'
    assert left(answer) == 99


async def test_every_kind_of_answer_counts_once_and_says_so(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    client = api.client(await api.new_key(Scope.READ, Scope.SEND, per_minute=20))
    for n, (method, path, body, status) in enumerate(
        [
            ("GET", f"/baton/v1/tasks/{task}", None, 200),
            ("POST", f"/baton/v1/tasks/{task}/messages", b'{"text": "x"}', 202),
            ("POST", f"/baton/v1/tasks/{task}/messages", b"{", 422),
            ("POST", f"/baton/v1/tasks/{task}/cancel", None, 403),
            ("GET", "/baton/v1/tasks/x", None, 404),
        ]
    ):
        answer = await client.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, left(answer)) == (status, 19 - n)
    async with client.stream("GET", f"/baton/v1/tasks/{task}/events") as stream:
        assert (stream.status_code, left(stream)) == (200, 14)


async def test_strangers_are_not_counted(api: RunningApi) -> None:
    for key in (None, "baton_nobody"):
        answer = await api.client(key).get(CHEAP)
        assert answer.status_code == 401
        assert "ratelimit" not in answer.headers


async def test_a_message_that_is_refused_so_is_not_stored(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    client = api.client(await api.new_key(per_minute=1))
    path = f"/baton/v1/tasks/{task}/messages"
    assert [(await client.post(path, json={"text": "x"})).status_code for _ in range(3)] == [202, 429, 429]
    assert len((await api.http.get(path)).json()["items"]) == 1


async def test_tokens_count_by_issuer_and_subject(shared_database_url: str) -> None:
    def token(subject: str, issuer: str, serial: int) -> str:
        claims = {"sub": subject, "iss": issuer, "tenant": "acme", "exp": time.time() + 60, "jti": str(serial)}
        return jwt.encode(claims, SECRET, "HS256")

    async with running_api(shared_database_url, jwt_secret=SECRET, requests_per_minute=5) as api:
        for subject, issuer in (("ada", "a"), ("bob", "a"), ("ada", "b"), ("a|b", "c"), ("b", "c|a")):
            answers = [await api.client(token(subject, issuer, n)).get(CHEAP) for n in range(6)]
            assert [answer.status_code for answer in answers] == [200] * 5 + [429]


async def test_a_limit_of_none(shared_database_url: str) -> None:
    async with running_api(shared_database_url, requests_per_minute=0) as api:
        answer = await api.client(await api.new_key(per_minute=None)).get(CHEAP)
        assert (answer.status_code, "ratelimit" in answer.headers) == (200, False)


def test_every_operation_declares_it() -> None:
    for dialect in all_dialects():
        for path, methods in dialect.app.openapi()["paths"].items():
            for method, operation in methods.items():
                assert "429" in operation["responses"], (dialect.name, method, path)


class TestRedis:
    """Counted by all processes together."""

    @pytest.fixture
    async def redis(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[RedisServer]:
        monkeypatch.setattr("baton.service.quotas._REDIS_SECONDS", 10.0)  # a busy machine is no Redis that is away
        async with running_redis(tmp_path) as server:
            yield server

    async def test_two_apis_count_together(self, shared_database_url: str, redis: RedisServer) -> None:
        settings = QUICK | {"redis_url": redis.url}
        async with (
            running_api(shared_database_url, **settings) as one,
            running_api(shared_database_url, **settings) as two,
        ):
            key = await one.new_key(per_minute=6)
            clients = [one.client(key), two.client(key)]
            answers = [await clients[n % 2].get(CHEAP) for n in range(8)]
            assert [left(answer) for answer in answers] == [5, 4, 3, 2, 1, 0, 0, 0]
            assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 2
            assert int(answers[-1].headers["retry-after"]) <= 60

    async def test_while_it_is_away_each_counts_for_itself(
        self, shared_database_url: str, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("baton.service.quotas._AWAY_SECONDS", 0.2)
        async with running_api(shared_database_url, **QUICK, redis_url=redis.url) as api:
            client = api.client(await api.new_key(per_minute=4))
            assert left(await client.get(CHEAP)) == 3
            await redis.stop()
            assert [(await client.get(CHEAP)).status_code for _ in range(5)] == [200] * 4 + [429]
            await redis.start()
            answer = await client.get(CHEAP)
            deadline = time.monotonic() + 10
            while answer.status_code == 429 and time.monotonic() < deadline:
                answer = await client.get(CHEAP)
            assert answer.status_code == 200  # Redis, which has forgotten, counts again

    async def test_nobody_waits_for_one_that_hangs(
        self, shared_database_url: str, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("baton.service.quotas._REDIS_SECONDS", 1.0)
        monkeypatch.setattr("baton.service.quotas._AWAY_SECONDS", 60.0)
        async with running_api(shared_database_url, **QUICK, redis_url=redis.url) as api:
            client = api.client(await api.new_key(per_minute=4))
            assert left(await client.get(CHEAP)) == 3
            redis.pause()
            try:
                answers = [await asyncio.wait_for(client.get(CHEAP), 10) for _ in range(5)]
                assert [left(answer) for answer in answers] == [3, 2, 1, 0, 0]
            finally:
                redis.go_on()

    async def test_many_at_once_are_counted_one_by_one(self, shared_database_url: str, redis: RedisServer) -> None:
        async with running_api(shared_database_url, **QUICK, redis_url=redis.url) as api:
            client = api.client(await api.new_key(per_minute=30))
            answers = await asyncio.gather(*(client.get(CHEAP) for _ in range(40)))
            assert sorted(answer.status_code for answer in answers) == [200] * 30 + [429] * 10

    async def test_a_window_ends_a_minute_after_its_first_request(self, redis: RedisServer) -> None:
        shared = SharedWindows(redis.url, 10.0)
        try:
            counted = [await shared.count("a") for _ in range(3)]
            await asyncio.sleep(0.01)
            counted.append(await shared.count("a"))
            assert [window.requests for window in counted] == [1, 2, 3, 4]
            assert WINDOW_SECONDS - 30 < counted[0].seconds_left <= WINDOW_SECONDS
            assert counted[3].seconds_left <= counted[0].seconds_left - 0.01
            assert (await shared.count("b")).requests == 1
        finally:
            await shared.close()
