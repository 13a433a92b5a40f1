"""Documentation pages, written from the OpenAPI documents. They need no script and nothing from elsewhere."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final, cast

import orjson

from api.dialect import Dialect

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .88em; background: #f3f4f6; border-radius: 4px; }
code { padding: .1em .3em; } pre { padding: .8rem; overflow-x: auto; }
.method { display: inline-block; min-width: 4.2em; font-weight: 600; text-transform: uppercase; color: #0b5cad; }
table { border-collapse: collapse; width: 100%; }
summary { cursor: pointer; margin-top: .6rem; }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
.about { white-space: pre-line; } a { color: #0b5cad; }
@media (prefers-color-scheme: dark) {
  body { background: #14171a; color: #e4e6e8; } code, pre { background: #22272b; } a, .method { color: #7cb7f2; }
}
"""
_SENDS: Final = """Every send accepts the headers `Idempotency-Key` (a repeat within the task's lifetime gets the first
response), `Baton-Mode` (`queue`, `interrupt` or `reject`), `Baton-Question` (the id of the question being answered) and
`If-Match` (the task's `ETag`). The response carries `Baton-Message-Id`, `Baton-Execution-Id` and `ETag`. What starts or
creates something takes `Idempotency-Key`, too: for 24 hours, a repeat with the same body gets the first response."""
_CODE: Final = re.compile("`([^`]+)`")
_DEPTH: Final = 3
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def index_page(dialects: Sequence[Dialect]) -> str:
    """The page that lists all dialects."""
    rows = "".join(
        f'<tr><td><a href="/docs/{escape(d.name)}">{escape(d.title)}</a></td><td>{_text(d.about)}</td>'
        f"<td>{' '.join(f'<code>{escape(prefix)}</code>' for prefix in d.prefixes)}</td></tr>"
        for d in dialects
    )
    return _page(
        "Baton",
        f"<h1>Baton</h1><p>One server, several APIs, each at its published paths. "
        f'Service health: <a href="/health"><code>/health</code></a></p>'
        f"<table><tr><th>API</th><th></th><th>Paths</th></tr>{rows}</table>",
    )


def dialect_page(dialect: Dialect) -> str:
    """The page that lists a dialect's operations."""
    document = dialect.app.openapi()
    schemas = document.get("components", {}).get("schemas", {})
    operations = "".join(
        _operation(path, method, operation, schemas) for path, method, operation in _operations(document)
    )
    return _page(
        f"{dialect.title} · Baton",
        f'<p><a href="/docs">All APIs</a></p><h1>{escape(dialect.title)}</h1>'
        f"<p>{_text(dialect.about)}</p><p>{_text(_SENDS)}</p>"
        f'<p><a href="/docs/{escape(dialect.name)}/openapi.json">OpenAPI document</a></p>{operations}',
    )


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document.get("paths", {}).items():
        for method in _METHODS:
            if method in methods:
                yield path, method, methods[method]


def _operation(path: str, method: str, operation: dict[str, Any], schemas: Mapping[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}{', required' if p.get('required') else ''}"
        f"</td><td>{_text(str(p.get('description', '')))}</td></tr>"
        for p in operation.get("parameters", ())
    )
    body = _schema(operation.get("requestBody", {}), schemas)
    answers = sorted(operation.get("responses", {}).items())
    rows = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{_text(answer.get('description', ''))}</td></tr>"
        for status, answer in answers
    )
    shown = next((found for status, answer in answers if status < "3" and (found := _schema(answer, schemas))), None)
    return (
        f'<h2><span class="method">{method}</span> <code>{escape(path)}</code></h2>'
        f'<p class="about">{_text(operation.get("description") or operation.get("summary", ""))}</p>'
        + (f"<table><tr><th>Parameter</th><th></th><th></th></tr>{parameters}</table>" if parameters else "")
        + (f"<details open><summary>Body</summary><pre>{_json(body)}</pre></details>" if body else "")
        + f"<table><tr><th>Response</th><th></th></tr>{rows}</table>"
        + (f"<details><summary>Response body</summary><pre>{_json(shown)}</pre></details>" if shown else "")
    )


def _schema(of: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """The JSON Schema of a body or an answer, with what it refers to in its place; None where there is none."""
    found = of.get("content", {}).get("application/json", {}).get("schema")
    return _resolved(found, schemas, ()) if found else None


def _resolved(schema: Any, schemas: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    """``schema`` with what it refers to in its place, `_DEPTH` deep, but not ``within`` itself."""
    if isinstance(schema, list):
        return [_resolved(item, schemas, within) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    held = cast("dict[str, Any]", schema)
    name = str(held.get("$ref", "")).rpartition("/")[2]
    if name in schemas and name not in within and len(within) < _DEPTH:
        return _resolved(schemas[name], schemas, (*within, name))
    return {key: _resolved(value, schemas, within) for key, value in held.items()}


def _text(text: str) -> str:
    """Prose in which `` `code` `` is marked as such."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _json(value: object) -> str:
    return escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>"
    )
