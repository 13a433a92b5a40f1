"""Are a send's headers read as they were meant?"""

import pytest
from starlette.requests import Request

from api.options import SendOptions, send_options
from baton.domain.errors import InvalidInput
from baton.domain.states import SendMode


def request(*headers: tuple[str, str]) -> Request:
    """A request with these headers."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "headers": raw})


async def test_none_sent() -> None:
    assert await send_options(request(("Content-Type", "application/json"))) == SendOptions()


async def test_all_sent() -> None:
    read = await send_options(
        request(
            ("Idempotency-Key", " k-1 "), ("Baton-Mode", "Interrupt"), ("Baton-Question", "q1"), ("If-Match", '"7"')
        )
    )
    assert read == SendOptions("k-1", SendMode.INTERRUPT, "q1", 7)


@pytest.mark.parametrize(
    ("value", "version"),
    [
        ('"7"', 7),
        ("7", 7),
        ('W/"7"', 7),
        ("*", None),
        ('"abc"', -1),
        ('"9223372036854775808"', -1),
        ('"' + "9" * 400 + '"', -1),
        ('"7", "8"', -1),
        ("", -1),
    ],
)
async def test_if_match(value: str, version: int | None) -> None:
    assert (await send_options(request(("If-Match", value)))).if_version == version


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Idempotency-Key", ""),
        ("Idempotency-Key", "  "),
        ("Idempotency-Key", "a" * 256),
        ("Idempotency-Key", "a\x00b"),
        ("Idempotency-Key", "a\x7f"),
        ("Baton-Question", ""),
        ("Baton-Question", "\x00"),
        ("Baton-Mode", "queue, interrupt"),
        ("Baton-Mode", ""),
        ("Baton-Mode", "\x00"),
    ],
)
async def test_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await send_options(request((name, value)))
    assert refused.value.where == ("header", name)


async def test_a_long_key_is_taken() -> None:
    assert (await send_options(request(("Idempotency-Key", "é" * 255)))).idempotency_key == "é" * 255
