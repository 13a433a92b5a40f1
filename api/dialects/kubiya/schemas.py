"""Bodies that Kubiya's clients send, where they are more than one text. What else they send is left alone."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, StrictInt, StrictStr, StringConstraints

Text = Annotated[StrictStr, StringConstraints(min_length=1)]


class ExecutePlan(BaseModel):
    """Start a plan. ``worker_queue_id`` is the Temporal task queue; ``agent_id`` an agent's uuid, integer or name."""

    model_config = ConfigDict(extra="ignore")

    plan: dict[str, Any]
    worker_queue_id: Text
    agent_id: StrictInt | Text | None = None
    plan_generation_id: Text | None = None


class ExecuteAgent(BaseModel):
    """Start a single task with an agent."""

    model_config = ConfigDict(extra="ignore")

    prompt: Text
    worker_queue_id: Text
    user_metadata: dict[str, Any] | None = None


#: An entry of a 422's `detail`, as published: FastAPI has come to show more since.
VALIDATION_ERROR: Final[dict[str, Any]] = {
    "title": "ValidationError",
    "type": "object",
    "required": ["loc", "msg", "type"],
    "properties": {
        "loc": {
            "title": "Location",
            "type": "array",
            "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        },
        "msg": {"title": "Message", "type": "string"},
        "type": {"title": "Error Type", "type": "string"},
    },
}

#: The body of every error but a 422.
ERROR: Final[dict[str, Any]] = {
    "title": "Error",
    "type": "object",
    "required": ["detail"],
    "properties": {"detail": {"type": "string"}},
}
