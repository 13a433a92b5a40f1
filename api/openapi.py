"""OpenAPI documents: what FastAPI writes, with what it cannot know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

_REFERENCE: Final = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """How a dialect's errors look. ``invalid``: what a 422's body is instead of ``body``, where it differs."""

    body: dict[str, Any]
    media_type: str = "application/json"
    invalid: dict[str, Any] | None = None

    def response(self, status: int) -> dict[str, Any]:
        """The entry of a status."""
        schema = self.invalid if status == 422 and self.invalid is not None else self.body
        return {"description": _ERRORS[status], "content": {self.media_type: {"schema": schema}}}


#: What goes wrong, whatever the dialect. Before a route is reached (408, 431), or behind it (500, 503, 504), too.
_ERRORS: Final = {
    400: "Malformed request",
    401: "Missing or invalid credentials",
    403: "The credentials lack the required scope",
    404: "Not found, or owned by another tenant",
    408: "The request took too long to arrive",
    409: "The current state does not allow this",
    412: "What the caller saw is no longer current",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "Invalid request",
    429: "Rate limit exceeded",
    431: "The headers are too large",
    500: "Internal error",
    503: "Temporarily unavailable, nothing was stored: retry",
    504: "The database did not respond in time: retry with the same Idempotency-Key",
}
_ANY: Final = (400, 401, 403, 404, 408, 429, 431, 500, 503, 504)


def _statuses(method: str, operation: dict[str, Any]) -> Iterator[int]:
    """The errors that an operation may answer with."""
    yield from _ANY
    if operation.get("parameters") or "requestBody" in operation:
        yield 422
    if method != "get":
        yield from (409, 412)
    if "requestBody" in operation:
        yield from (413, 415)


def document(
    app: FastAPI,
    *,
    security: dict[str, Any],
    errors: "ErrorShape",
    bodies: Sequence[type[BaseModel]] = (),
    schemas: Mapping[str, dict[str, Any]] | None = None,
) -> None:
    """Have ``app`` describe its security scheme, the models of bodies that it reads by hand, further schemas, and all
    errors that any of its routes may answer with; what a route says itself of one stays as it is."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            written = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            components = written.setdefault("components", {})
            components["securitySchemes"] = security
            _, definitions = models_json_schema([(body, "validation") for body in bodies], ref_template=_REFERENCE)
            components.setdefault("schemas", {}).update(definitions.get("$defs", {}))
            components["schemas"].update(schemas or {})
            for operations in written["paths"].values():
                for method, operation in operations.items():
                    for status in _statuses(method, operation):
                        operation["responses"].setdefault(str(status), errors.response(status))
            written["security"] = [{name: []} for name in security]
            app.openapi_schema = written
        return app.openapi_schema

    app.openapi = openapi


def body_of(model: type[BaseModel], parameters: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """`openapi_extra` of a route that reads ``model``, which `document` must be told of, and takes ``parameters``."""
    return with_body({"$ref": _REFERENCE.format(model=model.__name__)}, parameters)


def with_body(schema: dict[str, Any], parameters: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """`openapi_extra` of a route that reads a body by hand, with the schema that is published for it."""
    extra: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
    return {**extra, "parameters": list(parameters)} if parameters else extra


#: What the OpenAPI document says of a stream.
STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Server-sent events", "content": {"text/event-stream": {}}},
    204: {"description": "Nothing new since the end frame named by `Last-Event-ID`: do not reconnect"},
}
#: A body of which nothing is published but that it is an object.
ANY_OBJECT: Final[dict[str, Any]] = {"type": "object", "additionalProperties": True, "title": "Request"}
