"""What the client takes for a whole export."""

from collections.abc import AsyncIterator

import httpx
import pytest

from baton.client.errors import Unreachable
from baton.client.export import export
from baton.client.http import Client
from baton.client.server import Server

BODY = b"""\
{"kind":"export","format":1}
{"kind":"execution","execution":{}}
{"kind":"task","task":{}}
{"kind":"message","message":{"text":"\xc3\xa9"}}
{"kind":"event","event":{"seq":1}}
{"kind":"event","event":{"seq":2}}
"""
END = b'{"kind":"end","tasks":1,"messages":1,"events":2}\n'


class Slowly(httpx.AsyncByteStream):
    """A body that comes in pieces of a few bytes."""

    def __init__(self, body: bytes, size: int) -> None:
        self._pieces = [body[at : at + size] for at in range(0, len(body), size)]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


async def taken(body: bytes, size: int = 7) -> tuple[bytes, str]:
    """What a client gets of an answer, line by line, and what it says at the end."""
    lines = b""
    async with Client(Server("http://x", "key")) as client:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Slowly(body, size)))
        client.http = httpx.AsyncClient(transport=transport, base_url="http://x")
        try:
            async for line in export(client, "one"):
                assert line.find(b"\n") == len(line) - 1
                lines += line
        except Unreachable as error:
            return lines, error.message
    return lines, ""


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
async def test_a_whole_one_is_given_line_by_line(size: int) -> None:
    lines, said = await taken(BODY + END, size)
    assert (lines, said) == (BODY + END, "")


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        BODY + END[:-1],
        BODY + END[:-9],
        BODY[: BODY.index(b'{"kind":"event"')] + END,
        BODY.replace(b'"message"', b'"memo"') + END,
        BODY + b'{"kind":"end"}\n',
        BODY + END + BODY,
        b"",
    ],
    ids=["no end", "no newline", "half an end", "no events", "no message", "no counts", "end within", "nothing"],
)
async def test_what_is_cut_is_an_error_after_the_lines_that_came(body: bytes) -> None:
    lines, said = await taken(body)
    assert said.startswith("the export was cut: ")
    assert lines == body[: body.rfind(b"\n") + 1]


@pytest.mark.parametrize("line", [b"<html>\n", b"[]\n", b"7\n", b"{}\n", b"\n", b'{"kind":"task","task":"\xff"}\n'])
async def test_what_is_no_export_is_no_line(line: bytes) -> None:
    lines, said = await taken(BODY + line + END)
    assert "none of an export" in said
    assert lines == BODY
