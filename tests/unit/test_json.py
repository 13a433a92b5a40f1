"""What PostgreSQL and other parsers could not hold is found before it is stored."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.domain.json import INT64_MAX, INT64_MIN, JsonValue, unstorable, unstorable_text

good = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(INT64_MIN, INT64_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("aé🎈", max_size=3), inner, max_size=4),
    max_leaves=12,
)
bad = st.sampled_from(
    ["\x00", "a\x00b", "\ud800", "x\udfff", "\ude00\ud83d", INT64_MAX + 1, INT64_MIN - 1, float("nan"), float("inf")]
)


@given(good)
def test_what_is_fine(value: JsonValue) -> None:
    assert unstorable(value) is None


@given(good, bad, st.booleans())
def test_what_is_wrong_is_found_at_any_depth(value: JsonValue, wrong: JsonValue, in_list: bool) -> None:
    assert unstorable([value, [wrong], value] if in_list else {"a": value, "b": {"c": wrong}})
    if isinstance(wrong, str):
        assert unstorable({"a": {wrong: value}})


def test_depth_is_no_danger() -> None:
    deep: JsonValue = "\x00"
    for _ in range(100_000):
        deep = [deep]
    assert unstorable(deep) == "text contains NUL (U+0000)"


@pytest.mark.parametrize("text", ["", "é🎈\n\t\x01\x7f\ufffe\uffff", json.loads('"\\ud83c\\udf88"')])
def test_text_that_can_be_stored(text: str) -> None:
    assert unstorable_text(text) is None


@pytest.mark.parametrize("value", [True, False, 0, -0.0, 2**63 - 1, -(2**63), [], {}])
def test_edges(value: JsonValue) -> None:
    assert unstorable(value) is None
