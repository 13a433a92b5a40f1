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
    assert read == SendOptions("k-1", SendMode.INTERRUPT, "q1", (7,))


@pytest.mark.parametrize(
    ("value", "versions"),
    [
        ('"7"', (7,)),
        ("7", (7,)),
        ('W/"7"', ()),  # a weak tag equals none where tags are compared strongly
        ("*", None),
        (" * ", None),
        ('"abc"', ()),
        ('"9223372036854775808"', ()),
        ('"' + "9" * 400 + '"', ()),
        ('"7", "8"', (7, 8)),
        ('"7","8" ,, W/"9", "x", 10', (7, 8, 10)),
        ('"a,7,b", "8"', (8,)),
        ('"7" 8x', ()),
        ('*, "7"', ()),
        ('"7', ()),
        (",", ()),
        ("", ()),
        ("," * 60_000 + "x", ()),
    ],
)
async def test_if_match(value: str, versions: tuple[int, ...] | None) -> None:
    assert (await send_options(request(("If-Match", value)))).if_versions == versions


async def test_if_match_may_be_given_in_pieces() -> None:
    assert (await send_options(request(("If-Match", '"7"'), ("If-Match", '"8"')))).if_versions == (7, 8)


async def test_a_questions_uuid_may_be_written_in_any_case() -> None:
    given = "0192A3B4-5678-7ABC-8DEF-0123456789AB"
    assert (await send_options(request(("Baton-Question", given)))).question == given.lower()
    assert (await send_options(request(("Baton-Question", "Q1")))).question == "Q1"


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
