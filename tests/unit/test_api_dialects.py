"""Does every dialect have an answer to everything, and its own paths?"""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request

from api.app import create_app
from api.dialect import Dialect
from api.dialects import all_dialects
from api.errors import failure_of
from api.routing import DirectRoute, is_plain
from baton.domain import errors
from baton.domain.errors import DomainError
from baton.settings import Settings
from tests.dialects.spoken import SPOKEN

DIALECTS = {dialect.name: dialect for dialect in all_dialects()}
WORDED = {name: importlib.import_module(f"api.dialects.{name}.errors") for name in DIALECTS}
SAMPLES: dict[type[DomainError], DomainError] = {
    errors.InvalidInput: errors.InvalidInput("no", ("body", "a", 0)),
    errors.InvalidPlan: errors.InvalidPlan("no", 3),
    errors.Conflict: errors.Conflict("no", "running"),
    errors.TaskClosed: errors.TaskClosed("no", "cancelled"),
    errors.TaskBusy: errors.TaskBusy("no", "running"),
    errors.AlreadyDecided: errors.AlreadyDecided("no", "declined"),
    errors.NotWaiting: errors.NotWaiting("no", "running"),
    errors.NothingToCompact: errors.NothingToCompact("no", "running"),
    errors.MessageTaken: errors.MessageTaken("no", "claimed", 3),
    errors.Outdated: errors.Outdated("no", 7, ("q1",)),
    errors.AnswerRefused: errors.AnswerRefused("no", ("must be a number",)),
    errors.ArgumentsRefused: errors.ArgumentsRefused("no", ("must be a number",)),
    errors.CursorExpired: errors.CursorExpired("no", 12),
    errors.TooLarge: errors.TooLarge("no", 1024),
    errors.RateLimited: errors.RateLimited("no", 7),
}


def kinds(of: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    """Every kind of domain error."""
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


KINDS = sorted(set(kinds()), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_the_error_table_is_total(dialect: Dialect) -> None:
    assert {kind for kind in kinds() if kind.__module__ == "baton.domain.errors"} <= set(dialect.errors)


@pytest.mark.parametrize("spoken", WORDED.values(), ids=WORDED)
@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_an_answer_that_says_what_to_do(kind: type[DomainError], spoken: Any) -> None:
    sample = SAMPLES.get(kind) or kind("no")
    request = Request({"type": "http", "path": "/x", "headers": [], "query_string": b"", "state": {}})
    answer = spoken.render(request, failure_of(sample, spoken.ERRORS))
    assert 400 <= answer.status_code < 600
    assert answer.status_code != 500
    assert b"no" in answer.body or b"must be a number" in answer.body
    assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
    assert ("retry-after" in answer.headers) == isinstance(sample, errors.Unavailable | errors.RateLimited)


@pytest.mark.parametrize("name", SPOKEN)
def test_a_path_is_its_dialects(name: str) -> None:
    app = create_app(Settings())
    known = {dialect.app.title: dialect.app for dialect in app.dialects}
    assert len(known) == len(SPOKEN)
    for path in SPOKEN[name].paths:
        assert app.find(path) is known[SPOKEN[name].title], path
    for path in (*SPOKEN[name].others, "/", "", "/health"):
        assert app.find(path) not in known.values(), path


def test_sends_are_direct() -> None:
    """Their dependencies are called without FastAPI's general solver, which costs more than the rest of a send."""
    hot = {door.send for spoken in SPOKEN.values() for door in spoken.doors}
    direct = {
        route.path
        for dialect in DIALECTS.values()
        for route in dialect.app.routes
        if isinstance(route, DirectRoute) and "POST" in (route.methods or ()) and is_plain(route.dependant)
    }
    assert hot <= direct


def test_no_two_dialects_share_a_path() -> None:
    taken: dict[tuple[str, str], str] = {}
    for dialect in DIALECTS.values():
        for path, methods in dialect.app.openapi()["paths"].items():
            assert any(_under(path, prefix) for prefix in dialect.prefixes), f"{path} is under no prefix"
            for method in methods:
                assert taken.setdefault((method, path), dialect.name) == dialect.name


def _under(path: str, prefix: str) -> bool:
    segments, wanted = path.split("/"), prefix.split("/")
    return all(a == b or b.startswith("{") for a, b in zip(segments, wanted, strict=False)) and len(segments) >= len(
        wanted
    )
