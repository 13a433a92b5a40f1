"""Twill's task API, as its published clients call it: tasks by id or slug, a job for each message."""

from api.dialect import Dialect, new_app
from api.dialects.twill import jobs, me, messages, repositories, tasks
from api.dialects.twill.errors import ERRORS, render
from api.dialects.twill.schemas import API, PUBLISHED, CreateTaskRequest
from api.errors import install
from api.openapi import ErrorShape, document
from api.routing import add_routes


def twill_dialect() -> Dialect:
    """Twill's dialect, with an application of its own."""
    app = new_app("Twill API, spoken by Baton", "1.0.0")
    add_routes(
        app, messages.router, tasks.router, jobs.router, me.router, repositories.router
    )  # sends are matched first
    install(app, ERRORS, render)
    document(
        app,
        security={"bearerAuth": {"type": "http", "scheme": "bearer"}},
        errors=ErrorShape({"$ref": "#/components/schemas/ApiErrorResponse"}),
        bodies=(CreateTaskRequest,),
        schemas=PUBLISHED,
    )
    return Dialect(
        name="twill",
        title="Twill",
        about="Tasks by id or slug; each message is a job that supersedes the last. Keys: `Authorization: Bearer`.",
        prefixes=(f"{API}/tasks", f"{API}/jobs", f"{API}/auth/me", f"{API}/repositories"),
        app=app,
        errors=ERRORS,
    )
