"""Deciding on tool calls that need consent: one commit, then the doorbell, like a message."""

from collections.abc import Sequence

from baton.domain import bells
from baton.domain.agents import Principal
from baton.domain.answers import argument_problems
from baton.domain.approvals import Decision
from baton.domain.errors import ApprovalNotFound, ArgumentsRefused, InvalidInput, Outdated, TaskNotFound
from baton.domain.ids import ApprovalId, TaskAddress, TaskRoute, TenantId
from baton.domain.mailbox import Standing
from baton.domain.messages import Draft, Receipt
from baton.domain.views import ApprovalView, TaskView
from baton.service.bells import ring
from baton.service.context import Baton
from baton.service.messages import check_draft, tell
from baton.service.visibility import SeenPart, find_approval, find_task
from baton.store import approvals, mailboxes, messages, tasks
from baton.store.pool import Connection


async def get_approval(baton: Baton, who: Principal, approval_id: ApprovalId) -> ApprovalView:
    """An approval, and what became of it. Raises `ApprovalNotFound`."""
    seen = await find_approval(baton, who, approval_id)
    async with baton.pool.connection() as connection:
        return await _view(connection, seen)


async def decide(baton: Baton, who: Principal, approval_id: ApprovalId, decision: Decision) -> ApprovalView:
    """Decide on one approval, see `decide_all`. Returns the approval as it is then."""
    return (await decide_all(baton, who, [(approval_id, decision)]))[0]


async def decide_all(
    baton: Baton, who: Principal, decisions: Sequence[tuple[ApprovalId, Decision]]
) -> list[ApprovalView]:
    """Decide on approvals of one task: all decisions are recorded, or none. Returns the approvals, in the same order.

    The task runs as soon as it asks for nothing any more. The same decision again changes nothing. Raises
    `ApprovalNotFound`, `ApprovalDecided` (with the state that the approval is in instead), `Outdated`
    where the decider saw another call, `ArgumentsRefused` for edited arguments that the tool cannot take,
    `InvalidInput`, `Unavailable`.
    """
    for _, decision in decisions:
        decision.check()
    if not decisions:
        return []
    seen = [await find_approval(baton, who, approval_id) for approval_id, _ in decisions]
    if len({approval.task.id for approval in seen}) > 1:
        raise InvalidInput("all decisions must be about approvals of one task")
    route = seen[0].task.route
    await _check_arguments(baton, route.tenant_id, decisions)
    async with baton.pool.transaction(route.execution_id) as connection:
        after = await approvals.decide_all(connection, route, decisions, who.author)
        decided = [await _view(connection, approval) for approval in seen]
    ring(baton, route, bells.of_decision(after))
    return decided


async def _check_arguments(baton: Baton, tenant_id: TenantId, decisions: Sequence[tuple[ApprovalId, Decision]]) -> None:
    """Raises `ArgumentsRefused` for arguments that break their tool's schema: judged without a lock, for a schema may
    take its time. What a call must obey never changes."""
    for approval_id, decision in decisions:
        if decision.arguments is None:
            continue
        async with baton.pool.connection() as connection:
            schema = await approvals.parameters(connection, tenant_id, approval_id)
        if schema is not None and (wrong := argument_problems(schema, decision.arguments)):
            raise ArgumentsRefused("the arguments break the tool's schema: the approval stays open", wrong)


async def _view(connection: Connection, seen: SeenPart) -> ApprovalView:
    found = await approvals.view(connection, seen.tenant_id, seen.id)
    if found is None:
        raise ApprovalNotFound("there is no such approval")
    return found


async def decide_and_answer(
    baton: Baton,
    who: Principal,
    address: TaskAddress,
    decisions: Sequence[tuple[ApprovalId, Decision]],
    answers: Sequence[Draft],
    *,
    if_versions: tuple[int, ...] | None = None,
) -> tuple[TaskView, tuple[Receipt, ...]]:
    """Decide on approvals of a task and answer questions of it: all is stored, or nothing.

    Each answer names its question, and leaves approvals alone that are not decided on. ``if_versions``: as a
    `Draft` has them; they are not looked at where the answers are repeated. Returns the task as it is right
    after that, and the answers' receipts. Raises like `decide_all` and like `baton.service.messages.send_message`.
    """
    for _, decision in decisions:
        decision.check()
    for draft in answers:
        check_draft(draft)
    route = (await find_task(baton, who, address)).route
    await _check_arguments(baton, route.tenant_id, decisions)
    after: Standing | None = None
    async with baton.pool.transaction(route.execution_id) as connection:
        await messages.hold(connection, route.tenant_id, route.execution_id)
        earlier = [await messages.earlier(connection, route, draft) for draft in answers]
        if if_versions is not None and not any(earlier):
            await _check_version(connection, route, if_versions)
        if decisions:
            after = await approvals.decide_all(connection, route, decisions, who.author)
        receipts = [
            known
            or await messages.accept(
                connection, route, draft, who.author, relay_seconds=baton.settings.relay_after_seconds
            )
            for known, draft in zip(earlier, answers, strict=True)
        ]
        task = await tasks.view(connection, route.tenant_id, route.task_id)
        if task is None:
            raise TaskNotFound("there is no such task")
    if after is not None:
        ring(baton, route, bells.of_decision(after))
    await tell(baton, [(route, receipt) for receipt in receipts])
    return task, tuple(receipts)


async def _check_version(connection: Connection, route: TaskRoute, if_versions: tuple[int, ...]) -> None:
    box = (await mailboxes.lock(connection, route.tenant_id, route.execution_id, route.task_id)).box
    if box.version not in if_versions:
        message = "the task has changed: read it again"
        raise Outdated(message, box.version, tuple(question.id for question in box.questions))
