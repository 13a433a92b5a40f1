"""Kubiya's plan and execution API, as its published clients call it."""

from api.dialect import Dialect, new_app
from api.dialects.kubiya import agents, executions, plans
from api.dialects.kubiya.errors import ERRORS, render
from api.dialects.kubiya.schemas import ERROR, VALIDATION_ERROR, ExecuteAgent, ExecutePlan
from api.errors import install
from api.openapi import ErrorShape, document
from api.routing import add_routes


def kubiya_dialect() -> Dialect:
    """Kubiya's dialect, with an application of its own."""
    app = new_app("Kubiya plan execution API, spoken by Baton", "1.0.0")
    add_routes(app, plans.router, executions.router, agents.router)
    install(app, ERRORS, render)
    document(
        app,
        security={"BearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        errors=ErrorShape(
            {"$ref": "#/components/schemas/Error"}, invalid={"$ref": "#/components/schemas/HTTPValidationError"}
        ),
        bodies=(ExecutePlan, ExecuteAgent),
        schemas={"ValidationError": VALIDATION_ERROR, "Error": ERROR},
    )
    return Dialect(
        name="kubiya",
        title="Kubiya",
        about="Plans of tasks, and single tasks. Keys are sent as `Authorization: Bearer` or `UserKey`.",
        prefixes=("/api/v1/tasks/plan", "/api/v1/executions", "/api/v1/agents"),
        app=app,
        errors=ERRORS,
    )
