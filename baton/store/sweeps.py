"""What others did behind our back, as far as PostgreSQL shows it: found, mended, and said in the log.

These queries look across tenants: a sweeper serves all of them. What they find is judged again under the rows' locks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from baton.domain.authors import Author
from baton.domain.errors import ExecutionNotFound
from baton.domain.events import ExecutionChanged, NewEvent, TaskRepaired, WorkflowLost, WorkflowReplaced
from baton.domain.ids import ExecutionId, TaskId, TenantId
from baton.domain.mailbox import Ending, Standing
from baton.domain.states import ExecutionState, TaskState, execution_state
from baton.store import control, events, mailboxes
from baton.store.changes import RING_SECONDS, Change
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow, fetchval

_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """A task whose turn is under way, and has written nothing for a while. ``moved``: nor has it since the
    database came to this namespace of Temporal."""

    tenant_id: TenantId
    execution_id: ExecutionId
    task_id: TaskId
    turn: int
    moved: bool = False


async def take_lease(connection: Connection, holder: UUID, seconds: float) -> bool:
    """Take, or renew, the right to sweep for ``seconds``. Whether ``holder`` has it now: one at a time does."""
    return bool(await fetchval(connection, "only_sweeper", holder=holder, seconds=seconds))


async def give_lease_back(connection: Connection, holder: UUID) -> None:
    """Let somebody else sweep now."""
    await execute(connection, "give_sweep_lease_back", holder=holder)


async def note_namespace(connection: Connection, namespace_id: str) -> bool:
    """Note which namespace of Temporal serves this database. Whether it is new here."""
    return bool(await fetchval(connection, "note_namespace", id=namespace_id))


async def ring_silent(connection: Connection, seconds: float) -> int:
    """Have the relay ring what is due and has been silent for ``seconds``. Returns how many."""
    rung = 0
    for name in ("sweep_silent", "sweep_timers", "sweep_plans"):
        rung += len(await fetch(connection, name, seconds=seconds))
    return rung


async def ring_idle(connection: Connection, turn: OpenTurn) -> None:
    """Have the relay ring the workflow of a turn that is under way and that it does nothing for."""
    await execute(connection, "ring_idle", tenant=turn.tenant_id, task=turn.task_id, turn=turn.turn)


async def open_turns(
    connection: Connection, seconds: float, known_good: Sequence[TaskId], limit: int
) -> list[OpenTurn]:
    """Up to ``limit`` turns that have written nothing for ``seconds``, without those that were just seen at work."""
    rows = await fetch(connection, "open_turns", seconds=seconds, known_good=list(known_good), limit=limit)
    return [OpenTurn(row["tenant_id"], row["execution_id"], row["id"], row["turn"], row["moved"]) for row in rows]


async def unheard_tasks(
    connection: Connection, timer_seconds: float, looked: Sequence[TaskId], limit: int
) -> list[OpenTurn]:
    """Up to ``limit`` tasks, none of ``looked``: rung in vain, or with a timer that was due ``timer_seconds`` ago."""
    rows = await fetch(connection, "unheard_tasks", seconds=timer_seconds, looked=list(looked), limit=limit)
    return [OpenTurn(row["tenant_id"], row["execution_id"], row["id"], row["turn"]) for row in rows]


async def unheard_plans(
    connection: Connection, looked: Sequence[ExecutionId], limit: int
) -> list[tuple[TenantId, ExecutionId]]:
    """Up to ``limit`` plans that were rung in vain; none of ``looked``."""
    rows = await fetch(connection, "unheard_plans", looked=list(looked), limit=limit)
    return [(row["tenant_id"], row["id"]) for row in rows]


async def last_event(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> int:
    """The number of an execution's last event. Raises `ExecutionNotFound`."""
    found = await fetchval(connection, "last_event", tenant=tenant_id, execution=execution_id)
    if found is None:
        raise ExecutionNotFound("there is no such execution")
    return found


async def task_workflow_replaced(connection: Connection, turn: OpenTurn, why: WorkflowReplaced) -> None:
    """Say in the log that another run of a task's workflow has taken the place of one that was stuck."""
    change = await Change.of(connection, turn.tenant_id, turn.execution_id, turn.task_id)
    change.say(why)
    await change.write()


async def plan_workflow_replaced(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, why: WorkflowReplaced
) -> None:
    """The same of a plan's workflow."""
    await events.append(connection, tenant_id, execution_id, [NewEvent(why)], positions={})


async def turn_of(connection: Connection, tenant: str, task_id: TaskId) -> OpenTurn | None:
    """The task that a workflow of ``tenant`` (its name) served; None if there is none."""
    row = await fetchrow(connection, "task_of_workflow", tenant_name=tenant, task=task_id)
    return None if row is None else OpenTurn(row["tenant_id"], row["execution_id"], task_id, row["turn"])


