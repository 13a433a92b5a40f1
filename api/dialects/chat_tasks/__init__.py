"""The chat task API, as its published clients call it: tasks and agents by their integers."""

from api.dialect import Dialect, new_app
from api.dialects.chat_tasks import messages, tasks
from api.dialects.chat_tasks.errors import ERRORS, render
from api.dialects.chat_tasks.schemas import PREFIX, AppendMessageRequest, CreateTaskRequest, ErrorResponse
from api.errors import install
from api.openapi import ErrorShape, document
from api.routing import add_routes


def chat_tasks_dialect() -> Dialect:
    """The chat task dialect, with an application of its own."""
    app = new_app("Chat task API, spoken by Baton", "1")
    add_routes(app, messages.router, tasks.router)  # sends are matched first
    install(app, ERRORS, render)
    document(
        app,
        security={"HTTPBearer": {"type": "http", "scheme": "bearer"}},
        errors=ErrorShape({"$ref": "#/components/schemas/ErrorResponse"}),
        bodies=(AppendMessageRequest, CreateTaskRequest, ErrorResponse),
    )
    return Dialect(
        name="chat_tasks",
        title="Chat tasks",
        about="One conversation per task; a running task refuses messages. Keys: `Authorization: Bearer`.",
        prefixes=(PREFIX,),
        app=app,
        errors=ERRORS,
    )
