"""Baton's own API."""

from typing import Any, Final

from tests.dialects.spoken import Door, Spoken, Start
from tests.hostile.wire import Reply
from tests.support.error_shapes import is_problem


def _is_worded(error: Any, reply: Reply) -> bool:
    return is_problem(error, reply) and isinstance(error["code"], str)


SPOKEN: Final = Spoken(
    title="Baton",
    reads="/baton/v1/executions?limit=1",
    paths=("/baton/v1/tasks", "/baton/v1", "/baton/v1/", "/baton/v1/no/such/path"),
    others=("/baton/v10/tasks",),
    start=Start("/baton/v1/executions", {"prompt": "!say hi"}, 201),
    doors=(
        Door(
            "baton",
            "/baton/v1/tasks/{task_id}/messages",
            lambda route, _task, _agent: (f"/baton/v1/tasks/{route.task_id}/messages", {"text": "hello"}),
            202,
        ),
    ),
    told=lambda body: (body["code"], body["detail"]),
    is_worded=_is_worded,
)
