"""Messages: sent (existence, tenant, state and the message itself in one commit, then the doorbell), and read.

An errand is a message, or a task's description, with what was done about it (`baton.domain.errands`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from time import perf_counter

from prometheus_client import Histogram

from baton.domain import bells
from baton.domain.agents import Principal
from baton.domain.authors import Author
from baton.domain.catalog import grants_used
from baton.domain.errands import Errand
from baton.domain.errors import InvalidInput, MessageNotFound, TaskNotFound
from baton.domain.ids import Addressee, ErrandId, MessageId, TaskAddress, TaskById, TaskRoute, whole_tenant
from baton.domain.json import INT64_MAX, unstorable, unstorable_text
from baton.domain.messages import Draft, Receipt
from baton.domain.states import MessageState
from baton.domain.views import MessageView, Page
from baton.metrics.series import ACCEPTED
from baton.runtime import faultpoints
from baton.service.bells import ring
from baton.service.catalog import judge
from baton.service.context import Baton
from baton.service.cursors import NUMBER, ORDINAL, TIME_AND_ID, decode_cursor, encode_cursor
from baton.service.visibility import (
    SeenExecution,
    SeenPart,
    SeenTask,
    find_errand,
    find_execution,
    find_message,
    find_task,
)
from baton.store import errands, message_views, messages, routes, tasks
from baton.store.messages import PreparedMessage
from baton.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a send. ``signaled``: Temporal is known to have been told; if not, the relay sees to it.
    ``warnings``: names of granted tools that may be wrong."""

    receipt: Receipt
    signaled: bool
    warnings: tuple[str, ...]


async def send_message(
    baton: Baton, who: Principal, address: TaskAddress | Addressee, draft: Draft, *, budget_seconds: float = 0.0
) -> Sent:
    """Send a message to a task. When this returns it is durable, whatever happens to Temporal or this process.

    ``budget_seconds``: how long to wait at most to learn whether Temporal has been told; 0 does not wait at all. An
    `Addressee` is chosen with its execution locked up to the commit, so that of two messages at once the second sees
    what the first has brought about; an idempotency key counts across all tasks of the execution then.

    Raises `ExecutionNotFound`, `TaskNotFound`, `AgentNotFound`, `TaskClosed`, `TaskBusy`, `NotWaiting`, `Outdated`,
    `AnswerRefused`, `KeyReused`, `InvalidInput`, `Unavailable`, and `Conflict` where there is no addressee: several
    tasks are at work and none waits. Nothing is stored then (after `Unavailable` it may be: repeat it with the same
    key).
    """
    began = perf_counter()
    check_draft(draft)
    if not isinstance(address, Addressee):
        return await _send(baton, await find_task(baton, who, address), draft, budget_seconds, began)
    execution = await find_execution(baton, who, address.execution)
    if execution.only_task is not None:
        return await _send(baton, execution.only_task, draft, budget_seconds, began)
    return await _send_to_addressee(baton, execution, draft, budget_seconds, began)


async def _send(baton: Baton, task: SeenTask, draft: Draft, budget_seconds: float, began: float) -> Sent:
    route, author = task.route, task.who.author
    faultpoints.at(faultpoints.SEND_CHECKED)
    async with baton.sends.line(route.execution_id):
        receipt = None if draft.grants else await baton.sends.together(PreparedMessage.of(route, draft, author))
        warnings: tuple[str, ...] = ()
        if receipt is None:
            async with baton.pool.connection(route.execution_id) as connection:
                receipt, warnings = await _accept(baton, connection, route, draft, author)
    faultpoints.at(faultpoints.SEND_COMMITTED)
    _accepted(draft.origin).observe(perf_counter() - began)
    return Sent(receipt, await tell(baton, [(route, receipt)], budget_seconds), warnings)


