"""The agent task API of Maia, as its published clients call it: tasks by their uuids, consent by tool."""

from api.dialect import Dialect, new_app
from api.dialects.maia import decisions, messages, tasks
from api.dialects.maia.errors import ERRORS, render
from api.dialects.maia.published import PUBLISHED, SECURITY
from api.dialects.maia.schemas import PREFIX, CreateTaskRequest, SubmitDecisionsRequest
from api.errors import install
from api.openapi import ErrorShape, document
from api.routing import add_routes


def maia_dialect() -> Dialect:
    """Maia's dialect, with an application of its own."""
    app = new_app("Maia agent task API, spoken by Baton", "1.0")
    add_routes(app, messages.router, decisions.router, tasks.router)  # sends are matched first
    install(app, ERRORS, render)
    document(
        app,
        security=SECURITY,
        errors=ErrorShape({"$ref": "#/components/schemas/ProblemDetail"}, "application/problem+json"),
        bodies=(CreateTaskRequest, SubmitDecisionsRequest),
        schemas=PUBLISHED,
    )
    return Dialect(
        name="maia",
        title="Maia",
        about="Tasks that plan or act; tools that change things need permission. Keys: `Authorization: Bearer`.",
        prefixes=(PREFIX,),
        app=app,
        errors=ERRORS,
    )
