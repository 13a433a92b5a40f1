"""From an HTTP answer to what it says: a shape, or an error."""

from typing import Any, TypeVar, cast

import httpx
import orjson
from pydantic import BaseModel, ValidationError

from baton.client.errors import Refused, Unreachable
from baton.client.schemas.base import Json

M = TypeVar("M", bound=BaseModel)


def decoded(model: type[M], response: httpx.Response) -> M:
    """The answer as ``model``; fields that are unknown here are left out, since the server may be newer.

    Raises Unreachable for an answer of another shape: a proxy's page, say.
    """
    try:
        return model.model_validate_json(response.content, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise _stranger(response, f" ({what})") from error


def refusal(response: httpx.Response) -> Refused | Unreachable:
    """The error that an unsuccessful answer stands for. The response's body must have been read."""
    problem = _problem(response)
    if problem is None:
        return _stranger(response)
    if response.status_code == 401:
        problem["detail"] = "the key is missing or not valid: pass one with --key or BATON_API_KEY."
    return Refused(response.status_code, problem)


def as_json(shape: BaseModel) -> Json:
    """A shape as the API writes it, to be printed or put into a larger object."""
    return orjson.loads(orjson.dumps(shape.model_dump(by_alias=True)))


def _stranger(response: httpx.Response, why: str = "") -> Unreachable:
    where = f"{response.request.url.host}:{response.request.url.port or ''}".rstrip(":")
    return Unreachable(f"{where} answered {response.status_code}, but not as Baton does{why}. Is --url right?")


def _problem(response: httpx.Response) -> Json | None:
    """The problem+json document in an answer, None if there is none."""
    try:
        document: Any = orjson.loads(response.content)
    except ValueError:
        return None
    return cast("Json", document) if isinstance(document, dict) else None
