"""API keys."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, Field, StrictInt, StrictStr

from baton.client.schemas.base import PageOut, Shape, Text
from baton.domain.agents import Scope


def _scope(value: object) -> object:
    return Scope.named(value) if isinstance(value, str) else value


class CreateKey(Shape):
    """A key that is to be made."""

    name: Annotated[StrictStr, Field(description="A note on what the key is for.")] = ""
    scopes: Annotated[list[Annotated[Scope, BeforeValidator(_scope)]], Field(min_length=1, max_length=20)] = [
        Scope.READ,
        Scope.SEND,
        Scope.WRITE,
    ]
    agent: Annotated[
        StrictInt | Text | None, Field(description="The only agent it may use: uuid, integer or name; null: any.")
    ] = None
    expires_in_seconds: Annotated[StrictInt | None, Field(description="Seconds until it expires; null: never.")] = None
    per_minute: Annotated[
        StrictInt | None, Field(description="Requests per minute; 0: no limit, null: the default limit.")
    ] = None


class KeyOut(Shape):
    """A key, without its secret. ``last_used_at`` is written now and then, some seconds late."""

    id: UUID
    name: str
    scopes: list[Scope]
    agent_id: UUID | None
    agent_number: int | None
    per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewKeyOut(KeyOut):
    """A key that was made just now. ``key`` is what callers present: shown this once, stored as a digest.

    It is null in the response to a repeat under the same `Idempotency-Key`.
    """

    key: str | None


class Keys(PageOut[KeyOut]):
    """A page of keys."""
