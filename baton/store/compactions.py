"""Summaries that models read: recorded as steps, asked for, undone and redone."""

from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
from pydantic import TypeAdapter

from baton.domain.authors import Author
from baton.domain.catalog import SCRIPTED
from baton.domain.compactions import AskedCompaction, Compaction, CompactionReason, Cut, LeftOut
from baton.domain.conversation import ModelReply, Usage
from baton.domain.errors import CompactionNotFound, NothingToCompact, TaskClosed, TaskNotFound
from baton.domain.events import ContextCompacted, ContextRestored, StepUsed
from baton.domain.ids import StepKey, TaskId, TaskRoute, TenantId
from baton.domain.json import JsonObject
from baton.domain.mailbox import Standing, Then
from baton.domain.states import StepState, TaskState
from baton.domain.views import CompactionView
from baton.store import steps
from baton.store.agents import agent_of
from baton.store.changes import Change
from baton.store.pages import CutPage, fetch_page
from baton.store.pool import Connection
from baton.store.queries import execute, fetchrow, fetchval, of_step
from baton.store.step_rows import end_step, locked, stand

_LEFT_OUT = TypeAdapter(LeftOut)


async def record(connection: Connection, key: StepKey, attempt: int, made: Compaction, usage: Usage) -> Standing:
    """Record the summary that an attempt has made: the step is over, and the next one of its turn is due.

    An attempt that was overtaken, or whose turn is over, records nothing. A summary on top of one that was undone
    meanwhile, or without one that was redone, is dropped: the next step reads what it is to read then.
    """
    change = await locked(connection, key)
    if change.task.box.interrupted(key.turn):
        return await steps.record_interrupted(connection, key, attempt, ModelReply("", (), None, usage), ())
    counted = await end_step(change, key, attempt, StepState.RECORDED, "", None, usage=usage)
    if counted is None:
        return stand(change, key)
    now = await read(connection, key.tenant_id, key.task_id)
    if (0 if now is None else now.number) != made.last:
        change.say(StepUsed(turn=key.turn, step=key.step, attempt=attempt, usage=counted))
        return Standing(Then.STEP, key.turn, key.step + 1, change.box, event_seq=await change.write())
    number = await fetchval(
        connection,
        "add_compaction",
        **of_step(key),
        reason=made.reason,
        kept_turn=made.cut.turn,
        kept_step=made.cut.step,
        kept_seq=made.kept_seq,
        summary=made.summary,
        left_out=_LEFT_OUT.dump_python(made.left_out),
        questions=dict(made.questions),
        refused_bytes=made.refused_bytes,
        model=made.model,
        agent_model=made.agent_model,
    )
    asked = await fetchval(connection, "asked_compaction", tenant=key.tenant_id, task=key.task_id)
    by = _asked(asked).by if asked is not None and made.reason is CompactionReason.REQUESTED else None
    change.say(_body(made, number, usage=counted, by=by))
    return Standing(Then.STEP, key.turn, key.step + 1, change.box, event_seq=await change.write())


async def ask(connection: Connection, route: TaskRoute, by: Author) -> AskedCompaction:
    """Have the task's next step make a summary, be there need of one or not. Again, before there is one, changes
    nothing.

    Raises `TaskNotFound`, `TaskClosed` for a cancelled task, and `NothingToCompact`.
    """
    change = await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)
    state = change.task.box.state
    if state is TaskState.CANCELLED:
        raise TaskClosed("the task is cancelled: its agent reads nothing any more", state)
    row = await fetchrow(connection, "compactable", tenant=route.tenant_id, task=route.task_id)
    if row is None:
        raise TaskNotFound("there is no such task")
    if row["compaction_asked"] is not None:
        return _asked(row["compaction_asked"])
    if any(choice.model == SCRIPTED for choice in agent_of(row).choices):
        raise NothingToCompact("the scripted model reads its whole script: nothing can be left out", state)
    if not row["has_material"]:
        raise NothingToCompact("nothing has been said that could be left out", state)
    asked = AskedCompaction(datetime.now(UTC), by)
    told = {"at": asked.at.isoformat(), "by": by.json()}
    await execute(connection, "ask_for_compaction", tenant=route.tenant_id, task=route.task_id, wish=told)
    return asked


