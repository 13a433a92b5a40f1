"""Is every answer one that the dialect's OpenAPI document declares, in the shape that it declares?

Requests come from two sources: `access_table`, whose are right in everything, sent to a task in every state; and
schemathesis, which makes some that fit and some that do not from the documents, ours and what vendors publish.
`BATON_TEST_CASES` says how many schemathesis makes of each operation in each way.
"""

import json
import os
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests.auth import AuthBase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error  # pyright: ignore[reportUnknownVariableType]
from schemathesis.specs.openapi.checks import (
    content_type_conformance,  # pyright: ignore[reportUnknownVariableType]
    response_headers_conformance,  # pyright: ignore[reportUnknownVariableType]
    response_schema_conformance,  # pyright: ignore[reportUnknownVariableType]
    status_code_conformance,  # pyright: ignore[reportUnknownVariableType]
)

from api.dialects import all_dialects
from tests.dialects.access_table import TABLE
from tests.dialects.test_access_matrix import filled, place_of
from tests.dialects.test_documents import PUBLISHED
from tests.hostile.shapes import is_in_shape
from tests.hostile.wire import Reply
from tests.hostile.world import Target, api_process, routes, tasks_in_every_state
from tests.support.postgres import PostgresServer

CASES: Final = int(os.environ.get("BATON_TEST_CASES", "10"))
_CHECKS: Final[list[Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
_DOCUMENTS: Final = {dialect.name: dialect.app.openapi() for dialect in all_dialects()}
_SCHEMAS: Final = {name: schemathesis.openapi.from_dict(document) for name, document in _DOCUMENTS.items()}


class Bearer(AuthBase):
    """Puts a key in at the very end, whatever credentials were made up before."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


@dataclass
class Stage:
    """Where requests go, and what came of them."""

    target: Target
    names: list[dict[str, Any]]
    session: requests.Session
    cases: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[int] = field(default_factory=Counter[int])

    def check(self, dialect: str, source: str, case: schemathesis.Case[Any], judge: Any, key: str | None) -> None:
        """Send a request, and hold its answer against the operation that ``judge`` names."""
        auth = None if key is None else Bearer(key)
        response = case.call(base_url=self.target.api.url, session=self.session, auth=auth, timeout=30)
        self.cases[f"{dialect}, {source}"] += 1
        self.statuses[response.status_code] += 1
        ours = judge.Case(method=case.method, path_parameters=dict(case.path_parameters or {}))
        ours.validate_response(response, checks=_CHECKS)
        if response.status_code >= 400:
            reply = Reply(response.status_code, {k: v[0] for k, v in response.headers.items()}, response.content)
            assert is_in_shape(dialect, reply), response.content[:500]


@pytest.fixture(scope="module")
async def stage(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """An API whose streams end at once, and a task in every state."""
    dsn = await postgres.create_database()
    quick = {"BATON_STREAM_MAX_SECONDS": "0.05", "BATON_TEMPORAL_BUDGET_SECONDS": "0.05"}
    async with api_process(dsn, tmp_path_factory.mktemp("documents"), **quick) as target:
        with requests.Session() as session:
            session.trust_env = False
            yield Stage(target, await tasks_in_every_state(target.api), session)
    await postgres.drop_database(dsn)


def operations(schema: Any) -> Iterator[Any]:
    """All operations of a document."""
    for found in schema.get_all_operations():
        yield found.ok()


def published_document(published: dict[str, Any]) -> dict[str, Any]:
    """A vendor's operation as a document of its own."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "published", "version": "1"},
        "paths": {published["path"]: {published["method"]: published["operation"]}},
        "components": {"schemas": published["schemas"], "securitySchemes": published["securitySchemes"]},
    }


def named(op: Any) -> str:
    """An operation as `access_table` names it."""
    return f"{op.method.upper()} {op.path}"


OURS: Final = {(name, named(op)): op for name, schema in _SCHEMAS.items() for op in operations(schema)}
PUBLISHED_OPERATIONS: Final = {
    (path.stem.removesuffix("_send"), named(op)): op
    for path in PUBLISHED
    for op in operations(schemathesis.openapi.from_dict(published_document(json.loads(path.read_text()))))
}


def test_every_route_is_in_a_document() -> None:
    assert sorted((dialect, f"{method} {path}") for dialect, method, path, _ in routes()) == sorted(OURS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("dialect", "name"), sorted(OURS))
def test_what_is_right_in_every_state(stage: Stage, dialect: str, name: str) -> None:
    op, entry = OURS[dialect, name], TABLE[name]
    for known in stage.names:
        places = {
            one["name"]: str(known[entry.ids.get(one["name"]) or place_of(op.path, one["name"])])
            for one in op.definition.raw.get("parameters", ())
            if one["in"] == "path"
        }
        body = {} if entry.body is None else {"body": filled(entry.body, known), "media_type": "application/json"}
        case = op.Case(path_parameters=places, **body)
        stage.check(dialect, "right", case, op, stage.target.api.key)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("dialect", "name"), sorted(OURS))
def test_what_our_documents_make(stage: Stage, dialect: str, name: str, mode: GenerationMode) -> None:
    generated(stage, dialect, name, OURS[dialect, name], mode, "from our document", CASES)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("dialect", "name"), sorted(PUBLISHED_OPERATIONS))
def test_what_published_operations_make(stage: Stage, dialect: str, name: str, mode: GenerationMode) -> None:
    generated(stage, dialect, name, PUBLISHED_OPERATIONS[dialect, name], mode, "from the vendor's", 5 * CASES)


def generated(stage: Stage, dialect: str, name: str, op: Any, mode: GenerationMode, source: str, count: int) -> None:
    """Send what schemathesis makes of ``op``; now and then to what is there, now and then with a key."""
    entry = TABLE[name]

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
            HealthCheck.large_base_example,
            HealthCheck.too_slow,
        ],
    )
    @given(case=op.as_strategy(generation_mode=mode), dice=st.integers(0, 10**6))
    def run(case: schemathesis.Case[Any], dice: int) -> None:
        known = stage.names[dice % len(stage.names)]
        if dice % 7 != 6:
            for place in case.path_parameters or {}:
                case.path_parameters[place] = str(known[entry.ids.get(place) or place_of(op.path, place)])
        if isinstance(case.body, dict) and "agent_id" in case.body and dice % 5:
            case.body["agent_id"] = known["AGENT_NUMBER"]
        key = None if dice % 11 == 5 else stage.target.api.key
        stage.check(dialect, f"{source}, {mode.value}", case, OURS[dialect, name], key)

    run()


def test_how_many(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{sum(stage.cases.values())} cases:")
        for source, count in sorted(stage.cases.items()):
            print(f"  {source}: {count}")
        print("  " + ", ".join(f"{status}: {times}" for status, times in sorted(stage.statuses.items())))
    assert not [status for status in stage.statuses if status >= 500]
