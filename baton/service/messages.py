"""Sending messages: existence, tenant, state and the message itself in one commit, then the doorbell."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from baton.domain.agents import Principal
from baton.domain.errors import InvalidInput
from baton.domain.ids import ExecutionId, TaskAddress, TaskById, TaskRoute
from baton.domain.json import unstorable, unstorable_text
from baton.domain.messages import Draft, Receipt
from baton.runtime import faultpoints
from baton.service.context import Baton
from baton.service.routes import plan_of
from baton.service.visibility import may_use, may_use_execution
from baton.store import messages, tasks


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a send. ``signaled``: Temporal is known to have been told; if not, the relay sees to it."""

    receipt: Receipt
    signaled: bool


async def send_message(
    baton: Baton, who: Principal, address: TaskAddress, draft: Draft, *, budget_seconds: float = 0.0
) -> Sent:
    """Send a message to a task. When this returns it is durable, whatever happens to Temporal or this process.

    ``budget_seconds``: how long to wait at most to learn whether Temporal has been told; 0 does not wait at all.
    Raises `ExecutionNotFound`, `TaskNotFound`, `AgentNotFound`, `TaskClosed`, `TaskBusy`, `NotWaiting`, `Outdated`,
    `AnswerRefused`, `KeyReused`, `InvalidInput`, `Unavailable`; nothing is stored then (after `Unavailable` it may be:
    repeat it with the same key).
    """
    check_draft(draft)
    return await _send(baton, who, await baton.routes.find(who.tenant_id, address), draft, budget_seconds)


async def send_to_execution(
    baton: Baton, who: Principal, execution_id: ExecutionId, draft: Draft, *, budget_seconds: float = 0.0
) -> Sent:
    """Send a message to a whole execution: to its only task, else to the task that `baton.store.tasks.addressed` names.

    The execution is locked from that choice to the commit, so that of two at once the second sees what the first has
    brought about. An idempotency key counts across all its tasks. Raises like `send_message`, and `Conflict` where
    several tasks are at work and none waits.
    """
    check_draft(draft)
    only = await baton.routes.only_task(who.tenant_id, execution_id)
    if only is not None:
        return await _send(baton, who, only, draft, budget_seconds)
    faultpoints.at(faultpoints.SEND_CHECKED)
    async with baton.pool.transaction() as connection:
        await messages.hold(connection, who.tenant_id, execution_id)
        await may_use_execution(connection, who, execution_id)
        receipt = await messages.earlier_of_execution(connection, who.tenant_id, execution_id, draft)
        if receipt is not None:
            route = await tasks.route(connection, who.tenant_id, TaskById(receipt.task_id))
        else:
            route = await tasks.addressed(connection, who.tenant_id, execution_id, draft.question)
        receipt = receipt or await messages.accept(
            connection, route, draft, who.subject, relay_seconds=baton.settings.relay_after_seconds
        )
    faultpoints.at(faultpoints.SEND_COMMITTED)
    return Sent(receipt, await tell(baton, [(route, receipt)], budget_seconds))


async def _send(baton: Baton, who: Principal, route: TaskRoute, draft: Draft, budget_seconds: float) -> Sent:
    may_use(who, route)
    faultpoints.at(faultpoints.SEND_CHECKED)
    async with baton.pool.connection() as connection:
        receipt = await messages.accept(
            connection, route, draft, who.subject, relay_seconds=baton.settings.relay_after_seconds
        )
    faultpoints.at(faultpoints.SEND_COMMITTED)
    return Sent(receipt, await tell(baton, [(route, receipt)], budget_seconds))


async def send_messages(
    baton: Baton, who: Principal, sends: Sequence[tuple[TaskAddress, Draft]], *, budget_seconds: float = 0.0
) -> list[Sent]:
    """Send several messages in one transaction: all are stored, or none. An idempotency key counts for each.

    All must go to tasks of one execution, whose lock keeps them apart from every other change. Raises like
    `send_message`.
    """
    for _, draft in sends:
        check_draft(draft)
    routes = [await baton.routes.find(who.tenant_id, address) for address, _ in sends]
    for route in routes:
        may_use(who, route)
    if len({route.execution_id for route in routes}) > 1:
        raise InvalidInput("all responses must be for tasks of one execution")
    order = sorted(range(len(sends)), key=lambda n: routes[n].task_id)
    receipts: dict[int, Receipt] = {}
    async with baton.pool.transaction() as connection:
        if routes:
            await messages.hold(connection, routes[0].tenant_id, routes[0].execution_id)
        for n in order:
            receipts[n] = await messages.earlier(connection, routes[n], sends[n][1]) or await messages.accept(
                connection, routes[n], sends[n][1], who.subject, relay_seconds=baton.settings.relay_after_seconds
            )
    signaled = await tell(baton, [(routes[n], receipts[n]) for n in order], budget_seconds)
    return [Sent(receipts[n], signaled) for n in range(len(sends))]


def check_draft(draft: Draft) -> None:
    """Raises `InvalidInput` for a message that cannot be stored."""
    check_text(draft.text)
    if reason := unstorable(draft.metadata) or unstorable(list(draft.grants)):
        raise InvalidInput(reason, ("body", "message"))


def check_text(text: str) -> None:
    """Raises `InvalidInput` for what no message can say."""
    if not text.strip():
        raise InvalidInput("a message needs text", ("body", "message"))
    if reason := unstorable_text(text):
        raise InvalidInput(reason, ("body", "message"))


async def tell(baton: Baton, sent: Sequence[tuple[TaskRoute, Receipt]], budget_seconds: float = 0.0) -> bool:
    """After the commit: hint to the streams, interrupt, ring. Returns whether Temporal is known to have been told."""
    rings: list[asyncio.Future[bool]] = []
    for route, receipt in sent:
        if receipt.replayed:
            continue
        baton.notifier.events(route.execution_id)
        if receipt.interrupts:
            baton.notifier.interrupt(route.task_id, receipt.interrupts)
        if receipt.rings:
            rings.append(baton.doorbell.ring_for(route, receipt))
        if receipt.reopened and route.in_plan:
            baton.doorbell.ring_plan(plan_of(route), receipt.event_seq)
    if not rings:
        return all(receipt.replayed for _, receipt in sent)
    if budget_seconds:
        await asyncio.wait(rings, timeout=budget_seconds)
    return all(ring.done() and ring.result() for ring in rings)
