"""The shapes of agents and keys in Baton's own API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from api.dialects.baton.schemas import AgentOut, Text, Tools
from baton.domain.agent_limits import LIMITS
from baton.domain.agents import Scope
from baton.domain.states import SendMode

Policies = Annotated[dict[str, Any], Field(description='By tool, or `"*"` for all others: `allow`, `ask` or `deny`.')]
Limits = Annotated[dict[str, Any], Field(description=f"Positive numbers by name: {', '.join(LIMITS)}.")]
Mode = Annotated[
    SendMode, Field(description="What a message does to a task at work where neither caller nor dialect says.")
]


class CreateAgent(BaseModel):
    """An agent that is to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    model: Annotated[Text, Field(description="`scripted`, or `provider:model`.")]
    instructions: StrictStr = ""
    tools: Tools = []
    policies: Policies = {}
    limits: Limits = {}
    mode: Mode = SendMode.QUEUE
    is_default: Annotated[StrictBool, Field(description="Whether calls that name no agent use it.")] = False


class ChangeAgent(BaseModel):
    """What an agent is to be instead. What is left out, or null, stays; lists and objects are replaced whole."""

    model_config = ConfigDict(extra="forbid")

    name: Text | None = None
    model: Text | None = None
    instructions: StrictStr | None = None
    tools: Tools | None = None
    policies: Policies | None = None
    limits: Limits | None = None
    mode: Mode | None = None
    is_default: StrictBool | None = None


class WholeAgent(AgentOut):
    """An agent as data. ``id`` and ``number`` are its names in all dialects, ``version`` counts its changes."""

    model: str
    instructions: str
    tools: list[str]
    policies: dict[str, Any]
    limits: dict[str, Any]
    mode: SendMode
    is_default: bool
    version: int
    created_at: datetime
    updated_at: datetime


class Agents(BaseModel):
    """A page of agents."""

    items: list[WholeAgent]
    next_cursor: str | None


class CreateKey(BaseModel):
    """A key that is to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[StrictStr, Field(description="A note on what it is for.")] = ""
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)] = [Scope.READ, Scope.SEND, Scope.WRITE]
    agent: Annotated[
        StrictInt | Text | None, Field(description="The only agent that it may use: uuid, integer or name; null: any.")
    ] = None
    expires_in_seconds: Annotated[StrictInt | None, Field(description="How long it counts; null: for good.")] = None
    per_minute: Annotated[
        StrictInt | None, Field(description="Requests a minute; 0: any number, null: as many as any key.")
    ] = None


class KeyOut(BaseModel):
    """A key, without its secret. ``last_used_at`` is written now and then, some seconds late."""

    model_config = ConfigDict(extra="forbid")

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
    """A key that was made just now. ``key`` is what callers present: shown this once, stored as a digest."""

    key: str


class Keys(BaseModel):
    """A page of keys."""

    items: list[KeyOut]
    next_cursor: str | None
