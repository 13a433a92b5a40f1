"""What all shapes have in common."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictStr, StringConstraints

T = TypeVar("T")
Json = dict[str, Any]


class Shape(BaseModel):
    """An object of `/baton/v1`: these fields and no others.

    The API refuses requests with others. The client reads answers with ``extra="ignore"``: the server may be newer.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)


class PageOut(BaseModel, Generic[T]):
    """A page of a list. ``next_cursor`` asks for the next one, and is None on the last."""

    model_config = ConfigDict(defer_build=True)

    items: list[T]
    next_cursor: str | None


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


Text = Annotated[StrictStr, AfterValidator(_not_blank)]
Tools = Annotated[list[Annotated[StrictStr, StringConstraints(min_length=1, max_length=255)]], Field(max_length=100)]
