"""Who may call what: one line for every route of every dialect.

**A new route needs a line here**, or `test_access_matrix.py` fails: `"METHOD path": Entry(scope, status)`, with the
path as FastAPI has it and the status that the right caller gets. Beside that, where it applies:

- ``body``: what is sent. In it, and in ``query``, `$TASK` and the like stand for what `World.names` has.
- ``needs``: the state in which the right caller must find the task; one of `STATES` in `test_access_matrix.py`.
- ``other``, ``other_agent``: what another tenant's key, and a key for another agent, get. 404 where the route names
  something; `LISTS` for a list, which is theirs, without anything of ours; else the status.
- ``ids``: what the path's places stand for where that is not what `World.names` has for the dialect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from baton.domain.agents import Scope

R, S, W, A, ADMIN = Scope.READ, Scope.SEND, Scope.WRITE, Scope.AGENTS, Scope.ADMIN
LISTS: Final = -200


@dataclass(frozen=True)
class Entry:
    """A route's line."""

    scope: Scope
    status: int = 200
    body: Any = None
    needs: str = "running"
    other: int = 404
    other_agent: int | None = None
    query: str = ""
    ids: Mapping[str, str] = field(default_factory=dict[str, str])


_V1 = "/baton/v1"
_PLAN = "/api/v1/tasks/plan"
_RUN = "/api/v1/executions"
_CHAT = "/v1/chat/tasks"
_MAIA = "/v1/ai/agents/tasks"
_TWILL = "/api/v1/tasks"
_ASTEROID = "/agents/v2"
KUBIYA_PLAN: Final[dict[str, Any]] = {
    "title": "Ours",
    "team_breakdown": [
        {"team_name": "t", "tasks": [{"id": 1, "title": "t", "description": "!say hi", "dependencies": []}]}
    ],
}
_CHAT_BODY = {"agent_id": "$AGENT_NUMBER", "message": {"role": "user", "content": "hello"}}
_MAIA_BODY = {"agentConfig": {"name": "data_engineer_agent"}, "message": "hello"}
_DECISION = {"decisions": [{"type": "approve", "id": "$APPROVAL"}]}

