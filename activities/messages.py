"""Messages that somebody typed into Temporal's own UI or CLI."""

import logging
from uuid import UUID

from temporalio import activity

from activities.rings import Bellringer
from activities.typed import author, typed_outcome
from baton.domain import bells
from baton.domain.errors import DomainError, InvalidInput, NotFound, TaskNotFound, Unavailable
from baton.domain.ids import TaskById, TaskInPlan, TaskRoute, TenantId, whole_tenant
from baton.domain.json import INT64_MAX, INT64_MIN, unstorable_text
from baton.domain.mailbox import standing
from baton.domain.messages import Draft, Receipt
from baton.store import mailboxes, messages, routes
from baton.store.changes import RING_SECONDS
from baton.store.pool import Pool
from workflows.typed import TypedMessage, TypedOutcome

_log = logging.getLogger(__name__)


class MessageActivities:
    """Accepts what was typed into Temporal exactly like a REST send; the sender is who Temporal says it was."""

    def __init__(
        self,
        pool: Pool,
        bellringer: Bellringer,
        *,
        words: bool = True,
    ) -> None:
        """``words``: whether Temporal may show why something was refused."""
        self._pool = pool
        self._bellringer = bellringer
        self._words = words

    @activity.defn(name="accept_message")
    async def accept_message(self, message: TypedMessage) -> TypedOutcome:
        """See `workflows.typed.accept_message`. A message that is refused is dropped, and the log says why."""
        tenant = UUID(message.tenant)
        refused: DomainError | None = None
        receipt: Receipt | None = None
        try:
            route = await self._route(tenant, message)
        except NotFound as error:  # a person may name any task: the plan goes on
            _log.warning("a message typed into Temporal was refused: %s (execution %s)", error.code, message.execution)
            return typed_outcome(None, words=self._words, refused=error)
        try:
            receipt = await self._accept(route, message)
        except Unavailable:
            raise
        except DomainError as error:
            _log.warning("a message typed into Temporal was refused: %s (task %s)", error.code, route.task_id)
            refused = error
        async with self._pool.transaction(route.execution_id) as connection:
            locked = await mailboxes.lock(connection, tenant, route.execution_id, route.task_id)
        accepted = str(receipt.message_id) if receipt else ""
        return typed_outcome(standing(locked.box), words=self._words, refused=refused, message=accepted)

    async def _route(self, tenant: TenantId, message: TypedMessage) -> TaskRoute:
        if not message.task and not INT64_MIN <= message.position <= INT64_MAX:
            raise TaskNotFound("there is no such task")
        address = (
            TaskById(UUID(message.task)) if message.task else TaskInPlan(UUID(message.execution), message.position)
        )
        async with self._pool.connection() as connection:
            return await routes.route(connection, whole_tenant(tenant), address)

    async def _accept(self, route: TaskRoute, message: TypedMessage) -> Receipt:
        if not message.text.strip() or unstorable_text(message.text + message.question):
            raise InvalidInput("a message needs text that can be stored")
        draft = Draft(
            message.text,
            origin="temporal",
            idempotency_key=message.key,
            question=message.question or None,
            only_if_waiting=message.answers,
        )
        by = author(message.sender)
        async with self._pool.connection(route.execution_id) as connection:
            receipt = await messages.accept(connection, route, draft, by, relay_seconds=RING_SECONDS)
        heard = bool(message.task)  # else the plan's workflow heard it, and the task's own has to be told
        self._bellringer.ring(route, bells.of_message(receipt, in_plan=route.in_plan, heard=heard))
        return receipt
