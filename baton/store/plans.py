"""A plan's advance: one transaction that starts, fails and resets its tasks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from baton.domain.dag import DEPENDENCY_FAILED, Advance, Node, advance
from baton.domain.errors import ExecutionNotFound
from baton.domain.events import NewEvent, TaskFailed, TaskReset, TasksStarted, TaskStarted
from baton.domain.ids import ExecutionId, PlanRoute, TaskId, TenantId
from baton.domain.states import ExecutionState, TaskState, execution_state
from baton.store import events
from baton.store.changes import RING_SECONDS, TOLD_AT_ONCE
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow
from baton.store.stopping import bury


@dataclass(frozen=True, slots=True)
class TaskStanding:
    """Where a task of a plan stands."""

    id: TaskId
    position: int
    title: str
    state: TaskState


@dataclass(frozen=True, slots=True)
class PlanStanding:
    """Where a plan and its tasks stand, these by position.

    ``to_ring``: tasks that were started a moment ago and that no worker has taken up yet. Of many only the
    first: with ``relayed`` the relay rings the others, and leaves other tenants their share.
    """

    state: ExecutionState
    event_seq: int
    counts: dict[TaskState, int]
    tasks: tuple[TaskStanding, ...]
    to_ring: tuple[TaskId, ...]
    relayed: bool


async def route(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> PlanRoute:
    """Where a plan lives: never changes, may be cached. Raises `ExecutionNotFound`."""
    row = await fetchrow(connection, "execution_route", tenant=tenant_id, execution=execution_id, agent=None)
    if row is None:
        raise ExecutionNotFound("there is no such execution")
    return PlanRoute(tenant_id, row["tenant"], execution_id, row["queue"], row["title"])


async def advance_plan(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> PlanStanding:
    """Advance a plan by `baton.domain.dag`, in the caller's transaction. A repeat changes nothing.

    Raises `ExecutionNotFound`.
    """
    execution = await fetchrow(connection, "lock_plan", tenant=tenant_id, execution=execution_id)
    if execution is None:
        raise ExecutionNotFound("there is no such execution")
    rows = sorted(
        await fetch(connection, "lock_plan_tasks", tenant=tenant_id, execution=execution_id),
        key=lambda row: row["position"],
    )
    decided = advance(
        [Node(row["position"], TaskState(row["state"]), tuple(row["depends_on"]), row["error_code"]) for row in rows]
    )
    names = {"tenant": tenant_id, "execution": execution_id}
    await execute(connection, "plan_heard", **names)
    if decided.reset:
        await execute(connection, "reset_tasks", **names, positions=list(decided.reset))
    if decided.fail:
        await execute(connection, "fail_tasks", **names, positions=list(decided.fail), code=DEPENDENCY_FAILED)
    if decided.start:
        await execute(
            connection,
            "start_tasks",
            **names,
            positions=list(decided.start),
            told=list(decided.start[:TOLD_AT_ONCE]),
            ring_seconds=RING_SECONDS,
        )
    said = await _events(connection, tenant_id, rows, decided)
    states = _states_after(rows, decided)
    was = ExecutionState(execution["state"])
    state = execution_state(states.values())
    event_seq = execution["event_seq"]
    if said:
        positions = {row["id"]: row["position"] for row in rows}
        event_seq = await events.append(
            connection, tenant_id, execution_id, said, positions=positions, state=None if state is was else state
        )
    started, counted = frozenset(decided.start), Counter(states.values())
    return PlanStanding(
        state=state,
        event_seq=event_seq,
        counts={known: counted[known] for known in TaskState},
        tasks=tuple(TaskStanding(row["id"], row["position"], row["title"], states[row["position"]]) for row in rows),
        to_ring=tuple(
            row["id"]
            for row in rows
            if row["position"] in started or (row["state"] == TaskState.RUNNING and row["told"])
        )[:TOLD_AT_ONCE],
        relayed=len(started) > TOLD_AT_ONCE,
    )


def _states_after(rows: Sequence[asyncpg.Record], decided: Advance) -> dict[int, TaskState]:
    states = {row["position"]: TaskState(row["state"]) for row in rows}
    states |= dict.fromkeys(decided.reset, TaskState.PENDING)
    states |= dict.fromkeys(decided.fail, TaskState.FAILED)
    return states | dict.fromkeys(decided.start, TaskState.RUNNING)


async def _events(
    connection: Connection, tenant_id: TenantId, rows: Sequence[asyncpg.Record], decided: Advance
) -> list[NewEvent]:
    said: list[NewEvent] = []
    start, fail, reset = frozenset(decided.start), frozenset(decided.fail), frozenset(decided.reset)
    failed = [row["id"] for row in rows if row["position"] in fail]
    dead = await bury(connection, tenant_id, failed, DEPENDENCY_FAILED)
    for row in rows:
        task, position = row["id"], row["position"]
        if position in reset:
            said.append(NewEvent(TaskReset(), task, TaskState.PENDING))
        if position in fail:
            if task in dead:
                said.append(NewEvent(dead[task], task))
            said.append(NewEvent(TaskFailed(code=DEPENDENCY_FAILED), task, TaskState.FAILED))
        if position in start:
            said.append(NewEvent(TaskStarted(title=row["title"]), task, TaskState.RUNNING))
    if len(decided.start) > 1:
        said.append(NewEvent(TasksStarted(tasks=tuple(decided.start))))
    return said
