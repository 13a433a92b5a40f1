"""Is a head refused that two readers could understand in two ways, and no other?"""

from typing import Any

import pytest

from api.heads import fault_of


def scope(*headers: tuple[str, str], version: str = "1.1", host: bool = True) -> dict[str, Any]:
    """A request's scope."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {"headers": [(b"host", b"x"), *raw] if host else raw, "http_version": version}


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "baton-mode",
        "baton-question",
        "content-encoding",
        "content-type",
        "idempotency-key",
        "last-event-id",
        "origin",
        "x-api-key",
        "x-asteroid-agents-api-key",
    ],
)
def test_a_header_of_one_value_is_given_once(name: str) -> None:
    assert fault_of(scope((name, "a"))) is None
    assert fault_of(scope((name, "a"), ("accept", "b"), (name, "a"))) is None
    fault = fault_of(scope((name, "a"), ("accept", "b"), (name, "b")))
    assert fault is not None
    assert name in fault.lower()


def test_lists_may_be_given_in_pieces() -> None:
    assert fault_of(scope(("if-match", '"1"'), ("if-match", '"2"'), ("accept", "a"), ("accept", "b"))) is None


@pytest.mark.parametrize(
    ("given", "is_good"),
    [
        (scope(), True),
        (scope(host=False), False),
        (scope(("host", "x")), False),
        (scope(("host", "y")), False),
        (scope(host=False, version="1.0"), True),
        (scope(version="1.0"), True),
        (scope(("host", "x"), version="1.0"), False),
        (scope(host=False, version="2"), True),
    ],
)
def test_a_host_is_named_once(given: dict[str, Any], is_good: bool) -> None:
    assert (fault_of(given) is None) is is_good
