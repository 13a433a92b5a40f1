"""What knowing the caller costs: nothing on the way of a request. How soon it is over: seconds after a revocation."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from tests.dialects.conftest import QUICK
from tests.dialects.requests import start_task
from tests.dialects.test_access import CHEAP, RSA, SECRET, Issuer, issuer_url, token
from tests.support.api import RunningApi, running_api
from tests.support.keys import list_keys


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the database by an API that is started afterwards."""
    asked: list[str] = []

    def listen(one: Any) -> None:
        asked.append(one.query)

    async def prepare(connection: Any) -> None:
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        connection.add_query_logger(listen)

    monkeypatch.setattr("baton.store.pool.prepare_connection", prepare)
    monkeypatch.setattr("baton.service.last_uses._WRITE_SECONDS", 3600.0)
    return asked


@pytest.mark.parametrize("kind", ["key", "JWT"])
async def test_a_send_is_one_round_trip(database_url: str, statements: list[str], kind: str) -> None:
    quiet: dict[str, Any] = {
        "relay_interval_seconds": 3600.0,
        "feed_poll_seconds": 3600.0,
        "principal_cache_seconds": 3600.0,
    }
    async with running_api(database_url, **(QUICK | quiet), jwt_secret=SECRET) as api:
        task = (await start_task(api.http))["tasks"][0]["id"]
        client = api.client(await api.new_key(per_minute=50) if kind == "key" else token())
        for n in range(5):
            statements.clear()
            assert (await client.post(f"/baton/v1/tasks/{task}/messages", json={"text": "x"})).status_code == 202
            if n:  # the first has to find out who calls, and where the task lives
                assert len(statements) == 1
                assert "INSERT INTO messages" in statements[0]


async def test_a_key_in_use_is_looked_up_again_behind_the_scenes(database_url: str, statements: list[str]) -> None:
    """While the lookup hangs, requests go on; once it has found the key revoked, they do not."""
    async with running_api(database_url, **QUICK, principal_cache_seconds=8) as api:
        client = api.client(await api.new_key())

        def looks() -> int:
            return sum("WHERE k.digest" in one for one in statements)

        assert (await client.get("/baton/v1/agents")).status_code == 200
        first = looks()
        async with api.pool.transaction() as connection:
            await connection.execute("LOCK TABLE keys IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            while time.monotonic() < began + 5:  # past the half, where it is looked up again, and not past the end
                assert (await asyncio.wait_for(client.get("/baton/v1/agents"), 1)).status_code == 200
                await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            while looks() == first:
                await asyncio.sleep(0.05)
        async with api.pool.connection() as connection:
            await connection.execute("UPDATE keys SET revoked_at = now() WHERE tenant_id = $1", await api.tenant_id())
        async with asyncio.timeout(15):
            while (await client.get("/baton/v1/agents")).status_code != 401:
                await asyncio.sleep(0.05)


async def test_what_was_used_is_written_at_the_end(database_url: str) -> None:
    async with running_api(database_url, **QUICK) as api:
        assert (await api.http.get(CHEAP)).status_code == 200
        assert [key.last_used_at for key in await list_keys(api.pool, api.tenant)] == [None]
        await api.app.state.baton.authenticator.close()
        (key,) = await list_keys(api.pool, api.tenant)
        assert key.last_used_at is not None
        assert [key.last_used_at for key in await list_keys(api.pool, api.other_tenant)] == [None]


async def test_what_could_not_be_written_is_written_later(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baton.service.last_uses._WRITE_SECONDS", 0.1)
    async with running_api(database_url, **QUICK, statement_timeout_seconds=0.3) as api:

        async def last_use() -> object:
            (key,) = await list_keys(api.pool, api.tenant)
            return key.last_used_at

        async with api.pool.transaction() as connection:
            await connection.execute("LOCK TABLE keys IN SHARE MODE")  # they can be read, not written
            assert (await api.http.get(CHEAP)).status_code == 200
            began = time.monotonic()
            while time.monotonic() < began + 1:  # in which it is tried in vain
                assert await last_use() is None
                await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            while await last_use() is None:
                await asyncio.sleep(0.05)


async def _ends(stream: httpx.Response) -> None:
    async with asyncio.timeout(15):
        async for _ in stream.aiter_bytes():
            pass


@pytest.mark.parametrize("kind", ["key", "JWT"])
async def test_a_stream_ends_with_what_it_was_opened_with(database_url: str, kind: str) -> None:
    settings: dict[str, Any] = QUICK | {"principal_cache_seconds": 0.3, "stream_keepalive_seconds": 0.2}
    async with running_api(database_url, **settings, jwt_secret=SECRET, jwt_leeway_seconds=0) as api:
        execution = await start_task(api.http)
        path = f"/baton/v1/executions/{execution['id']}/events"
        reader = api.client(await api.new_key(per_minute=1) if kind == "key" else token(exp=time.time() + 2))
        async with api.http.stream("GET", path) as other, reader.stream("GET", path) as stream:
            assert (stream.status_code, other.status_code) == (200, 200)
            if kind == "key":
                newest = (await list_keys(api.pool, api.tenant))[-1]
                assert (await api.http.delete(f"/baton/v1/keys/{newest.id}")).status_code == 200
            await _ends(stream)
            seen = b""
            async with asyncio.timeout(5):
                async for piece in other.aiter_raw():
                    seen += piece
                    if seen.count(b": keep-alive") > 3:
                        break
        assert (await reader.get(path)).status_code == 401


def _signed(header: str, payload: str) -> str:
    """A JWT of any text, signed well."""
    text = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, payload))
    signature = hmac.digest(SECRET.encode(), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


GOOD_HEADER = '{"alg": "HS256", "typ": "JWT"}'
CLAIMS = '"sub": "ada", "tenant": "acme"'


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (GOOD_HEADER, f'{{{CLAIMS}, "exp": 1e400}}'),
        (GOOD_HEADER, f'{{{CLAIMS}, "exp": NaN}}'),
        (GOOD_HEADER, f'{{{CLAIMS}, "exp": 5, "exp": null}}'),
        (GOOD_HEADER, f'{{{CLAIMS}, "exp": {{}}}}'),
        (GOOD_HEADER, "[" * 6_000),
        (GOOD_HEADER, "[" * 6_000 + "]" * 6_000),
        (GOOD_HEADER, "5"),
        (GOOD_HEADER, "[]"),
        (GOOD_HEADER, ""),
        (GOOD_HEADER, '{"sub": "ada", "tenant": "\\u0000", "exp": 9999999999}'),
        (GOOD_HEADER, '{"sub": "a\\ud800", "tenant": "acme", "exp": 9999999999}'),
        ('{"alg": "HS256", "kid": 5}', f'{{{CLAIMS}, "exp": 9999999999}}'),
        ("[]", f'{{{CLAIMS}, "exp": 9999999999}}'),
        ('{"alg": ["HS256"]}', f'{{{CLAIMS}, "exp": 9999999999}}'),
        ('{"alg": "hs256"}', f'{{{CLAIMS}, "exp": 9999999999}}'),
        ('{"alg": "None"}', f'{{{CLAIMS}, "exp": 9999999999}}'),
        ("{" * 6_000, f'{{{CLAIMS}, "exp": 9999999999}}'),
        (GOOD_HEADER + " " * 20_000, f'{{{CLAIMS}, "exp": 9999999999}}'),
        ('{"alg": "HS256", "b64": false, "crit": ["b64"]}', f'{{{CLAIMS}, "exp": 9999999999}}'),
    ],
)
async def test_strange_tokens(token_api: RunningApi, header: str, payload: str) -> None:
    answer = await token_api.client(_signed(header, payload)).get(CHEAP)
    assert answer.status_code == 401, answer.text
    assert (await token_api.client(None).get("/health")).status_code == 200


