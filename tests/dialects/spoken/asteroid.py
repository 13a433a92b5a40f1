"""Asteroid's agents and executions."""

from typing import Any, Final

from tests.dialects.spoken import Door, Spoken, Start
from tests.hostile.wire import Reply


def _is_worded(error: Any, reply: Reply) -> bool:
    return error.keys() == {"code", "message"} and error["code"] == reply.status and isinstance(error["message"], str)


SPOKEN: Final = Spoken(
    title="Asteroid agent service, spoken by Baton",
    reads="/agents/v2/executions",
    paths=("/agents/v2", "/agents/v2/nothing/here", "/agents/v2/executions/x/user-messages"),
    others=("/agents/v3/executions",),
    start=Start("/agents/v2/agents/{agent}/execute", {"inputs": {"a": "!say hi"}}, 202),
    doors=(
        Door(
            "asteroid",
            "/agents/v2/executions/{executionId}/user-messages",
            lambda route, _task, _agent: (
                f"/agents/v2/executions/{route.execution_id}/user-messages",
                {"message": "hello"},
            ),
            201,
        ),
    ),
    told=lambda body: ({429: "rate_limited"}.get(body["code"], ""), body["message"]),
    is_worded=_is_worded,
)
