"""Agents as data."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StrictBool, StrictStr

from baton.client.schemas.base import PageOut, Shape, Text, Tools
from baton.domain.allowance import CALLS_PER_TURN, LIMITS
from baton.domain.model_settings import MODEL_SETTINGS, MOST_FALLBACKS
from baton.domain.states import SendMode

Policies = Annotated[dict[str, Any], Field(description='By tool, or `"*"` for all others: `allow`, `ask` or `deny`.')]
Limits = Annotated[
    dict[str, Any],
    Field(
        description=f"Positive numbers by name: {', '.join(LIMITS)}. A task that reaches one asks whether to go on. "
        f"`max_calls_per_turn` is {CALLS_PER_TURN} unless given."
    ),
]
ModelSettings = Annotated[
    dict[str, Any],
    Field(
        description=f"How the model is asked, by name: {', '.join(MODEL_SETTINGS)}. `api_key` is `env:NAME`, with the "
        "name of a variable in the worker's environment. Whoever runs Baton decides which names, and which hosts in "
        "`base_url`, agents may use."
    ),
]
Mode = Annotated[
    SendMode, Field(description="What a message does to a task at work where neither caller nor dialect says.")
]


class Fallback(Shape):
    """A model that may answer instead. Its settings are laid over those of the agent, of which `base_url`, `api_key`
    and `extra_body` are not for it."""

    model: Text
    model_settings: ModelSettings = {}


ResultSchema = Annotated[
    dict[str, Any],
    Field(
        description="A JSON Schema (draft 2020-12) that results must obey. They are JSON then, else text. Empty: none."
    ),
]
Fallbacks = Annotated[
    list[Fallback],
    Field(
        max_length=MOST_FALLBACKS,
        description="The models that are asked, in order, where the agent's own is away or refuses.",
    ),
]


class AgentOut(Shape):
    """An agent by all its names."""

    id: UUID
    number: int
    name: str


class CreateAgent(Shape):
    """An agent that is to be made."""

    name: Text
    model: Annotated[Text, Field(description="`scripted`, or `provider:model`.")]
    instructions: StrictStr = ""
    tools: Tools = []
    policies: Policies = {}
    limits: Limits = {}
    model_settings: ModelSettings = {}
    fallbacks: Fallbacks = []
    result_schema: ResultSchema = {}
    mode: Mode = SendMode.QUEUE
    is_default: Annotated[StrictBool, Field(description="Whether calls that name no agent use it.")] = False


class ChangeAgent(Shape):
    """What an agent is to be instead. What is left out, or null, stays; lists and objects are replaced whole."""

    name: Text | None = None
    model: Text | None = None
    instructions: StrictStr | None = None
    tools: Tools | None = None
    policies: Policies | None = None
    limits: Limits | None = None
    model_settings: ModelSettings | None = None
    fallbacks: Fallbacks | None = None
    result_schema: ResultSchema | None = None
    mode: Mode | None = None
    is_default: StrictBool | None = None


class WholeAgent(AgentOut):
    """An agent as data. ``id`` and ``number`` are its names in all dialects, ``version`` counts its changes."""

    model: str
    instructions: str
    tools: list[str]
    policies: dict[str, Any]
    limits: dict[str, Any]
    model_settings: dict[str, Any] = {}
    fallbacks: list[dict[str, Any]] = []
    result_schema: dict[str, Any] = {}
    mode: SendMode
    is_default: bool
    version: int
    created_at: datetime
    updated_at: datetime


class ChangedAgent(AgentOut):
    """An agent right after a change. Who may not read tasks is not told what it is: those fields are left out."""

    version: int
    model: str | None = None
    instructions: str | None = None
    tools: list[str] | None = None
    policies: dict[str, Any] | None = None
    limits: dict[str, Any] | None = None
    model_settings: dict[str, Any] | None = None
    fallbacks: list[dict[str, Any]] | None = None
    result_schema: dict[str, Any] | None = None
    mode: SendMode | None = None
    is_default: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    warnings: Annotated[
        list[str], Field(description="Names of tools and models that may be wrong. Absent if there are none.")
    ] = []


class Agents(PageOut[WholeAgent]):
    """A page of agents."""
