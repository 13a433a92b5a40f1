"""What stands in paths and in the query."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from api.dialects.asteroid.schemas import ActivitiesQuery, AgentsQuery, ListQuery, Status, reference
from api.ids import execution_id as parse_id
from api.validate import validated
from baton.domain.json import JsonValue


async def _execution_id(request: Request) -> UUID:
    return parse_id(request.path_params["executionId"])


async def _agent_id(request: Request) -> str:
    return str(request.path_params["agentId"])


async def _list_query(request: Request) -> ListQuery:
    given: dict[str, JsonValue] = {**request.query_params, "status": list(request.query_params.getlist("status"))}
    return validated(ListQuery, given, "query")


async def _agents_query(request: Request) -> AgentsQuery:
    return validated(AgentsQuery, {**request.query_params}, "query")


async def _activities_query(request: Request) -> ActivitiesQuery:
    return validated(ActivitiesQuery, {**request.query_params}, "query")


#: The path's execution. Raises `ExecutionNotFound` for what is no uuid.
ExecutionInPath = Annotated[UUID, Depends(_execution_id)]
#: The path's agent: a uuid; an integer and a name name one, too.
AgentInPath = Annotated[str, Depends(_agent_id)]
#: The query of agents. Raises `RequestValidationError`.
AgentListing = Annotated[AgentsQuery, Depends(_agents_query)]
#: The query of executions. Raises `RequestValidationError`.
Listing = Annotated[ListQuery, Depends(_list_query)]
#: The query of activities. Raises `RequestValidationError`.
Activities = Annotated[ActivitiesQuery, Depends(_activities_query)]


def _in_path(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _in_query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


#: What the OpenAPI document says of them.
EXECUTION_ID: Final = _in_path("executionId", "The execution.", reference("Common.uuid"))
AGENT_ID: Final = _in_path("agentId", "The agent, by its uuid, its integer or its name.", {"type": "string"})
_PAGE_QUERY: Final = [
    _in_query("page", "The page, counted from 1.", {"type": "integer", "minimum": 1, "default": 1}),
    _in_query("pageSize", "How many at most.", {"type": "integer", "minimum": 1, "maximum": 500, "default": 20}),
]
AGENTS_QUERY: Final = [
    *_PAGE_QUERY,
    _in_query("searchName", "Only agents whose names contain this, in any case.", {"type": "string"}),
]
LIST_QUERY: Final = [
    *_PAGE_QUERY,
    _in_query(
        "status",
        "Only these; may be given more than once.",
        {"type": "array", "items": {"type": "string", "enum": [*Status.__args__, "queued"]}},
    ),
    _in_query("agentId", "Only this agent's.", {"type": "string"}),
    _in_query("executionId", "Only executions whose ids contain this, in any case.", {"type": "string"}),
    _in_query(
        "metadataKey", "Only executions with this key in their metadata, and `metadataValue`.", {"type": "string"}
    ),
    _in_query("metadataValue", "The value of `metadataKey`, as text.", {"type": "string"}),
]
ACTIVITIES_QUERY: Final = [
    _in_query("order", "By their times.", {"type": "string", "enum": ["asc", "desc"], "default": "asc"}),
    _in_query("limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000}),
]
