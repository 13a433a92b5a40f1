"""Who may call what?"""

import asyncio
import base64
import hmac
import itertools
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi.routing import APIRoute
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.dialects import all_dialects
from baton.domain.agents import Scope
from tests.dialects.requests import start_plan, start_task, task_ids
from tests.support.api import RunningApi, running_api
from tests.support.keys import create_key, list_keys, revoke_key

SECRET = "a-secret-of-at-least-sixty-four-bytes-so-that-every-algorithm-takes-it!"
CHEAP = "/baton/v1/executions?limit=1"


def routes() -> list[tuple[str, str]]:
    """Every route of every dialect."""
    return [
        (method, path)
        for dialect in all_dialects()
        for path, methods in dialect.app.openapi()["paths"].items()
        for method in (name.upper() for name in methods)
    ]


def filled(path: str) -> str:
    """A path with something in its places."""
    return (
        path.replace("{task_id}", "1")
        .replace("{execution_id}", str(uuid4()))
        .replace("{executionId}", str(uuid4()))
        .replace("{agentId}", "1")
        .replace("{agent_id}", "1")
        .replace("{message_id}", str(uuid4()))
    )


async def test_nothing_is_open_and_no_body_is_read_from_a_stranger(api: RunningApi) -> None:
    """The app is called without a server, so that a body that is asked for is noticed."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was read before it was known who calls")

    async def send(message: Any) -> None:
        sent.append(message)

    strangers: list[list[tuple[bytes, bytes]]] = [
        [],
        [(b"authorization", b"Bearer baton_nobody")],
        [(b"authorization", b"Basic YTpi")],
    ]
    for (method, path), headers in itertools.product(routes(), strangers):
        sent.clear()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": filled(path),
            "raw_path": filled(path).encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": [(b"host", b"baton"), (b"content-type", b"application/json"), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        await api.app(scope, receive, send)
        assert sent[0]["status"] == 401, (method, path)
        assert (b"www-authenticate", b"Bearer") in sent[0]["headers"]
        answered = json.loads(sent[1]["body"])
        assert answered.get("detail") or answered.get("message") or answered["error"]["message"]


def test_every_route_says_in_its_signature_who_may_call() -> None:
    for dialect in all_dialects():
        for route in dialect.app.routes:
            if isinstance(route, APIRoute):
                names = {d.call.__qualname__ for d in route.dependant.dependencies if d.call is not None}
                assert any(name.startswith("require") for name in names), route.path


@pytest.mark.parametrize(
    "header",
    ["Bearer {key}", "bearer {key}", "UserKey {key}", "userkey {key}", "Bearer  {key}"],
)
async def test_a_key_under_every_scheme(api: RunningApi, header: str) -> None:
    for path in (CHEAP, "/api/v1/executions"):
        answer = await api.client(None).get(path, headers={"Authorization": header.format(key=api.key)})
        assert answer.status_code == 200


@pytest.mark.parametrize("header", ["X-Asteroid-Agents-Api-Key", "X-Api-Key"])
async def test_a_key_in_a_header_of_its_own(api: RunningApi, header: str) -> None:
    stranger = api.client(None)
    for path in (CHEAP, "/agents/v2/executions"):
        assert (await stranger.get(path, headers={header: api.key})).status_code == 200
        assert (await stranger.get(path, headers={header: f"{api.key}x"})).status_code == 401
        assert (await stranger.get(path, headers={header: api.key, "Authorization": "Bearer no"})).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "{key}",
        "Basic {key}",
        "Bearer {key}x",
        "Bearer é",
        "Bearer " + "a" * 20_000,
        "Bearer a.b.c",
    ],
)
async def test_what_is_no_key(api: RunningApi, header: str) -> None:
    given = header.format(key=api.key).encode("latin-1")
    for path in (CHEAP, "/api/v1/executions"):
        assert (await api.client(None).get(path, headers={b"Authorization": given})).status_code == 401


async def test_a_scope_for_each_kind_of_call(api: RunningApi) -> None:
    execution = await start_task(api.http)
    task = execution["tasks"][0]["id"]
    calls = {
        Scope.READ: ("GET", f"/baton/v1/tasks/{task}", None),
        Scope.SEND: ("POST", f"/baton/v1/tasks/{task}/messages", {"text": "x"}),
        Scope.WRITE: ("POST", "/baton/v1/executions", {"prompt": "x"}),
    }
    for held in Scope:
        client = api.client(await api.new_key(held))
        for needed, (method, path, body) in calls.items():
            answer = await client.request(method, path, json=body)
            assert (answer.status_code != 403) == (held in (needed, Scope.ADMIN)), (held, needed)
    reader = api.client(await api.new_key(Scope.READ))
    plan = await start_plan(api.http)
    answer = await reader.post(f"/api/v1/tasks/plan/{plan}/tasks/1/message", json={"message": "x"})
    assert (answer.status_code, list(answer.json())) == (403, ["detail"])
    assert (await reader.get(f"/api/v1/tasks/plan/{plan}")).status_code == 200


async def test_another_tenants_things_are_not_there(api: RunningApi) -> None:
    mine, theirs = api.http, api.client(api.other_key)
    await start_plan(theirs)
    single = await start_task(mine)
    plan = await start_plan(mine)
    ids = await task_ids(mine, plan)
    await api.ask(ids[1], "What?")
    sent = (await mine.post(f"/baton/v1/tasks/{ids[1]}/messages", json={"text": "x"})).json()
    task = single["tasks"][0]["id"]
    calls: list[tuple[str, str, Any]] = [
        ("GET", f"/baton/v1/executions/{plan}", None),
        ("GET", f"/baton/v1/executions/{plan}/events", None),
        ("POST", f"/baton/v1/executions/{plan}/cancel", None),
        ("POST", f"/baton/v1/executions/{plan}/pause", None),
        ("POST", f"/baton/v1/executions/{plan}/resume", None),
        ("GET", f"/baton/v1/tasks/{task}", None),
        ("GET", f"/baton/v1/tasks/{task}/events", None),
        ("GET", f"/baton/v1/tasks/{task}/messages", None),
        ("POST", f"/baton/v1/tasks/{task}/messages", {"text": "x"}),
        ("POST", f"/baton/v1/tasks/{task}/cancel", None),
        ("POST", f"/baton/v1/tasks/{task}/pause", None),
        ("POST", f"/baton/v1/tasks/{task}/resume", None),
        ("GET", f"/baton/v1/messages/{sent['id']}", None),
        ("POST", "/baton/v1/executions", {"prompt": "x", "agent": single["agent"]["id"]}),
        ("POST", "/baton/v1/executions", {"prompt": "x", "agent": single["agent"]["number"]}),
        ("GET", f"/api/v1/tasks/plan/{plan}", None),
        ("GET", f"/api/v1/tasks/plan/{plan}/stream", None),
        ("POST", f"/api/v1/tasks/plan/{plan}/tasks/1/message", {"message": "x"}),
        (
            "POST",
            f"/api/v1/tasks/plan/{plan}/continue",
            {"responses": [{"execution_id": ids[1], "message": "x"}]},
        ),
        ("GET", f"/api/v1/executions/{task}", None),
        ("GET", f"/api/v1/executions/{single['id']}", None),
        ("GET", f"/api/v1/executions/{single['id']}/stream", None),
        ("POST", f"/api/v1/executions/{single['id']}/message", {"message": "x"}),
        ("POST", f"/api/v1/executions/{single['id']}/cancel", None),
        ("POST", f"/api/v1/executions/{single['id']}/pause", None),
        ("POST", f"/api/v1/executions/{single['id']}/resume", None),
        ("POST", f"/agents/v2/agents/{single['agent']['id']}/execute", {"inputs": {"task": "x"}}),
    ]
    for execution in (plan, single["id"]):
        at = f"/agents/v2/executions/{execution}"
        calls += [
            ("GET", at, None),
            ("GET", f"{at}/activities", None),
            ("POST", f"{at}/user-messages", {"message": "x"}),
            ("POST", f"{at}/status", {"status": "paused"}),
            *(("POST", f"{at}/{action}", None) for action in ("cancel", "pause", "resume")),
        ]
    before = (await mine.get(f"/baton/v1/tasks/{task}")).json()
    for method, path, body in calls:
        refused = await theirs.request(method, path, json=body)
        assert refused.status_code == 404, (method, path, refused.text)
        assert plan not in refused.text.replace(path, "")
    assert (await mine.get(f"/baton/v1/tasks/{task}")).json() == before
    assert len((await theirs.get("/baton/v1/executions")).json()["items"]) == 1
    assert [t["execution_id"] for t in (await theirs.get("/baton/v1/tasks")).json()["items"]] != []
    assert (await theirs.get("/baton/v1/tasks?state=waiting")).json()["items"] == []
    assert (await theirs.get(f"/baton/v1/tasks?execution={plan}")).json()["items"] == []
    assert (await theirs.get("/api/v1/executions")).json() == []
    assert (await theirs.get("/api/v1/tasks/plan/plan-executions")).json()["total"] == 1


async def test_a_key_that_is_bound_to_an_agent_uses_no_other(api: RunningApi) -> None:
    own = (await start_task(api.http))["agent"]
    async with api.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO agents (tenant_id, id, name, model) SELECT tenant_id, gen_random_uuid(), 'second', 'scripted'"
            " FROM agents WHERE number = $1",
            own["number"],
        )
        second = await connection.fetchval(
            "SELECT number FROM agents WHERE name = 'second' AND tenant_id = $1", await api.tenant_id()
        )
    bound = api.client(await api.new_key(agent_number=second))
    assert (await start_task(bound))["agent"]["number"] == second
    assert (await bound.post("/baton/v1/executions", json={"prompt": "x", "agent": own["number"]})).status_code == 404
    others = (await api.http.post("/baton/v1/executions", json={"prompt": "x"})).json()
    for action in ("pause", "cancel"):
        assert (await bound.post(f"/baton/v1/executions/{others['id']}/{action}")).status_code == 404
    assert (await api.http.get(f"/baton/v1/executions/{others['id']}")).json()["state"] == "running"
    task = (await start_task(api.http))["tasks"][0]["id"]
    answer = await bound.post(f"/baton/v1/tasks/{task}/messages", json={"text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")


async def test_expired_and_revoked_keys(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baton.service.last_uses._WRITE_SECONDS", 0.1)
    async with running_api(database_url, principal_cache_seconds=0) as api:
        short = await create_key(api.pool, "acme", expires_in=timedelta(milliseconds=300), name="short")
        lasting = await create_key(api.pool, "acme", name="lasting")
        assert (await api.client(lasting).get(CHEAP)).status_code == 200
        async with asyncio.timeout(10):
            while (await api.client(short).get(CHEAP)).status_code != 401:
                await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            while True:
                (found,) = [key for key in await list_keys(api.pool, "acme") if key.name == "lasting"]
                if found.last_used_at is not None:
                    break
                await asyncio.sleep(0.05)
        await revoke_key(api.pool, "acme", found.id)
        assert (await api.client(lasting).get(CHEAP)).status_code == 401
        async with api.pool.connection() as connection:
            kept = str(await connection.fetch("SELECT * FROM keys"))
        assert lasting not in kept
        assert lasting.removeprefix("baton_") not in kept


async def test_a_good_key_is_known_for_a_while_and_a_new_one_at_once(api: RunningApi) -> None:
    unknown = "baton_" + "x" * 43
    assert (await api.client(unknown).get(CHEAP)).status_code == 401
    known = await api.new_key()
    assert (await api.client(known).get(CHEAP)).status_code == 200
    async with api.pool.connection() as connection:
        await connection.execute("UPDATE keys SET revoked_at = now() WHERE tenant_id = $1", await api.tenant_id())
    assert (await api.client(known).get(CHEAP)).status_code == 200
    api.app.state.baton.authenticator.forget()
    assert (await api.client(known).get(CHEAP)).status_code == 401


def token(key: Any = SECRET, algorithm: str = "HS256", headers: Any = None, **claims: Any) -> str:
    """A JWT."""
    payload = {"sub": "ada", "tenant": "acme", "exp": time.time() + 60} | claims
    return jwt.encode({k: v for k, v in payload.items() if v is not None}, key, algorithm, headers)


async def status(api: RunningApi, credentials: str) -> int:
    """How a read with these credentials is answered."""
    return (await api.client(credentials).get(CHEAP)).status_code


class TestSecret:
    """JWTs signed with a shared secret."""

    @pytest.fixture
    async def api(self, shared_database_url: str) -> AsyncGenerator[RunningApi]:
        async with running_api(
            shared_database_url, jwt_secret=SECRET, jwt_audience="baton", jwt_issuer="https://id.example"
        ) as running:
            yield running

    async def test_a_good_one_says_who_calls(self, api: RunningApi) -> None:
        good = token(aud="baton", iss="https://id.example")
        for scheme in ("Bearer", "UserKey"):
            answer = await api.client(None).get(CHEAP, headers={"Authorization": f"{scheme} {good}"})
            assert answer.status_code == 200
        for header in ("X-Asteroid-Agents-Api-Key", "X-Api-Key"):
            assert (await api.client(None).get(CHEAP, headers={header: good})).status_code == 200
        task = (await start_task(api.client(good)))["tasks"][0]["id"]
        sent = await api.client(good).post(f"/baton/v1/tasks/{task}/messages", json={"text": "x"})
        read = (await api.http.get(sent.headers["location"])).json()
        assert (read["sender"], read["author"]["kind"], read["author"]["name"]) == ("ada", "user", "ada")
        assert read["author"]["id"].startswith("jwt:")

    @pytest.mark.parametrize(
        "claims",
        [
            {"exp": 1},
            {"exp": None},
            {"exp": []},
            {"exp": float("inf")},
            {"nbf": 2**40},
            {"tenant": "nobody"},
            {"tenant": None},
            {"tenant": 5},
            {"tenant": "a\x00"},
            {"sub": None},
            {"sub": ""},
            {"sub": "\ud800"},
            {"sub": ["ada"]},
            {"headers": {"crit": ["exp"]}},
            {"aud": "another"},
            {"aud": None},
            {"iss": "https://other.example"},
            {"iss": None},
            {"key": "another-secret-of-at-least-sixty-four-bytes-so-that-all-algorithms-take-it"},
            {"key": "", "algorithm": "none"},
            {"algorithm": "HS512"},
        ],
    )
    async def test_a_bad_one(self, api: RunningApi, claims: dict[str, Any]) -> None:
        assert await status(api, token(**({"aud": "baton", "iss": "https://id.example"} | claims))) == 401

    @pytest.mark.parametrize(
        ("scope", "allowed"),
        [
            ("tasks:read", True),
            (["tasks:read", "tasks:send"], True),
            ("admin", True),
            ("openid profile", False),
            ([], False),
            (5, False),
            (None, True),
        ],
    )
    async def test_scopes(self, api: RunningApi, scope: Any, allowed: bool) -> None:
        good = token(aud="baton", iss="https://id.example", scope=scope)
        assert await status(api, good) == (200 if allowed else 403)

    async def test_it_is_not_known_longer_than_it_lasts(self, api: RunningApi) -> None:
        short = token(aud="baton", iss="https://id.example", exp=time.time() - 29)  # a second of the leeway is left
        async with asyncio.timeout(10):
            while await status(api, short) != 401:
                await asyncio.sleep(0.1)


def _signed_with_text(text: str) -> str:
    """A JWT signed with any text as the secret: the library refuses to make one."""
    parts = [{"alg": "HS256", "kid": "one"}, {"sub": "ada", "tenant": "acme", "exp": int(time.time()) + 60}]
    signed = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    signature = hmac.digest(text.encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


class Issuer:
    """A JWKS on a server of its own."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.asked = 0
        self.broken = False
        self._go_on = asyncio.Event()
        self._go_on.set()

    def hold(self) -> asyncio.Event:
        """Answer nobody until this is set."""
        self._go_on = asyncio.Event()
        return self._go_on

    def add(self, name: str, public: Any) -> None:
        """Publish a key."""
        is_rsa = isinstance(public, rsa.RSAPublicKey)
        written = RSAAlgorithm.to_jwk(public) if is_rsa else ECAlgorithm.to_jwk(public)
        self.keys.append(json.loads(written) | {"kid": name, "alg": "RS256" if is_rsa else "ES256", "use": "sig"})

    async def answer(self, _: Request) -> Response:
        """The document."""
        self.asked += 1
        await self._go_on.wait()
        return Response("no", 500) if self.broken else JSONResponse({"keys": self.keys})


