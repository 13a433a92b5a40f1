"""Decisions on tool calls that somebody typed into Temporal's own UI or CLI."""

import logging
from uuid import UUID

from temporalio import activity

from activities.rings import Bellringer
from activities.typed import author, typed_outcome
from baton.domain import bells
from baton.domain.approvals import Decision, Verdict
from baton.domain.errors import DomainError, InvalidInput, Unavailable
from baton.domain.ids import ApprovalId, TaskById, TaskRoute, whole_tenant
from baton.store import approvals, routes
from baton.store.pool import Pool
from workflows.typed import TypedDecision, TypedOutcome

_log = logging.getLogger(__name__)


class ApprovalActivities:
    """Records what was typed into Temporal exactly like a decision by REST; by whom, Temporal says."""

    def __init__(self, pool: Pool, bellringer: Bellringer, *, words: bool = True) -> None:
        self._pool = pool
        self._bellringer = bellringer
        self._words = words

    @activity.defn(name="decide_approvals")
    async def decide_approvals(self, typed: TypedDecision) -> TypedOutcome:
        """See `workflows.typed.decide_approvals`. One that is refused is dropped, and the log says why."""
        async with self._pool.connection() as connection:
            route = await routes.route(connection, whole_tenant(UUID(typed.ref.tenant)), TaskById(UUID(typed.ref.task)))
        refused: DomainError | None = None
        decided: tuple[ApprovalId, ...] = ()
        try:
            decided = await self._decide(route, typed)
        except Unavailable:
            raise
        except DomainError as error:
            _log.warning("a decision typed into Temporal was refused: %s (task %s)", error.code, route.task_id)
            refused = error
        async with self._pool.transaction(route.execution_id) as connection:
            where = await approvals.decide_all(connection, route, (), author(typed.sender))
        self._bellringer.ring(route, bells.of_decision(where, heard=True))
        return typed_outcome(where, words=self._words, refused=refused, approvals=tuple(map(str, decided)))

    async def _decide(self, route: TaskRoute, typed: TypedDecision) -> tuple[ApprovalId, ...]:
        decision, by = _decision(typed), author(typed.sender)
        decision.check()
        async with self._pool.transaction(route.execution_id) as connection:
            if not typed.approval:
                return await approvals.decide_every_open(connection, route, decision, by, typed.turn)
            approval = _id(typed.approval)
            await approvals.decide_all(connection, route, [(approval, decision)], by)
            return (approval,)


def _decision(typed: TypedDecision) -> Decision:
    try:
        return Decision(Verdict(typed.decision.strip().lower()), typed.reason)
    except ValueError as error:
        raise InvalidInput(f"a decision is one of {', '.join(Verdict)}") from error


def _id(text: str) -> UUID:
    try:
        return UUID(text.strip())
    except ValueError as error:
        raise InvalidInput("an approval's id is a uuid") from error
