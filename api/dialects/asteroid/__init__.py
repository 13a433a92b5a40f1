"""Asteroid's API (`/agents/v2`), as its published clients call it, older and newer ones."""

from api.dialect import Dialect, new_app
from api.dialects.asteroid import agents, control, executions, messages, polling
from api.dialects.asteroid.errors import ERRORS, render
from api.dialects.asteroid.schemas import POLLED, PREFIX, PUBLISHED, ExecuteAgentRequest, UpdateStatusRequest
from api.errors import install
from api.openapi import ErrorShape, document
from api.routing import add_routes


def asteroid_dialect() -> Dialect:
    """Asteroid's dialect, with an application of its own."""
    app = new_app("Asteroid agent service, spoken by Baton", "v1")
    add_routes(
        app, messages.router, executions.router, control.router, agents.router, polling.router
    )  # sends are matched first
    install(app, ERRORS, render)
    document(
        app,
        security={"ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-Asteroid-Agents-Api-Key"}},
        errors=ErrorShape({"$ref": "#/components/schemas/Common.Error"}),
        bodies=(ExecuteAgentRequest, UpdateStatusRequest),
        schemas=PUBLISHED,
    )
    return Dialect(
        name="asteroid",
        title="Asteroid",
        about="Executions of agents; a message goes to an execution. Keys: `X-Asteroid-Agents-Api-Key` or `X-Api-Key`.",
        prefixes=(PREFIX, POLLED),
        app=app,
        errors=ERRORS,
    )