async def test_ends_that_are_far_away(token_api: RunningApi) -> None:
    for end in ("9999999999", "99999999999999999999", "1" + "0" * 400):
        good = _signed(GOOD_HEADER, f'{{{CLAIMS}, "exp": {end}}}')
        assert (await token_api.client(good).get(CHEAP)).status_code == 200


@pytest.fixture(scope="module")
async def token_api(shared_database_url: str) -> AsyncGenerator[RunningApi]:
    """An API that takes JWTs."""
    async with running_api(shared_database_url, **QUICK, jwt_secret=SECRET) as running:
        yield running


async def test_rotation_behind_the_scenes(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that are known are fetched again while they go on counting, and a withdrawn one stops."""
    issuer = Issuer()
    issuer.add("one", RSA.public_key())
    async with (
        issuer_url(issuer) as url,
        running_api(database_url, **QUICK, jwt_jwks_url=url, principal_cache_seconds=0) as api,
    ):
        client = api.client(token(RSA, "RS256", {"kid": "one"}))
        assert (await client.get(CHEAP)).status_code == 200
        monkeypatch.setattr("baton.service.jwks._FRESH_SECONDS", 0)
        monkeypatch.setattr("baton.service.jwks._RETRY_SECONDS", 0)
        hold = issuer.hold()
        assert (await asyncio.wait_for(client.get(CHEAP), 5)).status_code == 200  # the issuer hangs, nobody waits
        issuer.keys.clear()
        issuer.add("two", RSA.public_key())
        hold.set()
        async with asyncio.timeout(10):
            while (await client.get(CHEAP)).status_code != 401:
                await asyncio.sleep(0.02)
        assert (await api.client(token(RSA, "RS256", {"kid": "two"})).get(CHEAP)).status_code == 200


@pytest.mark.parametrize("spoilt", ["too large", "no JSON", "no keys", "for encryption"])
async def test_a_document_that_is_of_no_use(database_url: str, spoilt: str) -> None:
    issuer = Issuer()
    issuer.add("one", RSA.public_key())
    match spoilt:
        case "too large":
            issuer.keys[0]["x"] = "x" * 2**20
        case "for encryption":
            issuer.keys[0]["use"] = "enc"
        case "no keys":
            issuer.keys.clear()
        case _:
            issuer.broken = True
    async with issuer_url(issuer) as url, running_api(database_url, **QUICK, jwt_jwks_url=url) as api:
        answer = await api.client(token(RSA, "RS256", {"kid": "one"})).get(CHEAP)
        assert answer.status_code == (401 if spoilt == "for encryption" else 503)
        assert (await api.http.get(CHEAP)).status_code == 200
