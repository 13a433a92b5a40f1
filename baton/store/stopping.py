"""What tasks that are cancelled were at: ended by a few statements, however many they are."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import asyncpg

from baton.domain.approvals import ApprovalState
from baton.domain.authors import Author
from baton.domain.doubts import MAY_HAVE_HAPPENED, NOT_KNOWN
from baton.domain.events import ApprovalDecided, KnownBody, MessagesDead, ToolCompleted, TurnEnded
from baton.domain.events.parts import MessageRef
from baton.domain.ids import TaskId, TenantId
from baton.domain.mailbox import Ending
from baton.store.changes import told
from baton.store.mailboxes import LockedTask
from baton.store.pool import Connection
from baton.store.queries import fetch

#: What a call gives that was not made because its task was cancelled.
CANCELLED: Final = "cancelled"


async def stop_work(
    connection: Connection, tenant_id: TenantId, tasks: Sequence[LockedTask], by: Author
) -> dict[TaskId, list[KnownBody]]:
    """End the turns, the held calls and the unread messages of locked tasks. What the log is to say of each."""
    said: dict[TaskId, list[KnownBody]] = {task.id: [] for task in tasks}
    await _end_turns(connection, tenant_id, [task for task in tasks if task.box.turn_open], said)
    holding = [task for task in tasks if task.box.held_step is not None and not task.box.turn_open]
    await _end_held_calls(connection, tenant_id, holding, by, said)
    for task, messages in (await bury(connection, tenant_id, list(said), "task_cancelled")).items():
        said[task].append(messages)
    return said


async def bury(
    connection: Connection, tenant_id: TenantId, tasks: Sequence[TaskId], reason: str
) -> dict[TaskId, MessagesDead]:
    """Let no turn read the unclaimed messages of locked tasks any more: what the log is to say, where there are any."""
    rows = await fetch(connection, "bury_unclaimed", tenant=tenant_id, ids=list(tasks), reason=reason) if tasks else []
    return {task: MessagesDead(messages=messages, reason=reason) for task, messages in _by_task(rows).items()}


async def _end_turns(
    connection: Connection, tenant_id: TenantId, tasks: Sequence[LockedTask], said: dict[TaskId, list[KnownBody]]
) -> None:
    if not tasks:
        return
    turns = [task.box.turn for task in tasks]
    rows = await fetch(
        connection,
        "end_turns",
        tenant=tenant_id,
        ids=[task.id for task in tasks],
        turns=turns,
        held_turns=[task.box.held_turn for task in tasks],
        not_made=CANCELLED,
        unsure=MAY_HAVE_HAPPENED,
    )
    read = _by_task(rows)
    for task in tasks:
        ended = TurnEnded(turn=task.box.turn, outcome=Ending.INTERRUPTED, messages=read.get(task.id, ()))
        said[task.id].append(ended)


async def _end_held_calls(
    connection: Connection,
    tenant_id: TenantId,
    tasks: Sequence[LockedTask],
    by: Author,
    said: dict[TaskId, list[KnownBody]],
) -> None:
    if not tasks:
        return
    held = [task.box.held or (0, 0) for task in tasks]
    rows = await fetch(
        connection,
        "end_held_calls",
        tenant=tenant_id,
        ids=[task.id for task in tasks],
        turns=[turn for turn, _ in held],
        steps=[step for _, step in held],
        by=by.name,
        author=by.json(),
        not_made=CANCELLED,
        unsure=NOT_KNOWN,
    )
    for row in rows:
        if row["approval"] is not None:
            said[row["task_id"]].append(
                ApprovalDecided(
                    approval_id=str(row["approval"]),
                    turn=row["turn"],
                    step=row["step"],
                    call_id=row["call_id"],
                    tool=row["name"],
                    decision=ApprovalState.CANCELLED,
                    by=by.name,
                    author=by,
                    reason="",
                )
            )
    for row in rows:
        said[row["task_id"]].append(
            ToolCompleted(
                turn=row["turn"],
                step=row["step"],
                call_id=row["call_id"],
                name=row["name"],
                content=row["content"],
                failed=True,
            )
        )


def _by_task(rows: Sequence[asyncpg.Record]) -> dict[TaskId, tuple[MessageRef, ...]]:
    found = defaultdict[TaskId, list[asyncpg.Record]](list)
    for row in rows:
        found[row["task_id"]].append(row)
    return {task: told(messages) for task, messages in found.items()}
