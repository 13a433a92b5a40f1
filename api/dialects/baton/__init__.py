"""Baton's own API: complete, and in one style. The CLI uses nothing else."""

from fastapi.routing import APIRoute

from api.dialect import Dialect, new_app
from api.dialects.baton import (
    agents,
    approvals,
    artifacts,
    compactions,
    executions,
    export,
    keys,
    messages,
    receipts,
    tasks,
)
from api.dialects.baton.errors import ERRORS, render
from api.dialects.baton.problems import PREFIX
from api.errors import install
from api.openapi import ErrorShape, document
from api.routing import add_routes
from baton.client.schemas.agents import ChangeAgent, CreateAgent
from baton.client.schemas.approvals import DecideApproval
from baton.client.schemas.executions import StartExecution
from baton.client.schemas.keys import CreateKey
from baton.client.schemas.messages import EditMessage, SendMessage
from baton.client.schemas.problems import ProblemOut


def baton_dialect() -> Dialect:
    """Baton's own dialect, with an application of its own."""
    app = new_app("Baton", "1", "Executions, their tasks, and the messages that tasks take.")
    add_routes(
        app,
        messages.router,
        executions.router,
        export.router,
        tasks.router,
        receipts.router,
        approvals.router,
        artifacts.router,
        compactions.router,
        agents.router,
        keys.router,
    )  # sends are matched first
    for route in app.routes:
        if isinstance(route, APIRoute):
            route.operation_id = route.name  # generated clients have functions of these names
    install(app, ERRORS, render)
    document(
        app,
        security={"BearerAuth": {"type": "http", "scheme": "bearer"}},
        errors=ErrorShape({"$ref": "#/components/schemas/ProblemOut"}, "application/problem+json"),
        bodies=(
            StartExecution,
            SendMessage,
            EditMessage,
            DecideApproval,
            CreateAgent,
            ChangeAgent,
            CreateKey,
            ProblemOut,
        ),
    )
    return Dialect(
        name="baton",
        title="Baton",
        about="Baton's own API: errors as problem+json, ids as uuid, lists with cursors, ETags on tasks.",
        prefixes=(PREFIX,),
        app=app,
        errors=ERRORS,
    )
