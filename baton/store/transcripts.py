"""What was said and done in a task: as its agent reads it, and as others do."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Final, cast

import asyncpg

from baton.domain.agents import Agent
from baton.domain.allowance import PREFIX, Asked, Spent
from baton.domain.artifacts import READ_ARTIFACT
from baton.domain.catalog import SCRIPTED
from baton.domain.compactions import Compaction, Cut
from baton.domain.conversation import (
    DependencyResult,
    ReadMessage,
    RecordedStep,
    RecordedTurn,
    ToolResult,
    Transcript,
    Usage,
)
from baton.domain.errors import TaskNotFound
from baton.domain.ids import StepKey, TaskId, TenantId
from baton.domain.states import MessageState, StepState
from baton.domain.timeline import NEWEST, MadeCall, SaidMessage, TakenStep, Timeline, TimelinePlace
from baton.store.agents import agent_of
from baton.store.codecs import ATTACHMENTS, CALLS, QUESTIONS
from baton.store.compactions import compaction_of
from baton.store.limits import NO_LIMITS, TaskLimits, limits_of
from baton.store.pages import CutPage, fetch_page
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval, of_step

#: Nothing is left out.
FROM_THE_START: Final = Cut(0, 0)
_NO_END: Final = 2**31 - 1
#: Of each kind a timeline has so many at most.
_TIMELINE_ROWS: Final = 1000


async def read(
    connection: Connection,
    tenant_id: TenantId,
    task_id: TaskId,
    compaction: Compaction | None = None,
    *,
    before: int = _NO_END,
    longest: int = _NO_END,
) -> Transcript:
    """A task's transcript up to the messages that its present turn has claimed. Raises `TaskNotFound`.

    Messages and steps that are over never change, so that a repeat reads the same. A message that was redriven is read
    in the turn that claimed it last; in one that failed with it, too, if the model had answered there.
    ``compaction``: what is read instead of the beginning, of which nothing is loaded but what is pinned. ``before``:
    the first turn that is not read; ``longest``: of a text that has more bytes, the middle is left out.
    """
    task = await fetchrow(connection, "transcript_task", tenant=tenant_id, task=task_id, longest=longest)
    if task is None:
        raise TaskNotFound("there is no such task")
    whose: dict[str, object] = {"tenant": tenant_id, "task": task_id}
    cut = FROM_THE_START if compaction is None else compaction.cut
    kept: dict[str, object] = {"kept_turn": cut.turn, "kept_step": cut.step, "end_turn": before}
    first = 0 if compaction is None else compaction.kept_seq
    sent = await fetch(connection, "transcript_messages", kept_seq=first, end_turn=before, longest=longest, **whose)
    rows = await fetch(connection, "transcript_steps", **whose, **kept)
    answered = {row["turn"] for row in rows if row["response"] is not None}
    messages: defaultdict[int, list[ReadMessage]] = defaultdict(list)
    moved: set[int] = set()
    for row in sent:
        moved.update(turn for turn in row["failed_turns"] if turn > 1)  # the first has read the description, too
        for turn in (*answered.intersection(row["failed_turns"]), row["turn"]):
            if turn is not None and turn >= cut.turn:
                messages[turn].append(_message(row))
    results: defaultdict[tuple[int, int], list[ToolResult]] = defaultdict(list)
    if any(call["id"] not in row["questions"] for row in rows for call in row["calls"]):  # what asks has no result
        for row in await fetch(connection, "transcript_results", **whose, **kept):
            result = ToolResult(row["call_id"], row["content"], row["failed"], row["edited"])
            results[row["turn"], row["step"]].append(result)
    steps: defaultdict[int, list[RecordedStep]] = defaultdict(list)
    for row in rows:
        if row["turn"] not in moved or row["turn"] in messages:  # else it failed for messages that are read elsewhere
            steps[row["turn"]].append(_step(row, tuple(results[row["turn"], row["step"]])))
    pinned: tuple[ReadMessage, ...] = ()
    if compaction is not None:
        found = await fetch(connection, "transcript_pinned", kept_turn=cut.turn, longest=longest, **whose)
        pinned = tuple(map(_message, found))
    return Transcript(
        agent=_agent(task),
        title=task["title"],
        description=task["description"],
        attachments=ATTACHMENTS.read(task["attachments"]),
        dependencies=tuple(
            DependencyResult(item["position"], item["title"], item["result"]) for item in task["dependencies"]
        ),
        turns=tuple(
            RecordedTurn(turn, tuple(messages[turn]), tuple(steps[turn]))
            for turn in range(max(1, cut.turn), min(task["turn"] + 1, before))
            if turn == task["turn"] or messages[turn] or steps[turn] or turn not in moved
        ),
        closed=_closed(task, sent, rows),
        compaction=compaction,
        pinned=pinned,
        result_schema=task["wanted_schema"],
        asks_for_summary=task["asks_for_summary"],
    )


async def unfinished_text(connection: Connection, key: StepKey) -> str:
    """What the model has said of the answer that the step ``key`` goes on with, also what is not read any more."""
    return await fetchval(connection, "unfinished_text", **of_step(key))


async def timeline(
    connection: Connection, tenant_id: TenantId, task_id: TaskId, before: TimelinePlace = NEWEST
) -> Timeline:
    """A page of what was said and done in a task, the newest first of all; nothing for a task that there is not.

    Of each kind up to `_TIMELINE_ROWS` or a megabyte. Where there are more of a kind, the page has none of the others
    that are older than what it has of this one.
    """
    whose: dict[str, object] = {"tenant": tenant_id, "task": task_id}
    limit = _TIMELINE_ROWS
    (turn, step), (of_turn, of_step, ordinal) = before.step, before.call
    said = await fetch_page(connection, "timeline_messages", limit=limit, **whose, seq=before.message)
    taken = await fetch_page(connection, "timeline_steps", limit=limit, **whose, from_turn=turn, from_step=step)
    made = await fetch_page(
        connection, "timeline_calls", limit=limit, **whose, from_turn=of_turn, from_step=of_step, from_call=ordinal
    )
    kinds = (said, "accepted_at"), (taken, "started_at"), (made, "started_at")
    floor = max((min(row[at] for row in page) for page, at in kinds if page.more), default=None)
    messages, steps, calls = (_since(page, at, floor) for page, at in kinds)
    older = None
    if floor is not None:
        older = TimelinePlace(
            messages[0]["seq"] if messages else before.message,
            (steps[0]["turn"], steps[0]["step"]) if steps else before.step,
            (calls[0]["turn"], calls[0]["step"], calls[0]["ordinal"]) if calls else before.call,
        )
    return Timeline(
        older=older,
        messages=tuple(
            SaidMessage(row["id"], row["text"], MessageState(row["state"]), row["accepted_at"]) for row in messages
        ),
        steps=tuple(
            TakenStep(
                turn=row["turn"],
                step=row["step"],
                state=StepState(row["state"]),
                text=row["text"],
                asked=QUESTIONS.read(row["asked"]),
                error=row["error_code"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
                reasoning=row["reasoning"] or "",
            )
            for row in steps
        ),
        calls=tuple(
            MadeCall(
                turn=row["turn"],
                step=row["step"],
                id=row["call_id"],
                name=row["name"],
                arguments=row["arguments"],
                done=row["done"],
                content=row["content"],
                failed=row["failed"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
            )
            for row in calls
        ),
    )


def _since(page: CutPage[asyncpg.Record], at: str, floor: datetime | None) -> list[asyncpg.Record]:
    """Rows that come newest first, in order: down to the first that is older than ``floor``."""
    return list(takewhile(lambda row: floor is None or row[at] >= floor, page))[::-1]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a task is about to read, about, in bytes; what it has used up, and what its limits have asked so far.

    ``limits``: what bounds it; ``compaction``: what it reads instead of its beginning; ``refused``: how many answers of
    the turn were no valid results, also those that are not read any more.
    """

    transcript_bytes: int
    spent: Spent
    asked: tuple[Asked, ...]
    limits: TaskLimits = NO_LIMITS
    compaction: Compaction | None = None
    refused: int = 0

    def after(self, usage: Usage) -> "Budget":
        """With what an attempt that is under way has used."""
        return replace(self, spent=self.spent.after(usage), limits=self.limits.after(usage))


