"""Maia's agent tasks."""

from typing import Final

from tests.dialects.spoken import Door, Spoken, Start
from tests.support.error_shapes import is_problem

SPOKEN: Final = Spoken(
    title="Maia agent task API, spoken by Baton",
    reads="/v1/ai/agents/tasks",
    paths=("/v1/ai/agents/tasks", "/v1/ai/agents/tasks/x/nothing"),
    others=("/v1/ai/agents",),
    start=Start("/v1/ai/agents/tasks", {"agentConfig": {"name": "data_engineer_agent"}, "message": "!say hi"}, 201),
    doors=(
        Door(
            "maia",
            "/v1/ai/agents/tasks/{taskId}/messages",
            lambda route, _task, _agent: (f"/v1/ai/agents/tasks/{route.task_id}/messages", {"message": "hello"}),
            202,
        ),
    ),
    told=lambda body: (body["type"].rpartition(":")[2].replace("-", "_"), body["detail"]),
    is_worded=is_problem,
)
