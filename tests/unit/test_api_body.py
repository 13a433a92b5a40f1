"""Is JSON parsed as strictly as PostgreSQL and other parsers need it?"""

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.body import parse_json
from baton.domain.errors import InvalidInput
from baton.domain.json import INT64_MAX, INT64_MIN


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "missing"),
        (b"{", "not valid JSON"),
        (b'{"a": 1,}', "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "not valid JSON"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b'{"a": "\xed\xa0\x80"}', "not valid JSON"),
        (b'{"a": "\\ud800"}', "not valid JSON"),
        (b'{"a": "\\udc00 x"}', "not valid JSON"),
        (b'{"a": "x\\u0000"}', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a": Infinity}', "not valid JSON"),
        (b'{"a": -Infinity}', "not valid JSON"),
        (b'{"a": 1e999}', "not finite|not valid JSON"),
        (b'{"a": 9223372036854775808}', "outside 64 bits"),
        (b'{"a": -9223372036854775809}', "outside 64 bits"),
        (b'{"a": 18446744073709551616}', "outside 64 bits"),
        (b'{"a": ' + b"9" * 5000 + b"}", "outside 64 bits|not valid JSON"),
        (b"[" * 5000 + b"]" * 5000, "not valid JSON"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not valid JSON"),
        (b"1 2", "not valid JSON"),
        (b'{"a": 1, "a": 1}', "key twice"),
        (b'{"a" : 1, "b": [{"c\\n": 2}, {"x": 1, "y": {"k"\t:1,"k":2}}]}', "key twice"),
        (b'{"a": "\\":", "\\u0061": 1}', "key twice"),
        (b"[" + b"1," * 100_000 + b"1]", "more than 100000 values"),
        (b'{"a": [' + b"[1,2]," * 50_000 + b"[]]}", "more than 100000 values"),
        (b"[" * 130 + b"]" * 130, "nested more than 128"),
        (b'{"a":' * 130 + b"1" + b"}" * 130, "nested more than 128"),
    ],
)
def test_refused(body: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        parse_json(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 9223372036854775807, "b": -9223372036854775808}', {"a": INT64_MAX, "b": INT64_MIN}),
        (b'{"a": 1e300}', {"a": 1e300}),
        (b'{"a": "order 12345678901234567890"}', {"a": "order 12345678901234567890"}),
        (b'{"a": 0.1234567890123456789012}', {"a": 0.1234567890123456789012}),
        ('{"a": "😀 \\ud83d\\ude00 \u2028"}'.encode(), {"a": "😀 😀 \u2028"}),
        (b" null ", None),
        (b"[" * 128 + b"]" * 128, None),
        (b'{"text": "{\\"a\\": 1, \\"a\\": 2}"}', {"text": '{"a": 1, "a": 2}'}),
        (b'{"text": "' + b"a,b;" * 200_000 + b'"}', {"text": "a,b;" * 200_000}),
        (b"[" + b"1," * 99_999 + b"1]", [1] * 100_000),
        (b'{"a": {"a": 1}, "b": {"a": ":"}}', {"a": {"a": 1}, "b": {"a": ":"}}),
    ],
)
def test_taken(body: bytes, value: Any) -> None:
    parsed = parse_json(body)
    if value is not None:
        assert parsed == value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(INT64_MIN, INT64_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), inner, max_size=4
        )
    ),
    max_leaves=15,
)


@given(VALUES)
def test_what_can_be_stored_comes_through_unchanged(value: Any) -> None:
    assert parse_json(orjson.dumps(value)) == value


@given(st.binary(max_size=200))
def test_whatever_comes_is_parsed_or_refused(body: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        parse_json(body)
