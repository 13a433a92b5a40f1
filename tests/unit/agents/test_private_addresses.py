"""Does an adapter that has to fetch a file for its provider stay out of private networks, by name and by redirect?

Names are looked up by a resolver of the test's own, so that a public name can lead where it should not.
"""

import socket
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic_ai import _ssrf

from baton.agents import errors
from baton.agents.errors import ModelFailed
from baton.agents.models import Models
from baton.domain.conversation import Attachment
from tests.support.openai_server import OpenAIServer, Reply
from tests.unit.agents.talk import Talk

#: Stands for a public address in these tests, since no other can be listened on.
PUBLIC = "127.0.0.2"
PRIVATE = "127.0.0.1"


@dataclass
class Host:
    """A server that says what it was asked for. ``location``: where it sends everybody on, "" to nowhere."""

    port: int = 0
    location: str = ""
    asked: list[str] = field(default_factory=list[str])


@pytest.fixture
def hosts() -> Generator[Callable[[str], Host]]:
    """Start servers, at an address each."""
    running: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(address: str) -> Host:
        host = Host()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append(self.path)
                self.send_response(302 if host.location else 200)
                self.send_header("Location" if host.location else "Content-Type", host.location or "application/pdf")
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"%PDF")

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer((address, 0), Handler)
        host.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        running.append((server, thread))
        return host

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What names lead to which address."""
    known: dict[str, str] = {}
    look_up = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **more: Any) -> Any:
        return look_up(known.get(host, host), *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


async def read(models: Models, url: str) -> str:
    """Have a model read a linked document, by an API that takes no links to such files."""
    talk = Talk(models, "Look.", model="openai-chat:gpt-5-mini")
    talk.send("At this.", attachments=(Attachment("file", "application/pdf", url),))
    return await talk.turn()


async def test_a_name_that_leads_into_a_private_network(
    models: Models, openai_server: OpenAIServer, hosts: Any, names: dict[str, str]
) -> None:
    inside = hosts(PRIVATE)
    names["files.example.com"] = PRIVATE
    with pytest.raises(ModelFailed) as failed:
        await read(models, f"http://files.example.com:{inside.port}/secret.pdf")
    assert failed.value.code == errors.REFUSED
    assert inside.asked == []
    assert openai_server.asked == []


@pytest.mark.parametrize("location", ["http://inside.example.com:{port}/secret", "http://127.0.0.1:{port}/secret"])
async def test_a_redirect_into_a_private_network(
    models: Models,
    openai_server: OpenAIServer,
    hosts: Any,
    names: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    location: str,
) -> None:
    is_private = _ssrf.is_private_ip

    def is_private_here(ip: str) -> bool:
        return ip != PUBLIC and is_private(ip)

    monkeypatch.setattr(_ssrf, "is_private_ip", is_private_here)
    inside, outside = hosts(PRIVATE), hosts(PUBLIC)
    names |= {"files.example.com": PUBLIC, "inside.example.com": PRIVATE}
    openai_server.reply(Reply(("Read.",)))
    assert await read(models, f"http://files.example.com:{outside.port}/a.pdf") == "Read."
    assert outside.asked == ["/a.pdf"]  # what is public is fetched: the test would notice a redirect that is followed
    openai_server.asked.clear()
    outside.location = location.format(port=inside.port)
    with pytest.raises(ModelFailed) as failed:
        await read(models, f"http://files.example.com:{outside.port}/b.pdf")
    assert failed.value.code == errors.REFUSED
    assert outside.asked == ["/a.pdf", "/b.pdf"]
    assert inside.asked == []
    assert openai_server.asked == []
