"""Notes that agents write for the tasks of their execution."""

from typing import Final

from baton.domain.events import NoteWritten
from baton.domain.ids import ExecutionId, StepKey, TenantId
from baton.store.changes import Change
from baton.store.pool import Connection
from baton.store.queries import execute, fetch

#: So many notes an execution has at most.
MOST_NOTES: Final = 200


async def write(connection: Connection, key: StepKey, call_id: str, name: str, text: str) -> bool:
    """Write a note for a call of step ``key``, in the place of one of the same name; again changes nothing.

    False, and nothing is written, where the call's turn is over, or there are `MOST_NOTES` other notes.
    """
    change = await Change.of(connection, key.tenant_id, key.execution_id, key.task_id)
    if not change.task.box.makes_calls_of(key.turn, key.step):
        return False
    known = await read(connection, key.tenant_id, key.execution_id)
    if known.get(name) == text:
        return True
    if name not in known and len(known) >= MOST_NOTES:
        return False
    await execute(
        connection,
        "write_note",
        tenant=key.tenant_id,
        execution=key.execution_id,
        name=name,
        text=text,
        task=key.task_id,
    )
    change.say(NoteWritten(turn=key.turn, step=key.step, call_id=call_id, name=name, text=text))
    await change.write()
    return True


async def read(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> dict[str, str]:
    """An execution's notes, by name, those first that were changed first."""
    rows = await fetch(connection, "read_notes", tenant=tenant_id, execution=execution_id)
    return {row["name"]: row["text"] for row in rows}