async def budget(connection: Connection, tenant_id: TenantId, task_id: TaskId, turn: int) -> Budget:
    """A task's budget in ``turn``, which is under way. Raises `TaskNotFound`."""
    row = await fetchrow(connection, "step_budget", tenant=tenant_id, task=task_id, turn=turn)
    if row is None:
        raise TaskNotFound("there is no such task")
    asked: list[asyncpg.Record] = []
    if row["asked"]:
        asked = await fetch(connection, "asked_by_limits", tenant=tenant_id, task=task_id, prefix=PREFIX)
    return Budget(
        int(row["transcript_bytes"]),
        Spent(turn, row["calls"], row["calls_in_turn"], int(row["tokens"]), float(row["usd"]), float(row["seconds"])),
        tuple(Asked(one["call_id"].removeprefix(PREFIX), one["answer"], one["turn"]) for one in asked),
        await limits_of(connection, tenant_id, task_id, turn, row),
        None if row["number"] is None else compaction_of(row),
        row["refused"],
    )


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a transcript that is too long to be loaded: the bytes of its ``earlier`` turns, how many ``turns`` of the
    first of these may be loaded, and which is the first that may not (``before``); the bytes of ``texts`` that people
    have written, and their ``count``. ``reads_all``: one of the agent's models makes no use of summaries."""

    earlier: int
    turns: int
    before: int
    texts: int
    count: int
    reads_all: bool


