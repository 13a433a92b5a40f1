"""What a simple turn leaves in Temporal's history, early and late, with small messages and with large ones."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.report import Figure, Row
from bench.stack import BenchStack
from bench.targets import ASK, BenchTask, Caller, start_tasks, until_ended

_SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
_STARTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
_QUIET_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn's part of a history: from its signal up to the next."""

    events: int
    size_bytes: int


async def measure(stack: BenchStack, late: int) -> list[Row]:
    """Turn 5 and turn ``late`` with messages of 2 KiB, then one of 1 MiB."""
    (task,) = await start_tasks(stack, 1)
    caller = await Caller.open(stack)
    found: dict[str, _Turn] = {}
    for turn in range(2, late + 1):
        await _turn(stack, caller, task, 2 * 1024, quiet=turn in (4, 5, late - 1, late))
        if turn in (5, late):
            found[f"turn {turn}, 2 KiB"] = await _last_turn(stack, task)
    await _turn(stack, caller, task, 1024 * 1024 - 1024, quiet=True)
    found[f"turn {late + 1}, 1 MiB"] = await _last_turn(stack, task)
    caller.close()
    figures = [
        figure
        for name, turn in found.items()
        for figure in (Figure(name, turn.events, "events"), Figure(name, turn.size_bytes, "bytes"))
    ]
    turns: Sequence[_Turn] = tuple(found.values())
    most = max(turn.size_bytes for turn in turns)
    return [
        Row("history_events", "history per simple turn", max(t.events for t in turns), "events", 11, None, figures),
        Row("history_bytes", "history per simple turn", most, "bytes", 3000),
        Row(
            "history_growth",
            "the largest of these turns ÷ the smallest",
            most / min(t.size_bytes for t in turns),
            "×",
            1.05,
        ),
    ]


async def _turn(stack: BenchStack, caller: Caller, task: BenchTask, size_bytes: int, *, quiet: bool) -> None:
    text = f"{ASK}\n".ljust(size_bytes, "x")
    await until_ended(stack.marks, task, lambda: caller.send(task, text))
    if quiet:  # a signal that comes before the workflow has seen the turn's end would share its workflow task
        await asyncio.sleep(_QUIET_SECONDS)


async def _last_turn(stack: BenchStack, task: BenchTask) -> _Turn:
    history = await stack.client.get_workflow_handle(task.workflow).fetch_history()
    turn: list[HistoryEvent] = []
    for event in history.events:
        if event.event_type == _SIGNALED:
            turn = []
        turn.append(event)
    if any(event.event_type == _STARTED for event in turn):
        raise AssertionError("the workflow has just gone on in a new run: measure another turn")
    return _Turn(len(turn), sum(event.ByteSize() for event in turn))
