"""Is what a vendor publishes in our OpenAPI documents, as it is published?"""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.dialects import all_dialects
from tests.dialects.requests import start_plan
from tests.support.api import RunningApi

#: Paths, names, types and codes of the operations that vendors publish.
PUBLISHED = sorted((Path(__file__).parent / "data").glob("*_send.json"))


@pytest.fixture(params=PUBLISHED, ids=lambda path: path.stem)
def published(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A published operation, with the dialect it belongs to."""
    found: dict[str, Any] = json.loads(request.param.read_text())
    return found | {"dialect": request.param.stem.removesuffix("_send")}


def test_the_operation_is_as_published(published: dict[str, Any]) -> None:
    document = {dialect.name: dialect for dialect in all_dialects()}[published["dialect"]].app.openapi()
    ours = document["paths"][published["path"]][published["method"]]
    theirs = published["operation"]
    for part in ("tags", "summary", "operationId", "parameters", "requestBody"):
        assert ours[part] == theirs[part], part
    for status, response in theirs["responses"].items():
        assert ours["responses"][status] == response
    for name, schema in published["schemas"].items():
        assert document["components"]["schemas"][name] == schema
    assert document["components"]["securitySchemes"].items() >= published["securitySchemes"].items()
    assert document["security"] == [{name: []} for name in published["securitySchemes"]]
    assert document["openapi"].startswith("3.1")


def test_documents_have_no_dangling_references() -> None:
    for dialect in all_dialects():
        document = dialect.app.openapi()
        text = json.dumps(document)
        for name in {piece.split('"')[0] for piece in text.split("#/components/schemas/")[1:]}:
            assert name in document["components"]["schemas"], (dialect.name, name)
        identifiers = [op["operationId"] for path in document["paths"].values() for op in path.values()]
        assert len(set(identifiers)) == len(identifiers)
        for path in document["paths"].values():
            for operation in path.values():
                assert operation.get("description"), operation["operationId"]


async def test_a_422_is_what_kubiya_publishes(api: RunningApi) -> None:
    plan = await start_plan(api.http)
    published = json.loads((Path(__file__).parent / "data" / "kubiya_send.json").read_text())
    schema = {"$ref": "#/components/schemas/HTTPValidationError", "components": {"schemas": published["schemas"]}}
    validator = Draft202012Validator(schema)
    for task, content in (("x", b"{}"), ("1", b"["), ("1", b"[]"), ("1", b'{"message": {}}')):
        answer = await api.http.post(
            f"/api/v1/tasks/plan/{plan}/tasks/{task}/message",
            content=content,
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 422
        validator.validate(answer.json())  # pyright: ignore[reportUnknownMemberType]
        assert answer.json()["detail"]


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_pages_need_nothing_from_elsewhere(api: RunningApi) -> None:
    nobody = api.client(None)
    pending, seen = ["/docs"], set[str]()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = await nobody.get(path)
        assert answer.status_code == 200, path
        if "html" in answer.headers["content-type"]:
            page = _Links()
            page.feed(answer.text)
            assert page.open == []
            assert "<script" not in answer.text
            assert all(link.startswith("/") for link in page.sources)
            pending += page.sources
    assert {"/docs/kubiya", "/docs/baton", "/docs/kubiya/openapi.json", "/docs/baton/openapi.json", "/health"} <= seen
