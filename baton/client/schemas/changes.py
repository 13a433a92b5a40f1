"""What a change did to a task."""

from baton.client.schemas.base import Shape
from baton.domain.states import TaskState


class TaskAfter(Shape):
    """The task right after that."""

    state: TaskState
    version: int