async def _send_to_addressee(
    baton: Baton, execution: SeenExecution, draft: Draft, budget_seconds: float, began: float
) -> Sent:
    tenant_id, execution_id = execution.tenant_id, execution.id
    faultpoints.at(faultpoints.SEND_CHECKED)
    async with baton.pool.transaction(execution_id) as connection:
        await messages.hold(connection, tenant_id, execution_id)
        receipt, warnings = await messages.earlier_of_execution(connection, tenant_id, execution_id, draft), ()
        if receipt is not None:
            route = await routes.route(connection, whole_tenant(tenant_id), TaskById(receipt.task_id))
        else:
            route = await routes.addressed(connection, tenant_id, execution_id, draft.question)
            receipt, warnings = await _accept(baton, connection, route, draft, execution.who.author)
    faultpoints.at(faultpoints.SEND_COMMITTED)
    _accepted(draft.origin).observe(perf_counter() - began)
    return Sent(receipt, await tell(baton, [(route, receipt)], budget_seconds), warnings)


@cache
def _accepted(origin: str) -> Histogram:
    return ACCEPTED.labels(origin)


async def _accept(
    baton: Baton, connection: Connection, route: TaskRoute, draft: Draft, author: Author
) -> tuple[Receipt, tuple[str, ...]]:
    """Accept a message; with what is doubtful about the tools that it grants. A repeat is told of, and not judged."""
    warnings: tuple[str, ...] = ()
    if draft.grants:
        names = await judge(connection, grants_used(draft.grants, ("body", "grants")))
        is_new = await messages.earlier(connection, route, draft) is None
        warnings = names.check() if is_new else names.told()
    relay_seconds = baton.settings.relay_after_seconds
    return await messages.accept(connection, route, draft, author, relay_seconds=relay_seconds), warnings


async def send_messages(
    baton: Baton, who: Principal, sends: Sequence[tuple[TaskAddress, Draft]], *, budget_seconds: float = 0.0
) -> list[Sent]:
    """Send several messages in one transaction: all are stored, or none. An idempotency key counts for each.

    All must go to tasks of one execution, whose lock keeps them apart from every other change. Raises like
    `send_message`.
    """
    began = perf_counter()
    for _, draft in sends:
        check_draft(draft)
    routes = [(await find_task(baton, who, address)).route for address, _ in sends]
    if len({route.execution_id for route in routes}) > 1:
        raise InvalidInput("all responses must be for tasks of one execution")
    order = sorted(range(len(sends)), key=lambda n: routes[n].task_id)
    accepted: dict[int, tuple[Receipt, tuple[str, ...]]] = {}
    async with baton.pool.transaction(routes[0].execution_id if routes else None) as connection:
        if routes:
            await messages.hold(connection, routes[0].tenant_id, routes[0].execution_id)
        for n in order:
            earlier = await messages.earlier(connection, routes[n], sends[n][1])
            accepted[n] = (
                (earlier, ()) if earlier else await _accept(baton, connection, routes[n], sends[n][1], who.author)
            )
    for _, draft in sends:
        _accepted(draft.origin).observe(perf_counter() - began)
    signaled = await tell(baton, [(routes[n], accepted[n][0]) for n in order], budget_seconds)
    return [Sent(receipt, signaled, warnings) for receipt, warnings in (accepted[n] for n in range(len(sends)))]


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
    """Ring for messages that were committed. Returns whether Temporal is known to have been told."""
    rung = [ring(baton, route, bells.of_message(receipt, in_plan=route.in_plan)) for route, receipt in sent]
    rings = [one for one in rung if one is not None]
    if not rings:  # a pending task needs no telling, nor one that waits for other answers, too
        return True
    if budget_seconds:
        await asyncio.wait(rings, timeout=budget_seconds)
    return all(one.done() and one.result() for one in rings)


