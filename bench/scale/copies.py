"""Tens of thousands of tasks that wait, without a workflow each: copies of one that was made by the whole stack.

All rows that belong to an execution are copied, in every table that has any, under ids of their own. PostgreSQL cannot
tell them from others. Temporal does not know them: what their workflows cost is measured with real ones.
"""

from typing import Final
from uuid import UUID

from baton.store.pool import Connection

_BATCH: Final = 5000
#: In the order of their foreign keys. What refers to approvals, artifacts and the like is not copied: a task that asks
#: a question has none.
_TABLES: Final = ("executions", "tasks", "messages", "turns", "steps", "events")

_COLUMNS: Final = """
SELECT attname FROM pg_attribute
 WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''
"""

_NEW: Final = {
    ("executions", "id"): "m.execution",
    ("tasks", "id"): "m.task",
    ("messages", "id"): "gen_random_uuid()",
}


async def copy(connection: Connection, tenant: UUID, execution: UUID, copies: int) -> None:
    """Copy an execution of one task so many times. ``connection``: one without the time limits of a pool's."""
    await connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS made (execution uuid, task uuid)")
    statements = [await _statement(connection, table) for table in _TABLES]
    for done in range(0, copies, _BATCH):
        async with connection.transaction():
            await connection.execute("TRUNCATE made")
            await connection.execute(
                "INSERT INTO made SELECT gen_random_uuid(), gen_random_uuid() FROM generate_series(1, $1::integer)",
                min(_BATCH, copies - done),
            )
            for statement in statements:
                await connection.execute(statement, tenant, execution)


async def _statement(connection: Connection, table: str) -> str:
    columns = [row["attname"] for row in await connection.fetch(_COLUMNS, table)]
    to = {"execution_id": "m.execution", "task_id": "m.task"}
    values = [_NEW.get((table, column)) or to.get(column) or f"o.{column}" for column in columns]
    if "execution_id" in columns or table == "executions":
        which = "o.execution_id = $2" if table != "executions" else "o.id = $2"
    else:
        which = "o.task_id = (SELECT id FROM tasks WHERE tenant_id = $1 AND execution_id = $2)"
    # An event may belong to no task.
    picked = ", ".join(
        f"CASE WHEN o.task_id IS NOT NULL THEN {value} END" if (table, column) == ("events", "task_id") else value
        for column, value in zip(columns, values, strict=True)
    )
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {picked} FROM {table} o, made m"
        f" WHERE o.tenant_id = $1 AND {which}"
    )
