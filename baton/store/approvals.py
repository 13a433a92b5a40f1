"""Approvals: decided by people, or closed by a message; each recorded once, by the transaction that holds its task.

Which approvals are open, the locked task's row says (docs/adr/0010). The table `approvals` keeps what became of them.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg

from baton.domain.approvals import (
    Approval,
    ApprovalState,
    Decision,
    Verdict,
    declined,
    digest_of,
    shortened,
)
from baton.domain.authors import NOBODY, Author
from baton.domain.conversation import ToolCall, ToolResult
from baton.domain.errors import AlreadyDecided, ApprovalNotFound, NotWaiting, Outdated
from baton.domain.events import asking
from baton.domain.ids import ApprovalId, Bounds, StepKey, TaskId, TaskRoute, TenantId
from baton.domain.json import JsonObject
from baton.domain.mailbox import Mailbox, Standing, decide, standing
from baton.domain.states import TaskState
from baton.domain.views import ApprovalView
from baton.store.changes import RING_SECONDS, Change
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow, fetchval, of_step, within
from baton.store.tools import calls_to_make, end_call

_STATES = {Verdict.APPROVE: ApprovalState.APPROVED, Verdict.DECLINE: ApprovalState.DECLINED}
#: Why a call was not made that nobody decided on: somebody changed its task by hand.
_UNDECIDED = "nobody decided on it"


async def task_of(connection: Connection, bounds: Bounds, approval_id: ApprovalId) -> TaskId:
    """The task that an approval belongs to: never changes. Raises `ApprovalNotFound`."""
    task = await fetchval(connection, "route_by_approval", **within(bounds), approval=approval_id)
    if task is None:
        raise ApprovalNotFound("there is no such approval")
    return task


async def view(connection: Connection, tenant_id: TenantId, approval_id: ApprovalId) -> ApprovalView | None:
    """An approval, and what became of it; None if there is none."""
    row = await fetchrow(connection, "approval_view", tenant=tenant_id, approval=approval_id)
    return None if row is None else _view_of(row)


async def parameters(connection: Connection, tenant_id: TenantId, approval_id: ApprovalId) -> JsonObject | None:
    """The JSON Schema that edited arguments must obey; None for an approval that is not open, and where none is
    known: the call was recorded by older code, or its tool's cannot be judged at a known cost."""
    return await fetchval(connection, "approval_parameters", tenant=tenant_id, approval=approval_id)


async def decide_all(
    connection: Connection, route: TaskRoute, decisions: Sequence[tuple[ApprovalId, Decision]], by: Author
) -> Standing:
    """Decide on approvals of one task in the caller's transaction: on all of them, or none.

    The task runs as soon as it asks for nothing any more; what was declined has its result at once, what was approved
    is called first in the next turn. A decision that was made already, in the same words, changes nothing.

    Raises `TaskNotFound`, `ApprovalNotFound`, `AlreadyDecided` for another decision than the one that was made, and
    `Outdated` if the decider saw another call.
    """
    change = await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)
    box = change.task.box
    open_approvals = {approval.id: approval for approval in box.approvals}
    due: dict[str, tuple[Approval, Decision]] = {}
    for approval_id, decision in decisions:
        approval = open_approvals.get(str(approval_id))
        if approval is None:
            await _check_repeat(change, approval_id, decision)
        elif approval.id in due:
            _check_same(due[approval.id][1], decision)
        elif decision.digest not in (None, approval.digest):
            raise _outdated("the call is not the one that was seen: read the approval again", box)
        else:
            due[approval.id] = approval, decision
    if not due:
        return change.standing()
    change.box = decide(box, due)
    state = change.box.state if change.box.state is not box.state else None
    for number, (approval, decision) in enumerate(due.values(), start=1):
        await _decide(change, approval, decision, by, state if number == len(due) else None)
    ring = None if change.box.state is TaskState.WAITING else RING_SECONDS
    return standing(change.box, event_seq=await change.write(ring_seconds=ring))


async def decide_every_open(
    connection: Connection, route: TaskRoute, decision: Decision, by: Author, turn: int
) -> tuple[ApprovalId, ...]:
    """Decide on all approvals that a task waits for and that a turn up to ``turn`` has asked for, as `decide_all`.

    Returns those that it decided, or had decided before. Raises `TaskNotFound`, `NotWaiting` where nothing was asked,
    and `AlreadyDecided` where somebody has decided otherwise.
    """
    change = await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)
    asked = tuple(UUID(approval.id) for approval in change.task.box.approvals if approval.turn <= turn)
    if not asked:
        return await _decided_last(change, decision, turn)
    await decide_all(connection, route, [(approval, decision) for approval in asked], by)
    return asked


async def _decided_last(change: Change, decision: Decision, turn: int) -> tuple[ApprovalId, ...]:
    """The approvals that were asked for last, where ``decision`` is what somebody has decided about them."""
    task, wanted = change.task, _STATES[decision.verdict]
    rows = await fetch(change.connection, "last_approvals", tenant=task.tenant_id, task=task.id, turn=turn)
    if not rows:
        raise NotWaiting(f"the task is {task.box.state}: it waits for no decision", task.box.state)
    same = tuple(row["id"] for row in rows if row["state"] == wanted)
    if not same:
        raise AlreadyDecided(f"the approval is {rows[0]['state']}: it takes no other decision", rows[0]["state"])
    return same


