"""Are a process's own pages served to whoever asks properly, and to nobody for long?"""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest

from baton.runtime import pages
from baton.runtime.listener import listen
from baton.runtime.pages import PageServer, StatusPage


async def _greeting(accept: str) -> StatusPage:
    return StatusPage(f"hello, {accept}".encode(), status=503 if accept == "trouble" else 200)


async def _broken(_: str) -> StatusPage:
    raise ValueError("what is in here is nobody's business")


@pytest.fixture
async def server() -> AsyncGenerator[PageServer]:
    async with PageServer(listen("127.0.0.1", 0), {"/hello": _greeting, "/broken": _broken}) as serving:
        yield serving


@pytest.fixture
async def client(server: PageServer) -> AsyncGenerator[httpx.AsyncClient]:
    host, port = server.address
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as http:
        yield http


async def test_a_page_is_made_for_each_request(client: httpx.AsyncClient) -> None:
    found = await client.get("/hello", headers={"Accept": "text/plain"})
    assert (found.status_code, found.text) == (200, "hello, text/plain")
    assert found.headers["cache-control"] == "no-store"
    assert "server" not in found.headers
    trouble = await client.get("/hello", headers={"Accept": "trouble"})
    assert trouble.status_code == 503


async def test_head_has_no_body(client: httpx.AsyncClient) -> None:
    found = await client.head("/hello", headers={"Accept": "x"})
    assert (found.status_code, found.content, found.headers["content-length"]) == (200, b"", "8")


async def test_other_paths_and_methods_are_refused(client: httpx.AsyncClient) -> None:
    missing = await client.get("/elsewhere")
    assert (missing.status_code, missing.text) == (404, "there are /broken, /hello\n")
    posted = await client.post("/hello", content=b"x")
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")


async def test_a_page_that_fails_is_an_error_without_words(client: httpx.AsyncClient) -> None:
    found = await client.get("/broken")
    assert found.status_code == 500
    assert "nobody's business" not in found.text


@pytest.mark.parametrize("sent", [b"", b"GET /hello HTTP/1.1\r\nHost: x\r\n"])
async def test_who_sends_no_whole_request_is_sent_away(
    monkeypatch: pytest.MonkeyPatch, server: PageServer, sent: bytes
) -> None:
    monkeypatch.setattr(pages, "_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(sent)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 10)
    writer.close()


async def test_the_port_is_free_again_at_the_end() -> None:
    async with PageServer(listen("127.0.0.1", 0), {}) as serving:
        address = serving.address
        _, writer = await asyncio.open_connection(*address)
    listen(*address).close()
    writer.close()


async def test_strangers_that_hold_connections_keep_no_probe_out(server: PageServer, client: httpx.AsyncClient) -> None:
    """A probe that gets a 503 has the process killed."""
    held = [await asyncio.open_connection(*server.address) for _ in range(110)]
    assert (await client.get("/hello")).status_code == 200
    (end,) = await asyncio.gather(held[0][0].read(1), return_exceptions=True)
    assert end == b"" or isinstance(end, ConnectionError), "the oldest gave way"
    for _, writer in held:
        writer.close()
