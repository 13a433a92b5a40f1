"""Is it up? What the supervisor asks of API and worker."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

_HEALTH_PATH: Final = "/livez"
_SECONDS: Final = 1.0
_API_SECONDS: Final = 4.0
_QUEUES: Final = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


def api_answers(listener: socket.socket) -> Callable[[int], Awaitable[bool]]:
    """Whether the process behind ``listener`` answers; also while it can reach neither PostgreSQL nor Temporal."""

    async def probe(_pid: int) -> bool:
        host, port = listener.getsockname()[:2]
        target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
        try:
            async with asyncio.timeout(_API_SECONDS):
                reader, writer = await asyncio.open_connection(target, port)
                try:
                    writer.write(f"GET {_HEALTH_PATH} HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n".encode())
                    return (await reader.readline()).split()[1:2] == [b"200"]
                finally:
                    writer.close()
        except OSError:  # a timeout is one
            return False

    return probe


def worker_polls(client: Client, task_queue: str) -> Callable[[int], Awaitable[bool]]:
    """Whether the process asks Temporal for workflow and activity tasks.

    Temporal remembers for minutes who has polled, so it is told by the identity that the SDK gives itself: `pid@host`.
    """

    async def polls(pid: int, kind: TaskQueueType.ValueType) -> bool:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
        )
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await client.workflow_service.describe_task_queue(request)
        except (RPCError, TimeoutError):  # Temporal is being started again itself
            return False
        return any(poller.identity.startswith(f"{pid}@") for poller in answer.pollers)

    async def probe(pid: int) -> bool:
        return all([await polls(pid, kind) for kind in _QUEUES])

    return probe
