"""Temporal: whether it answers, has what Baton needs in its namespace, and whether workers ask it for work."""

import asyncio
from collections.abc import Sequence
from datetime import UTC
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest
from temporalio.client import Client

from baton.domain.errors import Unavailable
from baton.domain.health import Check, failed, warning
from baton.service.connecting import looked_into
from baton.service.namespace import probe
from baton.service.queues import is_recent
from baton.service.temporal import TemporalRefused, connect, translated

_SECONDS: Final = 5.0
_KINDS: Final = {
    TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW: "workflow tasks",
    TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY: "activities",
}


async def temporal_checks(client: Client | None, queues: Sequence[str], *, identity: str = "") -> list[Check]:
    """The checks ``temporal``, ``namespace``, ``search_attributes`` and ``pollers``, up to the first that fails.

    ``client``: None for one of its own. ``queues`` are those that are to have workers; ``identity``: they are to be
    this one.
    """
    try:
        client = client or await connect(lazy=True)
        async with translated(_SECONDS):
            await _describe_namespace(client)
    except TemporalRefused as error:
        if error.status == "NOT_FOUND":
            return [Check("temporal"), failed("namespace", "namespace_missing", error.said)]
        denied = error.status in ("UNAUTHENTICATED", "PERMISSION_DENIED")
        return [failed("temporal", "temporal_denied" if denied else "temporal_refuses", f"Temporal says: {error.said}")]
    except Unavailable as error:
        found = await looked_into(error)
        return [failed("temporal", found.fault or "temporal_away", found.message)]
    checks = [Check("temporal"), Check("namespace")]
    try:
        async with translated(_SECONDS):
            await probe(client)
        checks.append(Check("search_attributes"))
    except TemporalRefused as error:
        reason = f"the namespace lacks a search attribute: {error.said}"
        return [*checks, failed("search_attributes", "search_attributes_missing", reason)]
    except Unavailable as error:
        return [*checks, failed("search_attributes", "temporal_away", error.message)]
    try:
        return [*checks, *await asyncio.gather(*(_polled(client, queue, identity) for queue in queues))]
    except (TemporalRefused, Unavailable) as error:
        return [*checks, warning("pollers", "temporal_refuses", str(error))]


async def _describe_namespace(client: Client) -> None:
    await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))


async def _polled(client: Client, queue: str, identity: str) -> Check:
    """Whether workers ask for both kinds of work of a task queue."""
    for kind, words in _KINDS.items():
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
        async with translated(_SECONDS):
            answer = await client.workflow_service.describe_task_queue(request)
        if not any(
            is_recent(poller.last_access_time.ToDatetime(UTC)) and identity in ("", poller.identity)
            for poller in answer.pollers
        ):
            who = "this worker does not ask" if identity else "no worker asks"
            return warning("pollers", "no_worker", f"{who} for {words} of the task queue {queue!r}")
    return Check("pollers", reason=f"of the task queue {queue!r}")
