"""Documentation pages, written from the OpenAPI documents. They need no script and nothing from elsewhere."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

import orjson

from api.dialect import Dialect

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .88em; background: #f3f4f6; border-radius: 4px; }
code { padding: .1em .3em; } pre { padding: .8rem; overflow-x: auto; }
.method { display: inline-block; min-width: 4.2em; font-weight: 600; text-transform: uppercase; color: #0b5cad; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
.about { white-space: pre-line; } a { color: #0b5cad; }
@media (prefers-color-scheme: dark) {
  body { background: #14171a; color: #e4e6e8; } code, pre { background: #22272b; } a, .method { color: #7cb7f2; }
}
"""
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def index_page(dialects: Sequence[Dialect]) -> str:
    """The page that lists all dialects."""
    rows = "".join(
        f'<tr><td><a href="/docs/{escape(d.name)}">{escape(d.title)}</a></td><td>{escape(d.about)}</td>'
        f"<td>{' '.join(f'<code>{escape(prefix)}</code>' for prefix in d.prefixes)}</td></tr>"
        for d in dialects
    )
    return _page(
        "Baton",
        f"<h1>Baton</h1><p>One server, several published APIs, all at their own paths. "
        f'Is it well? <a href="/health"><code>/health</code></a></p>'
        f"<table><tr><th>API</th><th></th><th>Paths</th></tr>{rows}</table>",
    )


def dialect_page(dialect: Dialect) -> str:
    """The page that lists a dialect's operations."""
    document = dialect.app.openapi()
    operations = "".join(_operation(path, method, operation) for path, method, operation in _operations(document))
    return _page(
        f"{dialect.title} · Baton",
        f'<p><a href="/docs">All APIs</a></p><h1>{escape(dialect.title)}</h1>'
        f'<p class="about">{escape(dialect.about)}</p>'
        f'<p><a href="/docs/{escape(dialect.name)}/openapi.json">OpenAPI document</a></p>{operations}',
    )


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document.get("paths", {}).items():
        for method in _METHODS:
            if method in methods:
                yield path, method, methods[method]


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}{', required' if p.get('required') else ''}"
        f"</td><td>{escape(str(p.get('description', '')))}</td></tr>"
        for p in operation.get("parameters", ())
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{escape(answer.get('description', ''))}</td></tr>"
        for status, answer in operation.get("responses", {}).items()
    )
    return (
        f'<h2><span class="method">{method}</span> <code>{escape(path)}</code></h2>'
        f'<p class="about">{escape(operation.get("description") or operation.get("summary", ""))}</p>'
        + (f"<table><tr><th>Parameter</th><th></th><th></th></tr>{parameters}</table>" if parameters else "")
        + (f"<p>Body</p><pre>{_json(body)}</pre>" if body else "")
        + f"<table><tr><th>Answer</th><th></th></tr>{answers}</table>"
    )


def _json(value: object) -> str:
    return escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>"
    )
