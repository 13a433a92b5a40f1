"""Agents, and who calls."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import cast
from uuid import UUID

from baton.domain.authors import USER_PREFIX, Author, AuthorKind
from baton.domain.ids import Bounds
from baton.domain.json import JsonObject, JsonValue
from baton.domain.likeness import meant, quoted
from baton.domain.model_settings import ONE_MODELS_OWN
from baton.domain.states import SendMode


class Scope(StrEnum):
    """What a key may do. `ADMIN` includes all others."""

    READ = "tasks:read"
    SEND = "tasks:send"
    WRITE = "tasks:write"
    AGENTS = "agents:write"
    ADMIN = "admin"

    @classmethod
    def named(cls, name: str) -> "Scope":
        """The scope of that name. Raises ValueError, which says which one may have been meant."""
        if name in set(cls):
            return cls(name)
        instead = meant(name, tuple(cls))
        hint = f"did you mean {str(instead)!r}?" if instead else f"it must be one of {', '.join(cls)}"
        raise ValueError(f"there is no scope {quoted(name)}: {hint}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. ``key_id`` identifies the key, or issuer and subject of a JWT.

    ``agent_id`` and ``agent_number``: the only agent that the key may use, None for any; of the tasks of others it
    knows nothing. ``per_minute``: how many requests it may make a minute, 0 for any number, None for as many as any
    key.
    """

    tenant_id: UUID
    tenant: str
    subject: str
    key_id: str
    scopes: frozenset[Scope]
    agent_id: UUID | None = None
    agent_number: int | None = None
    per_minute: int | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the principal has ``scope``, or `admin`."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @property
    def author(self) -> Author:
        """The caller as who did something."""
        kind = AuthorKind.USER if self.key_id.startswith(USER_PREFIX) else AuthorKind.KEY
        return Author(kind, self.key_id, self.subject)

    @property
    def bounds(self) -> Bounds:
        """Whose things the principal may see, and as far as its scopes go change."""
        return Bounds(self.tenant_id, self.agent_id)

    @property
    def is_for_one_agent(self) -> bool:
        """Whether the key is for one agent, and knows nothing of the others."""
        return self.agent_id is not None


#: How callers name an agent: its uuid, its integer, its name; None for the key's own agent, else the default one.
AgentReference = UUID | int | str | None


def parse_reference(text: str) -> UUID | int | str:
    """What a caller's text names an agent by."""
    if text.isascii() and text.isdigit() and len(text) <= 19:
        return int(text)
    if len(text) == 36:
        try:
            return UUID(text)
        except ValueError:
            return text
    return text


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that an agent may ask, and how it is asked."""

    model: str
    settings: JsonObject


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as data. ``number`` is its integer id, ``model`` a name that `baton.agents.models` knows,
    ``model_settings`` how it is asked, ``fallbacks`` (objects with a ``model`` and its ``model_settings``) the models
    that may answer where it cannot, ``result_schema`` a JSON Schema of its tasks' results (empty: they are text),
    ``version`` counts its changes."""

    tenant_id: UUID
    id: UUID
    number: int
    name: str
    model: str
    instructions: str = ""
    tools: tuple[str, ...] = ()
    policies: JsonObject = field(default_factory=dict[str, JsonValue])
    limits: JsonObject = field(default_factory=dict[str, JsonValue])
    model_settings: JsonObject = field(default_factory=dict[str, JsonValue])
    fallbacks: tuple[JsonObject, ...] = ()
    result_schema: JsonObject = field(default_factory=dict[str, JsonValue])
    mode: SendMode = SendMode.QUEUE
    is_default: bool = False
    version: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def choices(self) -> tuple[ModelChoice, ...]:
        """The models that may answer, in order. Each is asked as the agent says, but for what its own settings say."""
        shared = {name: value for name, value in self.model_settings.items() if name not in ONE_MODELS_OWN}
        return (
            ModelChoice(self.model, self.model_settings),
            *(
                ModelChoice(str(one["model"]), shared | cast("JsonObject", one.get("model_settings") or {}))
                for one in self.fallbacks
            ),
        )
