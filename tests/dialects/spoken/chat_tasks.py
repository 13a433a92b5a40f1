"""Chat tasks."""

from typing import Final

from baton.domain.states import SendMode
from tests.dialects.spoken import Door, Spoken, Start
from tests.support.error_shapes import is_coded

SPOKEN: Final = Spoken(
    title="Chat task API, spoken by Baton",
    reads="/v1/chat/tasks/1",
    paths=("/v1/chat/tasks", "/v1/chat/tasks/1/nothing"),
    others=("/v1/chat", "/v1/chat/tasksets"),
    start=Start("/v1/chat/tasks", {"agent_id": "{number}", "message": {"role": "user", "content": "!say hi"}}, 202),
    doors=(
        Door(
            "chat tasks",
            "/v1/chat/tasks/{task_id}/messages",
            lambda _, task, agent: (
                f"/v1/chat/tasks/{task}/messages",
                {"agent_id": agent, "message": {"role": "user", "content": "hello"}},
            ),
            202,
            SendMode.REJECT,
        ),
    ),
    told=lambda body: (body["error"]["code"], body["error"]["message"]),
    is_worded=is_coded,
)