@asynccontextmanager
async def issuer_url(issuer: Issuer) -> AsyncGenerator[str]:
    """Where the issuer's document is, while it is served."""
    app = Starlette(routes=[Route("/keys", issuer.answer)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    server.capture_signals = _no_signals
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/keys"
    server.should_exit = True
    await serving


RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


class TestKeySet:
    """JWTs whose keys are published."""

    @pytest.fixture
    def issuer(self) -> Issuer:
        issuer = Issuer()
        issuer.add("one", RSA.public_key())
        return issuer

    @pytest.fixture
    async def url(self, issuer: Issuer) -> AsyncGenerator[str]:
        async with issuer_url(issuer) as url:
            yield url

    @pytest.fixture
    async def api(self, shared_database_url: str, url: str) -> AsyncGenerator[RunningApi]:
        async with running_api(shared_database_url, jwt_jwks_url=url, principal_cache_seconds=0) as running:
            yield running

    async def test_keys_are_read_once_and_again_for_a_new_one(
        self, api: RunningApi, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await api.app.state.baton.health.first()  # it has asked, too
        checked = issuer.asked
        first = token(RSA, "RS256", {"kid": "one"})
        assert [await status(api, first) for _ in range(3)] == [200] * 3
        assert issuer.asked == checked + 1
        rotated = token(EC, "ES256", {"kid": "two"})
        assert [await status(api, rotated) for _ in range(3)] == [401] * 3
        assert issuer.asked == checked + 1  # tokens with unknown keys cost the issuer next to nothing
        issuer.add("two", EC.public_key())
        monkeypatch.setattr("baton.service.jwks._RETRY_SECONDS", 0)
        assert await status(api, rotated) == 200
        issuer.broken = True
        monkeypatch.setattr("baton.service.jwks._FRESH_SECONDS", 0)
        assert await status(api, first) == 200  # what was read goes on counting

    async def test_a_key_counts_only_for_its_algorithm(self, api: RunningApi, issuer: Issuer) -> None:
        public = json.dumps(issuer.keys[0])
        for bad in (
            token("x" * 40, "HS256", {"kid": "one"}),
            _signed_with_text(public),  # the public key taken for a secret
            token(EC, "ES256", {"kid": "one"}),
            token(rsa.generate_private_key(65537, 2048), "RS256", {"kid": "one"}),
            token("", "none", {"kid": "one"}),
            token(RSA, "RS512", {"kid": "one"}),
        ):
            assert await status(api, bad) == 401
        assert await status(api, token(RSA, "RS256")) == 200  # the only key there is needs no name

    async def test_a_key_that_could_be_broken_signs_for_nobody(self, api: RunningApi, issuer: Issuer) -> None:
        weak = rsa.generate_private_key(65537, 1024)
        issuer.add("weak", weak.public_key())
        with pytest.warns(jwt.InsecureKeyLengthWarning):
            signed = token(weak, "RS256", {"kid": "weak"})
        assert await status(api, signed) == 401

    async def test_an_issuer_that_is_away(self, api: RunningApi, issuer: Issuer) -> None:
        issuer.broken = True
        assert await status(api, token(RSA, "RS256", {"kid": "one"})) == 503
        assert await status(api, api.key) == 200


def _no_signals() -> Any:
    return nullcontext()