async def sizes(
    connection: Connection, tenant_id: TenantId, task_id: TaskId, last: Compaction | None, turn: int, most: int
) -> Sizes:
    """The sizes of a task's transcript in ``turn``, which is under way, after the compaction ``last`` that it reads.
    ``most``: the bytes that may be loaded of its beginning."""
    cut = FROM_THE_START if last is None else last.cut
    row = await fetchrow(
        connection,
        "transcript_sizes",
        tenant=tenant_id,
        task=task_id,
        turn=turn,
        most=most,
        kept_seq=0 if last is None else last.kept_seq,
        kept_turn=cut.turn,
        kept_step=cut.step,
        scripted=SCRIPTED,
    )
    assert row is not None
    return Sizes(
        int(row["earlier"]), row["turns"], row["before"], int(row["texts"]), row["count"], bool(row["reads_all"])
    )


def _agent(task: asyncpg.Record) -> Agent:
    """The task's agent. It can read artifacts once there is one."""
    agent = agent_of(task)
    if not task["has_artifacts"] or READ_ARTIFACT in agent.tools:
        return agent
    return replace(agent, tools=(*agent.tools, READ_ARTIFACT))


def _closed(task: asyncpg.Record, sent: Sequence[asyncpg.Record], steps: Sequence[asyncpg.Record]) -> frozenset[str]:
    """What steps asked, less what messages answered and what is open, or would be without those that wait."""
    asked = {cast("str", question["id"]) for row in steps for question in row["questions"].values()}
    answered = {question for row in sent for question in row["answers"]}
    return frozenset(asked - answered - {question["id"] for question in task["rested_questions"]})


def _message(row: asyncpg.Record) -> ReadMessage:
    return ReadMessage(
        row["id"],
        row["seq"],
        row["text"],
        tuple(row["answers"]),
        ATTACHMENTS.read(row["attachments"]),
    )


def _step(row: asyncpg.Record, results: tuple[ToolResult, ...]) -> RecordedStep:
    return RecordedStep(
        number=row["step"],
        state=StepState(row["state"]),
        text=row["text"],
        response=row["response"],
        calls=CALLS.read(row["calls"]),
        results=results,
        questions=tuple((call, cast("str", asked["id"])) for call, asked in row["questions"].items()),
        error=row["error_code"],
        refused=row["refused"],
    )
