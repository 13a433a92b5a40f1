"""The task that a path names."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from api.ids import task_id


async def path_task(request: Request) -> UUID:
    """The uuid in the path, which is published without a title. Raises `TaskNotFound` for what is none."""
    return task_id(request.path_params["taskId"])


PathTask = Annotated[UUID, Depends(path_task)]
