"""Kubiya's plans and executions."""

from typing import Final

from tests.dialects.spoken import Door, Spoken, Start
from tests.support.error_shapes import is_detail

SPOKEN: Final = Spoken(
    title="Kubiya plan execution API, spoken by Baton",
    reads="/api/v1/executions",
    paths=(
        "/api/v1/tasks/plan",
        "/api/v1/tasks/plan/x/tasks/1/message",
        "/api/v1/tasks/plan/nothing/here",
        "/api/v1/executions",
        "/api/v1/agents",
        "/api/v1/agents/7",
        "/api/v1/agents/7/execute",
    ),
    others=("/api/v1/agent", "/api/v1/agentsx", "/api/v2/agents"),
    start=Start("/api/v1/agents/{agent}/execute", {"prompt": "!say hi", "worker_queue_id": "q"}, 200),
    doors=(
        Door(
            "kubiya plan",
            "/api/v1/tasks/plan/{execution_id}/tasks/{task_id}/message",
            lambda route, _task, _agent: (
                f"/api/v1/tasks/plan/{route.execution_id}/tasks/{route.position}/message",
                {"message": "hello"},
            ),
            200,
        ),
        Door(
            "kubiya execution",
            "/api/v1/executions/{execution_id}/message",
            lambda route, _task, _agent: (f"/api/v1/executions/{route.task_id}/message", {"message": "hello"}),
            202,
        ),
        Door(
            "kubiya continue",
            "/api/v1/tasks/plan/{execution_id}/continue",
            lambda route, _task, _agent: (
                f"/api/v1/tasks/plan/{route.execution_id}/continue",
                {"responses": [{"execution_id": str(route.task_id), "message": "hello"}]},
            ),
            200,
        ),
    ),
    told=lambda body: ("rate_limited", body["detail"]),
    is_worded=is_detail,
)