def _asked(found: JsonObject) -> AskedCompaction:
    return AskedCompaction(datetime.fromisoformat(str(found["at"])), Author.recorded(found["by"], ""))


async def undo(connection: Connection, route: TaskRoute, number: int, by: Author) -> CompactionView:
    """Have the model read what a compaction stands for again, from its next step on. Again changes nothing.

    Raises `TaskNotFound`, `CompactionNotFound`.
    """
    change = await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)
    found = await get(connection, route, number)
    if await _changed(connection, "undo_compaction", route, number):
        made = found.compaction
        change.say(ContextRestored(turn=made.turn, step=made.step, number=number, by=by.name, author=by))
        await change.write()
    return await get(connection, route, number)


async def redo(connection: Connection, route: TaskRoute, number: int, by: Author) -> CompactionView:
    """Have the model read a summary again that was undone. Raises like `undo`."""
    change = await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)
    found = await get(connection, route, number)
    if await _changed(connection, "redo_compaction", route, number):
        change.say(replace(_body(found.compaction, number, by=by), summary=""))
        await change.write()
    return await get(connection, route, number)


async def get(connection: Connection, route: TaskRoute, number: int) -> CompactionView:
    """A task's compaction of that number. Raises `CompactionNotFound`."""
    row = await fetchrow(connection, "compaction_by_number", tenant=route.tenant_id, task=route.task_id, number=number)
    if row is None:
        raise CompactionNotFound("the task has no such compaction")
    return _recorded(row)


async def page(
    connection: Connection, tenant_id: TenantId, task_id: TaskId, *, limit: int, before: int | None = None
) -> CutPage[CompactionView]:
    """A task's compactions, newest first. ``before``: the number at which a page ended."""
    rows = await fetch_page(connection, "list_compactions", tenant=tenant_id, task=task_id, limit=limit, before=before)
    return rows.each(_recorded)


async def read(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> Compaction | None:
    """The compaction that a task's model reads; None where it reads all."""
    row = await fetchrow(connection, "read_compaction", tenant=tenant_id, task=task_id)
    return None if row is None else compaction_of(row)


def compaction_of(row: asyncpg.Record) -> Compaction:
    """A compaction from its row."""
    return Compaction(
        cut=Cut(row["kept_turn"], row["kept_step"]),
        summary=row["summary"],
        left_out=_LEFT_OUT.validate_python(row["left_out"]),
        reason=CompactionReason(row["reason"]),
        turn=row["turn"],
        step=row["step"],
        number=row["number"],
        kept_seq=row["kept_seq"],
        questions=row["questions"],
        refused_bytes=row["refused_bytes"],
        model=row["model"],
        agent_model=row["agent_model"],
    )


def _recorded(row: asyncpg.Record) -> CompactionView:
    return CompactionView(compaction_of(row), row["created_at"], row["undone_at"])


async def _changed(connection: Connection, query: str, route: TaskRoute, number: int) -> bool:
    return bool(await fetchval(connection, query, tenant=route.tenant_id, task=route.task_id, number=number))


def _body(made: Compaction, number: int, usage: Usage | None = None, by: Author | None = None) -> ContextCompacted:
    """The event, and who asked for the summary or redid it where somebody has."""
    return ContextCompacted(
        turn=made.turn,
        step=made.step,
        number=number,
        reason=made.reason,
        kept_turn=made.cut.turn,
        kept_step=made.cut.step,
        left_out=made.left_out,
        summary=made.summary,
        model=made.model,
        usage=usage,
        by="" if by is None else by.name,
        author=by,
    )
