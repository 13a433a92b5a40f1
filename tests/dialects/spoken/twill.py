"""Twill's tasks and jobs."""

from typing import Final

from baton.domain.states import SendMode
from tests.dialects.spoken import Door, Spoken, Start
from tests.support.error_shapes import is_coded

SPOKEN: Final = Spoken(
    title="Twill API, spoken by Baton",
    reads="/api/v1/tasks",
    paths=(
        "/api/v1/tasks/planet",
        "/api/v1/tasks/plan-7/messages",
        "/api/v1/tasks",
        "/api/v1/jobs/x/cancel",
        "/api/v1/auth/me",
    ),
    others=("/api/v1/auth",),
    start=Start("/api/v1/tasks", {"command": "!say hi"}, 201),
    doors=(
        Door(
            "twill",
            "/api/v1/tasks/{taskIdOrSlug}/messages",
            lambda route, _task, _agent: (f"/api/v1/tasks/{route.task_id}/messages", {"message": "hello"}),
            200,
            SendMode.INTERRUPT,
        ),
    ),
    told=lambda body: (body["error"]["code"], body["error"]["message"]),
    is_worded=is_coded,
)