async def settle(change: Change, key: StepKey, claimed: Sequence[asyncpg.Record]) -> tuple[ToolCall, ...]:
    """Record what the ``claimed`` messages of a turn that begins did to the calls that step ``key`` held back.

    A message closes approvals when it is accepted: the calls of tools that it grants are to be made, unless it is to
    plan only; all others are declined, with its text as the reason; the first message speaks for one that was
    withdrawn. Returns the calls that the turn begins with: those, and what was approved.
    """
    for approval in await _held(change, key):
        message = next((row for row in claimed if approval.id in row["decides"]), claimed[0] if claimed else None)
        by = Author.recorded(message["author"], message["sender"]) if message else NOBODY
        reason = shortened(message["text"]) if message else _UNDECIDED
        approved = message is not None and not message["plan_only"] and approval.tool in message["grants"]
        decision = Decision(Verdict.APPROVE) if approved else Decision(Verdict.DECLINE, reason)
        await _decide(change, approval, decision, by)
    return await calls_to_make(change, key)


async def allow_tools(change: Change, claimed: Sequence[asyncpg.Record]) -> None:
    """Let what the ``claimed`` messages grant, and whether the agent may only plan, count from here on."""
    granted = [tool for row in claimed for tool in row["grants"]]
    modes = [row["plan_only"] for row in claimed if row["plan_only"] is not None]
    if granted or modes:
        task = change.task
        await execute(
            change.connection,
            "allow_tools",
            tenant=task.tenant_id,
            task=task.id,
            granted=granted,
            plan_only=modes[-1] if modes else None,
        )


async def _held(change: Change, key: StepKey) -> list[Approval]:
    """The approvals of the calls that a step holds back, whether they are open or a message has closed them."""
    return [
        Approval(
            id=str(row["id"]),
            call_id=row["call_id"],
            turn=key.turn,
            step=key.step,
            tool=row["name"],
            arguments=row["arguments"],
            digest=row["digest"],
            asked_at="",
        )
        for row in await fetch(change.connection, "held_calls", **of_step(key))
    ]


async def _decide(
    change: Change, approval: Approval, decision: Decision, by: Author, task_state: TaskState | None = None
) -> None:
    key = _key(change, approval)
    if decision.verdict is Verdict.DECLINE:
        await _record(change, approval, ApprovalState.DECLINED, by, decision.reason, None, None, task_state)
        await end_call(change, key, ToolResult(approval.call_id, declined(decision.reason), failed=True))
        return
    edited, digest = _approved(approval.tool, approval.digest, decision)
    await _record(change, approval, ApprovalState.APPROVED, by, decision.reason, edited, digest, task_state)
    await execute(change.connection, "release_call", **of_step(key), call=approval.call_id, edited=edited)


async def _record(
    change: Change,
    approval: Approval,
    state: ApprovalState,
    by: Author,
    reason: str,
    edited: JsonObject | None,
    digest: str | None,
    task_state: TaskState | None = None,
) -> None:
    await execute(
        change.connection,
        "decide_approval",
        tenant=change.task.tenant_id,
        approval=UUID(approval.id),
        state=state,
        by=by.name,
        author=by.json(),
        reason=reason,
        edited=edited,
        approved_digest=digest,
    )
    decided = asking.ApprovalDecided(
        approval_id=approval.id,
        turn=approval.turn,
        step=approval.step,
        call_id=approval.call_id,
        tool=approval.tool,
        decision=state,
        by=by.name,
        author=by,
        reason=reason,
        arguments=edited,
        digest=digest,
    )
    change.say(decided, task_state)


def _approved(tool: str, digest: str, decision: Decision) -> tuple[JsonObject | None, str]:
    """What a call is approved with where it is something else than asked for, and the digest of what is approved."""
    if decision.arguments is None:
        return None, digest
    edited = digest_of(tool, decision.arguments)
    return (None, digest) if edited == digest else (decision.arguments, edited)


async def _check_repeat(change: Change, approval_id: ApprovalId, decision: Decision) -> None:
    """That ``decision`` is the one that was made about an approval of this task that is not open any more."""
    found = await view(change.connection, change.task.tenant_id, approval_id)
    if found is None or found.task_id != change.task.id:
        raise ApprovalNotFound("there is no such approval")
    approved = None
    if decision.verdict is Verdict.APPROVE:
        _, approved = _approved(found.tool, found.digest, decision)
    made = found.state, found.reason or "", found.approved_digest
    if made != (_STATES[decision.verdict], decision.reason, approved) or decision.digest not in (None, found.digest):
        raise AlreadyDecided(f"the approval is {found.state}: it takes no other decision", found.state)


def _check_same(one: Decision, other: Decision) -> None:
    if replace(one, digest=None) != replace(other, digest=None):
        state = _STATES[one.verdict]
        raise AlreadyDecided("an approval takes one decision", state)


def _outdated(message: str, box: Mailbox) -> Outdated:
    return Outdated(message, box.version, tuple(question.id for question in box.questions))


def _key(change: Change, approval: Approval) -> StepKey:
    task = change.task
    return StepKey(task.tenant_id, task.execution_id, task.id, approval.turn, approval.step)


def _view_of(row: asyncpg.Record) -> ApprovalView:
    return ApprovalView(
        id=row["id"],
        task_id=row["task_id"],
        execution_id=row["execution_id"],
        agent_id=row["agent_id"],
        task_version=row["version"],
        task_state=TaskState(row["task_state"]),
        turn=row["turn"],
        step=row["step"],
        call_id=row["call_id"],
        tool=row["tool"],
        arguments=row["arguments"],
        digest=row["digest"],
        state=ApprovalState(row["state"]),
        asked_at=row["asked_at"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        author=None if row["author"] is None else Author.recorded(row["author"], row["decided_by"]),
        reason=row["reason"],
        edited=row["edited"],
        approved_digest=row["approved_digest"],
    )
