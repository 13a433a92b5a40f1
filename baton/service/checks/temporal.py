"""Temporal: whether it answers, has what Baton needs in its namespace, and whether workers ask it for work."""

import asyncio
from collections.abc import Sequence
from datetime import UTC
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from baton.domain.errors import Unavailable
from baton.domain.health import Check, failed, warning
from baton.service.connecting import looked_into
from baton.service.namespace import namespace_id, probe
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
    this one. Temporal's own sentences may hold addresses, and stand apart.
    """
    try:
        client = client or await connect(lazy=True)
        async with translated(_SECONDS):
            await namespace_id(client)
    except TemporalRefused as error:
        if error.status == "NOT_FOUND":
            reason = "Temporal has no such namespace as TEMPORAL_NAMESPACE"
            return [Check("temporal"), failed("namespace", "namespace_missing", reason, error.said)]
        return [_refused("temporal", error)]
    except Unavailable as error:
        return [await _away("temporal", error)]
    checks = [Check("temporal"), Check("namespace")]
    try:
        async with translated(_SECONDS):
            await probe(client)
        checks.append(Check("search_attributes"))
    except TemporalRefused as error:
        if error.status != "INVALID_ARGUMENT":
            return [*checks, _refused("search_attributes", error)]
        reason = "the namespace lacks a search attribute"
        return [*checks, failed("search_attributes", "search_attributes_missing", reason, error.said)]
    except Unavailable as error:
        return [*checks, await _away("search_attributes", error)]
    try:
        return [*checks, *await asyncio.gather(*(_polled(client, queue, identity) for queue in queues))]
    except TemporalRefused as error:
        return [*checks, warning("pollers", "temporal_refuses", "Temporal does not tell who polls", error.said)]
    except Unavailable as error:
        away = await _away("pollers", error)
        return [*checks, warning(away.name, away.fault, away.reason, away.said)]


def _refused(name: str, error: TemporalRefused) -> Check:
    if error.status in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return failed(name, "temporal_denied", "Temporal does not let us in", error.said)
    return failed(name, "temporal_refuses", f"Temporal refuses a call ({error.status})", error.said)


async def _away(name: str, error: Unavailable) -> Check:
    found = await looked_into(error)
    return failed(name, found.fault or "temporal_away", found.message, found.said)


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
