"""Who did something: by kind and id, beside a name that anybody may choose."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self, cast

from baton.domain.errors import InvalidInput
from baton.domain.json import JsonObject, JsonValue

#: What texts that show names alone call those who have none of their own. No key may be called so.
TEMPORAL_NAME: Final = "temporal"
DEADLINE_NAME: Final = "deadline"
#: What the names of keys without a name, and the ids of users, begin with.
KEY_PREFIX: Final = "key:"
USER_PREFIX: Final = "jwt:"


class AuthorKind(StrEnum):
    """How somebody is known."""

    KEY = "key"
    USER = "user"  #: by a JWT
    TEMPORAL = "temporal"  #: somebody at Temporal's own UI or CLI
    DEADLINE = "deadline"  #: nobody: a question's time was over
    UNKNOWN = "unknown"  #: recorded by code that kept names alone, or nobody did it


@dataclass(frozen=True, slots=True)
class Author:
    """Who did something. ``id``: of a key its uuid, of a user issuer and subject as one name, in Temporal the identity
    that its client chose, else "". ``name`` is what people are shown; it proves nothing."""

    kind: AuthorKind
    id: str
    name: str

    @classmethod
    def in_temporal(cls, identity: str = "") -> Self:
        """Somebody at Temporal's own UI or CLI."""
        return cls(AuthorKind.TEMPORAL, identity, identity or TEMPORAL_NAME)

    @classmethod
    def recorded(cls, author: JsonValue, name: str) -> Self:
        """The author that a row has; older rows have the name alone."""
        if not isinstance(author, dict):
            return cls(AuthorKind.UNKNOWN, "", name)
        return cls(AuthorKind(str(author["kind"])), cast("str", author["id"]), cast("str", author["name"]))

    def json(self) -> JsonObject:
        """The author as rows and answers have it."""
        return {"kind": self.kind, "id": self.id, "name": self.name}


#: A question whose time was over.
DEADLINE: Final = Author(AuthorKind.DEADLINE, "", DEADLINE_NAME)
NOBODY: Final = Author(AuthorKind.UNKNOWN, "", "")


def check_key_name(name: str) -> None:
    """Raises `InvalidInput` for a key's name by which it would pass for somebody else."""
    plain = name.strip().casefold()
    if plain in (TEMPORAL_NAME, DEADLINE_NAME) or plain.startswith((KEY_PREFIX, USER_PREFIX)):
        raise InvalidInput(f"a key cannot be called {plain[:40]!r}: others are known by that name", ("body", "name"))
