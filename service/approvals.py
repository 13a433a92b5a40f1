"""Deciding on tool calls that need consent: one commit, then the doorbell, like a message."""

from collections.abc import Sequence

from domain.agents import Principal
from domain.approvals import Decision
from domain.errors import ApprovalNotFound, InvalidInput
from domain.ids import ApprovalId, TaskById, TaskRoute
from domain.mailbox import Position, Then
from domain.views import ApprovalView
from service.context import Baton
from store import approvals
from store.pool import Connection


async def get_approval(baton: Baton, who: Principal, approval_id: ApprovalId) -> ApprovalView:
    """An approval, and what became of it. Raises `ApprovalNotFound`."""
    async with baton.pool.connection() as connection:
        return await _view(connection, who, approval_id)


async def decide(baton: Baton, who: Principal, approval_id: ApprovalId, decision: Decision) -> ApprovalView:
    """Decide on one approval, see `decide_all`. Returns the approval as it is then."""
    return (await decide_all(baton, who, [(approval_id, decision)]))[0]


async def decide_all(
    baton: Baton, who: Principal, decisions: Sequence[tuple[ApprovalId, Decision]]
) -> list[ApprovalView]:
    """Decide on approvals of one task: all decisions are recorded, or none. Returns the approvals, in the same order.

    The task runs as soon as it asks for nothing any more. The same decision again changes nothing. Raises
    `ApprovalNotFound`, `ApprovalDecided` (with the state that the approval is in instead), `Outdated`
    where the decider saw another call, `InvalidInput`, `Unavailable`.
    """
    for _, decision in decisions:
        decision.check()
    if not decisions:
        return []
    async with baton.pool.connection() as connection:
        tasks = {await approvals.task_of(connection, who.tenant_id, approval_id) for approval_id, _ in decisions}
    if len(tasks) > 1:
        raise InvalidInput("all decisions must be about approvals of one task")
    route = await baton.routes.find(who.tenant_id, TaskById(tasks.pop()))
    if not who.sees(route.agent_id):
        raise ApprovalNotFound("there is no such approval")
    async with baton.pool.transaction() as connection:
        after = await approvals.decide_all(connection, route, decisions, who.subject)
        decided = [await _view(connection, who, approval_id) for approval_id, _ in decisions]
    _ring(baton, route, after)
    return decided


async def _view(connection: Connection, who: Principal, approval_id: ApprovalId) -> ApprovalView:
    found = await approvals.view(connection, who.tenant_id, approval_id)
    if found is None or not who.sees(found.agent_id):
        raise ApprovalNotFound("there is no such approval")
    return found


def _ring(baton: Baton, route: TaskRoute, after: Position) -> None:
    """Tell the streams and the workflow. A repeat rings again: nobody may have heard the first."""
    baton.notifier.events(route.execution_id)
    if after.then is not Then.REST:
        baton.doorbell.ring_task(route, after.box.version, after.turn)
