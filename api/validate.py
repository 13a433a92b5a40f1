"""Bodies as typed models."""

from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from baton.domain.json import JsonObject

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], given: JsonObject, where: str = "body") -> M:
    """What was ``given`` as ``model``; ``where`` says in which part of the request.

    Raises `RequestValidationError`, which every dialect answers in its own shape.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**p, "loc": (where, *p["loc"])} for p in problems]) from error