async def get_message(baton: Baton, who: Principal, message_id: MessageId) -> MessageView:
    """A message's receipt. Raises `MessageNotFound`."""
    seen = await find_message(baton, who, message_id)
    async with baton.pool.connection() as connection:
        found = await message_views.view(connection, seen.tenant_id, seen.id)
    if found is None:
        raise MessageNotFound("there is no such message")
    return found


async def list_messages(
    baton: Baton,
    who: Principal,
    address: TaskAddress,
    *,
    limit: int,
    states: Sequence[MessageState] | None = None,
    cursor: str | None = None,
) -> Page[MessageView]:
    """A page of a task's messages, in order. Raises `TaskNotFound`, and `InvalidInput` for a bad cursor."""
    after = 0 if cursor is None else decode_cursor(cursor, NUMBER)[0]
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        found = await message_views.page(connection, seen.tenant_id, seen.id, after=after, limit=limit, states=states)
        if not found and await tasks.view(connection, seen.tenant_id, seen.id) is None:
            raise TaskNotFound("there is no such task")
    page = tuple(found)
    return Page(page, encode_cursor(page[-1].seq) if found.more else None)


async def list_dead_messages(
    baton: Baton, who: Principal, *, limit: int, cursor: str | None = None
) -> Page[MessageView]:
    """A page of the dead messages of all tasks, those first that died first. Raises `InvalidInput` for a bad cursor."""
    after = None if cursor is None else decode_cursor(cursor, TIME_AND_ID)
    async with baton.pool.connection() as connection:
        found = await message_views.dead(connection, who.bounds, limit=limit, after=after)
    page = tuple(found)
    return Page(page, encode_cursor(page[-1].ended_at, page[-1].id) if found.more else None)


async def get_last_message(baton: Baton, who: Principal, address: TaskAddress) -> str | None:
    """The text of the last message that was sent to a task and not withdrawn; None if there is none.

    Raises what `find_task` raises.
    """
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        return await message_views.last_text(connection, seen.tenant_id, seen.id)


async def get_errand(baton: Baton, who: Principal, errand_id: ErrandId) -> Errand:
    """An errand. Raises `MessageNotFound`."""
    return await read_errand(baton, await find_errand(baton, who, errand_id))


async def get_last_errand(baton: Baton, who: Principal, address: TaskAddress) -> Errand:
    """The last errand of a task that was not withdrawn. Raises `TaskNotFound`."""
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        found = await errands.page(connection, seen.tenant_id, seen.id, limit=1, withdrawn=False)
    if not found:
        raise TaskNotFound("there is no such task")
    return found[0]


async def list_errands(
    baton: Baton, who: Principal, address: TaskAddress, *, limit: int, cursor: str | None = None
) -> Page[Errand]:
    """A page of a task's errands in the order in which they were told; the first page has the last of them, and
    its cursor reads on with those before. Raises `InvalidInput` for a bad cursor, and what `find_task` raises.
    """
    before = INT64_MAX if cursor is None else decode_cursor(cursor, ORDINAL)[0]
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        found = await errands.page(connection, seen.tenant_id, seen.id, limit=limit, highest=before - 1)
        if not found and await tasks.view(connection, seen.tenant_id, seen.id) is None:
            raise TaskNotFound("there is no such task")
    page = tuple(reversed(found))
    return Page(page, encode_cursor(page[0].seq) if found.more else None)


async def last_said(baton: Baton, who: Principal, address: TaskAddress, seq: int, key: str) -> str | None:
    """What was said last under a key of the metadata, by the execution or a message, up to the errand ``seq``.

    Raises what `find_task` raises.
    """
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        return await errands.last_said(connection, seen.tenant_id, seen.id, seq, key)


async def read_errand(baton: Baton, seen: SeenPart) -> Errand:
    """An errand that was found, as it is now. Raises `MessageNotFound`."""
    async with baton.pool.connection() as connection:
        found = await errands.view(connection, seen.tenant_id, seen.id)
    if found is None:
        raise MessageNotFound("there is no such message")
    return found
