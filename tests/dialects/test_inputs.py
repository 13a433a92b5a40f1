"""Does whatever a client sends get a clear answer, and never a 500?"""

import asyncio
import socket
from urllib.parse import urlparse

import httpx
import pytest

from tests.dialects.requests import start_plan, start_task
from tests.support.api import RunningApi, running_api


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        ";",
        "x",
    ],
)
async def test_only_json_is_taken(api: RunningApi, content_type: str) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    plan = await start_plan(api.http)
    for path, text in (
        (f"/baton/v1/tasks/{task}/messages", b'{"text": "x"}'),
        (f"/api/v1/tasks/plan/{plan}/tasks/1/message", b'{"message": "x"}'),
    ):
        answer = await api.http.post(path, content=text, headers={"Content-Type": content_type})
        assert answer.status_code == 415
        assert answer.json().get("detail")


@pytest.mark.parametrize(
    "content_type", [None, "application/json; charset=utf-8", "Application/JSON", "application/x+json"]
)
async def test_json_by_any_name(api: RunningApi, content_type: str | None) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = await api.http.post(f"/baton/v1/tasks/{task}/messages", content=b'{"text": "x"}', headers=headers)
    assert answer.status_code == 202


async def test_compressed_bodies_are_refused(api: RunningApi) -> None:
    answer = await api.http.post("/baton/v1/executions", content=b"x", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "text", ["😀 ünï\u2028\u2029\r\n\t\x01\x7f\ufeff", "a" * 1_000_000, "\n" * 10 + "x", "'; DROP TABLE tasks; --"]
)
async def test_text_comes_back_as_it_went_in(api: RunningApi, text: str) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    answer = await api.http.post(f"/baton/v1/tasks/{task}/messages", json={"text": text})
    assert answer.status_code == 202
    assert (await api.http.get(answer.headers["location"])).json()["text"] == text


async def test_a_large_body_is_refused_before_it_is_read(shared_database_url: str) -> None:
    async with running_api(shared_database_url, max_body_bytes=2048) as api:
        plan = await start_plan(api.http)
        for path in ("/baton/v1/executions", f"/api/v1/tasks/plan/{plan}/tasks/1/message"):
            declared = await api.http.post(path, content=b"x" * 2049, headers={"Content-Type": "application/json"})
            assert declared.status_code == 413
            assert declared.json()["detail"]
            # One that only says that much will come is refused without any of it.
            head = (
                f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
                "Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
            )
            assert b" 413 " in await _first_line(api.url, head.encode())
            # One that does not say how much will come is cut off.
            chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
            head = head.replace("Content-Length: 99999999", "Transfer-Encoding: chunked")
            assert b" 413 " in await _first_line(api.url, head.encode() + chunk * 3)
        problem = (await api.http.post("/baton/v1/executions", content=b"x" * 4000)).json()
        assert (problem["code"], problem["limit_bytes"]) == ("too_large", 2048)


async def _first_line(url: str, sent: bytes) -> bytes:
    where = urlparse(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(10):
            return await reader.readline()
    finally:
        writer.close()


async def test_a_client_that_goes_away_in_the_middle_of_its_body(
    api: RunningApi, caplog: pytest.LogCaptureFixture
) -> None:
    where = urlparse(api.url)
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(
            f"POST /baton/v1/executions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        said = await asyncio.wait_for(asyncio.to_thread(connection.recv, 100), 10)
        assert said.startswith(b"HTTP/1.1 100 "), "it reads the body"
        connection.sendall(b"{")
    assert (await api.http.get("/health")).status_code == 200
    assert not [record for record in caplog.records if "failed" in record.message]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Idempotency-Key", "a" * 256),
        ("Idempotency-Key", ""),
        ("Baton-Mode", "sometimes"),
        ("Baton-Question", ""),
    ],
)
async def test_bad_headers_are_named(api: RunningApi, name: str, value: str) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    plan = await start_plan(api.http)
    answer = await api.http.post(f"/baton/v1/tasks/{task}/messages", json={"text": "x"}, headers={name: value})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["where"] == ["header", name]
    path = f"/api/v1/tasks/plan/{plan}/tasks/1/message"
    answer = await api.http.post(path, json={"message": "x"}, headers={name: value})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["header", name]