async def workflow_lost(connection: Connection, turn: OpenTurn, status: str) -> Standing | None:
    """Record that a task's workflow is gone: ``status`` is what Temporal says of it.

    A waiting task goes on waiting; a running one becomes failed and its claimed messages dead, unless other messages
    wait, which are rung for; a cancelled workflow cancels its task. None where nothing was to be recorded: the task is
    over, or a turn is due: it gets another workflow. A workflow that is cancelled records that itself; of one that was
    found to be so afterwards nobody knows whether what is due was sent before or after it.
    """
    change = await Change.of(connection, turn.tenant_id, turn.execution_id, turn.task_id)
    box = change.task.box
    if status == "canceled":
        is_due = box.state is TaskState.RUNNING and not box.turn_open
        if box.state.is_over or is_due:
            return None
        return await control.cancel_locked(change, Author.in_temporal(), "cancelled in Temporal")
    if not box.turn_open or box.turn != turn.turn:
        return None
    change.say(WorkflowLost(status=status))
    return await change.end_turn(Ending.FAILED, code=f"workflow_{status}", ring_seconds=RING_SECONDS)


async def waiting_workflow_lost(connection: Connection, turn: OpenTurn, status: str) -> bool:
    """Say in the log that a waiting task's workflow is gone; its next message starts another. Whether it was said."""
    change = await Change.of(connection, turn.tenant_id, turn.execution_id, turn.task_id)
    if change.task.box.turn_open or change.task.box.state is not TaskState.WAITING:
        return False
    change.say(WorkflowLost(status=status))
    await change.write()
    return True


@dataclass(frozen=True, slots=True)
class Audit:
    """What a page of executions, in the order of tenants' and their own ids, was found to be.

    ``miscounted``: tasks whose counter of unclaimed messages does not fit their messages. ``differing``: executions
    whose state does not follow from their tasks'. ``last``: where the next page begins; None after the last page.
    """

    miscounted: Sequence[tuple[TenantId, ExecutionId, TaskId]]
    differing: Sequence[tuple[TenantId, ExecutionId]]
    last: tuple[TenantId, ExecutionId] | None


async def audit(connection: Connection, after: tuple[TenantId, ExecutionId] | None, limit: int) -> Audit:
    """Compare up to ``limit`` executions, those that follow ``after``, with their tasks and messages."""
    tenant, execution = after or (_FIRST, _FIRST)
    rows = await fetch(connection, "audit_executions", after_tenant=tenant, after_execution=execution, limit=limit)
    names = [(row["tenant_id"], row["id"]) for row in rows]
    return Audit(
        [(*name, task) for name, row in zip(names, rows, strict=True) for task in row["miscounted"]],
        [name for name, row in zip(names, rows, strict=True) if _differs(row["state"], row["states"])],
        names[-1] if len(rows) == limit else None,
    )


async def recount(connection: Connection, found: Iterable[tuple[TenantId, ExecutionId, TaskId]]) -> int:
    """Mend counters of unclaimed messages that do not fit the messages. Returns how many."""
    mended = 0
    for tenant, execution, task in found:
        change = await Change.of(connection, tenant, execution, task)
        accepted = await fetchval(connection, "count_accepted", tenant=tenant, task=task)
        if accepted == change.task.box.unclaimed:
            continue
        runs = accepted > 0 and change.task.box.state in (TaskState.SUCCEEDED, TaskState.FAILED)
        state = TaskState.RUNNING if runs else change.task.box.state
        change.box = replace(change.task.box, unclaimed=accepted, version=change.task.box.version + 1, state=state)
        change.say(TaskRepaired(what="unclaimed"), state if runs else None)
        await change.write(ring_seconds=0.0 if state is TaskState.RUNNING else None)
        mended += 1
    return mended


async def derive_states(connection: Connection, found: Iterable[tuple[TenantId, ExecutionId]]) -> int:
    """Mend execution states that do not follow from their tasks'. Returns how many."""
    mended = 0
    for tenant, execution in found:
        locked = await fetchrow(connection, "lock_plan", tenant=tenant, execution=execution)
        states = await mailboxes.count_states(connection, tenant, execution)
        if locked is None or not _differs(locked["state"], list(states)):
            continue
        state = mailboxes.derived(states, ExecutionState(locked["state"]))
        changed = [NewEvent(ExecutionChanged(was=locked["state"]))]
        await events.append(connection, tenant, execution, changed, positions={}, state=state)
        mended += 1
    return mended


def _differs(state: str, of_tasks: Sequence[str]) -> bool:
    derived = execution_state(TaskState(task) for task in of_tasks)
    return derived is not ExecutionState(state) and not (
        derived is ExecutionState.PENDING and state == ExecutionState.RUNNING
    )
