"""OpenAPI documents: what FastAPI writes, with what it cannot know."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

_REFERENCE: Final = "#/components/schemas/{model}"


def document(
    app: FastAPI,
    *,
    security: dict[str, Any],
    bodies: Sequence[type[BaseModel]] = (),
    schemas: Mapping[str, dict[str, Any]] | None = None,
) -> None:
    """Have ``app`` describe its security scheme, the models of bodies that it reads by hand, and further schemas."""

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
            written["security"] = [{name: []} for name in security]
            app.openapi_schema = written
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def body_of(model: type[BaseModel], parameters: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """`openapi_extra` of a route that reads ``model``, which `document` must be told of, and takes ``parameters``."""
    return with_body({"$ref": _REFERENCE.format(model=model.__name__)}, parameters)


def with_body(schema: dict[str, Any], parameters: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """`openapi_extra` of a route that reads a body by hand, with the schema that is published for it."""
    extra: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
    return {**extra, "parameters": list(parameters)} if parameters else extra


#: A body of which nothing is published but that it is an object.
ANY_OBJECT: Final[dict[str, Any]] = {"type": "object", "additionalProperties": True, "title": "Request"}