TABLE: Final[dict[str, Entry]] = {
    # --- Baton
    f"POST {_V1}/executions": Entry(W, 201, {"prompt": "!say hi"}, other=201),
    f"GET {_V1}/executions": Entry(R, other=LISTS),
    f"GET {_V1}/executions/{{execution_id}}": Entry(R),
    f"GET {_V1}/executions/{{execution_id}}/events": Entry(R),
    f"GET {_V1}/executions/{{execution_id}}/export": Entry(R),
    f"POST {_V1}/executions/{{execution_id}}/cancel": Entry(W),
    f"POST {_V1}/executions/{{execution_id}}/pause": Entry(W),
    f"POST {_V1}/executions/{{execution_id}}/resume": Entry(W, needs="paused"),
    f"GET {_V1}/tasks": Entry(R, other=LISTS),
    f"GET {_V1}/tasks/{{task_id}}": Entry(R),
    f"GET {_V1}/tasks/{{task_id}}/explain": Entry(R),
    f"GET {_V1}/tasks/{{task_id}}/events": Entry(R),
    f"POST {_V1}/tasks/{{task_id}}/cancel": Entry(W),
    f"POST {_V1}/tasks/{{task_id}}/pause": Entry(W),
    f"POST {_V1}/tasks/{{task_id}}/resume": Entry(W, needs="paused"),
    f"GET {_V1}/tasks/{{task_id}}/compactions": Entry(R),
    f"POST {_V1}/tasks/{{task_id}}/compactions": Entry(W, 202, needs="talked"),
    f"DELETE {_V1}/tasks/{{task_id}}/compactions/{{number}}": Entry(W, needs="compacted"),
    f"POST {_V1}/tasks/{{task_id}}/compactions/{{number}}/redo": Entry(W, needs="compacted"),
    f"POST {_V1}/tasks/{{task_id}}/messages": Entry(S, 202, {"text": "hello"}, "waiting"),
    f"GET {_V1}/tasks/{{task_id}}/messages": Entry(R),
    f"GET {_V1}/messages": Entry(R, needs="dead", query="?state=dead", other=LISTS),
    f"GET {_V1}/messages/{{message_id}}": Entry(R),
    f"PATCH {_V1}/messages/{{message_id}}": Entry(S, body={"text": "something else"}),
    f"DELETE {_V1}/messages/{{message_id}}": Entry(S),
    f"PUT {_V1}/messages/{{message_id}}/pin": Entry(S),
    f"DELETE {_V1}/messages/{{message_id}}/pin": Entry(S),
    f"POST {_V1}/messages/{{message_id}}/redrive": Entry(S, needs="dead"),
    f"GET {_V1}/approvals/{{approval_id}}": Entry(R, needs="approval"),
    f"POST {_V1}/approvals/{{approval_id}}": Entry(S, body={"decision": "approve"}, needs="approval"),
    f"GET {_V1}/tasks/{{task_id}}/artifacts": Entry(R),
    f"GET {_V1}/executions/{{execution_id}}/artifacts": Entry(R),
    f"GET {_V1}/artifacts/{{artifact_id}}": Entry(R, needs="artifact"),
    f"GET {_V1}/agents": Entry(R, other=LISTS),
    f"POST {_V1}/agents": Entry(A, 201, {"name": "$NEW", "model": "scripted"}, other=201, other_agent=403),
    f"GET {_V1}/agents/{{agent_id}}": Entry(R),
    f"PATCH {_V1}/agents/{{agent_id}}": Entry(A, body={"instructions": "$NEW"}),
    f"GET {_V1}/keys": Entry(ADMIN, other=LISTS, query="?limit=200"),
    f"POST {_V1}/keys": Entry(ADMIN, 201, {"name": "$NEW"}, other=201),
    f"GET {_V1}/keys/{{key_id}}": Entry(ADMIN),
    f"DELETE {_V1}/keys/{{key_id}}": Entry(ADMIN),
    # --- Kubiya
    f"POST {_PLAN}/execute": Entry(W, 201, {"plan": KUBIYA_PLAN, "worker_queue_id": "q"}, other=201),
    f"GET {_PLAN}/plan-executions": Entry(R, other=LISTS),
    f"GET {_PLAN}/{{execution_id}}": Entry(R),
    f"GET {_PLAN}/{{execution_id}}/stream": Entry(R),
    f"POST {_PLAN}/{{execution_id}}/tasks/{{task_id}}/message": Entry(S, body={"message": "hello"}),
    f"POST {_PLAN}/{{execution_id}}/continue": Entry(
        S, body={"responses": [{"execution_id": "$PLAN_TASK", "message": "hello"}]}
    ),
    "GET /api/v1/agents": Entry(R, other=LISTS),
    "GET /api/v1/agents/{agent_id}": Entry(R),
    "POST /api/v1/agents/{agent_id}/execute": Entry(W, body={"prompt": "!say hi", "worker_queue_id": "q"}),
    f"GET {_RUN}": Entry(R, other=LISTS),
    f"GET {_RUN}/{{execution_id}}": Entry(R),
    f"GET {_RUN}/{{execution_id}}/stream": Entry(R),
    f"POST {_RUN}/{{execution_id}}/message": Entry(S, 202, {"message": "hello"}),
    f"POST {_RUN}/{{execution_id}}/cancel": Entry(W),
    f"POST {_RUN}/{{execution_id}}/pause": Entry(W),
    f"POST {_RUN}/{{execution_id}}/resume": Entry(W, needs="paused"),
    # --- chat tasks
    f"POST {_CHAT}": Entry(W, 202, _CHAT_BODY),
    f"GET {_CHAT}/{{task_id}}": Entry(R),
    f"GET {_CHAT}/{{task_id}}/steps": Entry(R),
    f"GET {_CHAT}/{{task_id}}/events": Entry(R),
    f"POST {_CHAT}/{{task_id}}/messages": Entry(S, 202, _CHAT_BODY, "waiting"),
    f"POST {_CHAT}/{{task_id}}/reply": Entry(S, 202, _CHAT_BODY, "waiting"),
    # --- Maia
    f"POST {_MAIA}": Entry(W, 201, _MAIA_BODY, other=201),
    f"GET {_MAIA}": Entry(R, other=LISTS),
    f"GET {_MAIA}/{{taskId}}": Entry(R),
    f"GET {_MAIA}/{{taskId}}/messages": Entry(R),
    f"POST {_MAIA}/{{taskId}}/messages": Entry(S, 202, _MAIA_BODY),
    f"POST {_MAIA}/{{taskId}}/decisions": Entry(S, body=_DECISION, needs="approval"),
    f"POST {_MAIA}/{{taskId}}/stop": Entry(W, 202),
    # --- Twill
    f"POST {_TWILL}": Entry(W, 201, {"command": "!say hi"}, other=201),
    f"GET {_TWILL}": Entry(R, other=LISTS),
    f"GET {_TWILL}/{{taskIdOrSlug}}": Entry(R),
    f"GET {_TWILL}/{{taskIdOrSlug}}/jobs": Entry(R),
    f"POST {_TWILL}/{{taskIdOrSlug}}/messages": Entry(S, body={"message": "hello"}),
    f"POST {_TWILL}/{{taskIdOrSlug}}/cancel": Entry(W),
    f"POST {_TWILL}/{{taskIdOrSlug}}/archive": Entry(W),
    "GET /api/v1/jobs/{jobId}/logs/stream": Entry(R),
    "POST /api/v1/jobs/{jobId}/cancel": Entry(W),
    "GET /api/v1/auth/me": Entry(R, other=200),
    "GET /api/v1/repositories": Entry(R, other=200),
    # --- Asteroid
    "GET /api/v1/execution/{executionId}/status": Entry(R),
    "GET /api/v1/execution/{executionId}/result": Entry(R),
    f"GET {_ASTEROID}/agents": Entry(R, other=LISTS),
    f"POST {_ASTEROID}/agents/{{agentId}}/execute": Entry(W, 202, {"inputs": {"task": "!say hi"}}),
    f"GET {_ASTEROID}/executions": Entry(R, other=LISTS),
    f"GET {_ASTEROID}/executions/{{executionId}}": Entry(R),
    f"GET {_ASTEROID}/executions/{{executionId}}/activities": Entry(R),
    f"POST {_ASTEROID}/executions/{{executionId}}/user-messages": Entry(S, 201, {"message": "hello"}),
    f"POST {_ASTEROID}/executions/{{executionId}}/cancel": Entry(W),
    f"POST {_ASTEROID}/executions/{{executionId}}/pause": Entry(W),
    f"POST {_ASTEROID}/executions/{{executionId}}/resume": Entry(W, needs="paused"),
    f"POST {_ASTEROID}/executions/{{executionId}}/status": Entry(W, body={"status": "paused"}),
}