async def test_postgresql_away_is_a_503_that_says_when_to_come_back(lone_api: RunningApi) -> None:
    api = lone_api
    task = (await start_task(api.http))["tasks"][0]["id"]
    await api.app.state.baton.pool.close()
    for path in (f"/baton/v1/tasks/{task}/messages", "/api/v1/tasks/plan/plan-executions"):
        answer = await (api.http.get(path) if path.startswith("/api") else api.http.post(path, json={"text": "x"}))
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
    await api.app.state.baton.health.look()  # as it does every few seconds
    assert (await api.http.get("/health")).json()["postgres"] is False
    ready = await api.http.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert (await api.http.get("/livez")).status_code == 200


async def test_a_bug_is_a_500_in_the_dialects_shape_and_logs_no_word(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    words = " ".join(("a", "user's", "secret", "words"))

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(words)

    monkeypatch.setattr(api.app.state.baton.routes, "find", broken)
    task = (await start_task(api.http))["tasks"][0]["id"]
    plan = await start_plan(api.http)
    answer = await api.http.post(f"/baton/v1/tasks/{task}/messages", json={"text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    answer = await api.http.post(f"/api/v1/tasks/plan/{plan}/tasks/1/message", json={"message": "x"})
    assert (answer.status_code, list(answer.json())) == (500, ["detail"])
    assert words not in answer.text
    assert words not in caplog.text
    assert "RuntimeError" in caplog.text
    assert "broken" in caplog.text  # where it came from


async def test_health_and_documents_are_open(api: RunningApi) -> None:
    nobody = api.client(None)
    health = await nobody.get("/health")
    assert health.status_code == 200
    assert health.json() == {
        "status": "degraded",
        "postgres": True,
        "temporal": False,
        "reason": health.json()["reason"],
        "version": health.json()["version"],
    }
    assert "Temporal" in health.json()["reason"]
    for path in ("/docs", "/docs/baton", "/docs/kubiya", "/docs/kubiya/openapi.json", "/docs/baton/openapi.json"):
        assert (await nobody.get(path)).status_code == 200
    for path in ("/docs/nothing", "/nothing", "/", "/api/v1/agents/1/2", "/openapi.json"):
        answer = await nobody.get(path)
        assert (answer.status_code, list(answer.json())) == (404, ["detail"])


async def test_pages_of_other_origins(shared_database_url: str) -> None:
    preflight = {"Origin": "https://ui.example", "Access-Control-Request-Method": "POST"}
    async with running_api(shared_database_url, cors_origins=("https://ui.example",)) as api:
        answer = await api.client(None).options("/baton/v1/executions", headers=preflight)
        assert answer.headers["access-control-allow-origin"] == "https://ui.example"
        answer = await api.http.get("/baton/v1/executions", headers={"Origin": "https://ui.example"})
        assert "Baton-Message-Id" in answer.headers["access-control-expose-headers"]


async def test_other_origins_are_not_let_in_by_default(api: RunningApi) -> None:
    answer: httpx.Response = await api.http.get("/baton/v1/executions", headers={"Origin": "https://ui.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("number", ["1.0", "1e0", "1_0", "+1", "%201", "0x1", "%D9%A1", "1" * 5000])
async def test_what_is_no_integer_is_none(api: RunningApi, number: str) -> None:
    plan = await start_plan(api.http)
    paths = (
        ("POST", f"/api/v1/tasks/plan/{plan}/tasks/{number}/message"),
        ("GET", f"/v1/chat/tasks/{number}"),
        ("GET", f"/baton/v1/executions?limit={number}"),
        ("GET", f"/api/v1/executions?offset={number}"),
        ("GET", f"/v1/ai/agents/tasks?page={number}"),
    )
    for method, path in paths:
        answer = await api.http.request(method, path, json={"message": "x"} if method == "POST" else None)
        assert answer.status_code in (400, 422), (path, answer.text)


async def test_an_integer_that_no_task_can_have_is_not_there(api: RunningApi) -> None:
    plan = await start_plan(api.http)
    for number in ("9" * 30, "-" + "9" * 30, "-1", "0"):
        path = f"/api/v1/tasks/plan/{plan}/tasks/{number}/message"
        assert (await api.http.post(path, json={"message": "x"})).status_code == 404
        assert (await api.http.get(f"/v1/chat/tasks/{number}")).status_code == 404
