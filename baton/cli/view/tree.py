"""The tasks of an execution as a tree, with their states, and what is being said right now."""

from collections import Counter
from datetime import datetime

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from baton.cli.view.arrange import arranged
from baton.cli.view.texts import mark_of, since
from baton.client.board import Board
from baton.client.board_task import BoardTask
from baton.domain.states import TaskState
from baton.runtime.terminal import harmless, one_line

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MOST_TAIL_LINES = 6
_LIVELINESS = {TaskState.WAITING: 0, TaskState.RUNNING: 1, TaskState.PAUSED: 2}


def tree_lines(
    board: Board, console: Console, *, height: int, now: datetime, tick: int, only: int | None = None
) -> list[Text]:
    """The execution's title and its tasks, in at most ``height`` lines no wider than the console.

    A running task shows the end of what it is saying, as far as there is room. Where the tasks do not fit, those that
    nothing happens to are only counted. ``now`` is the server's time, ``tick`` moves the spinners,
    ``only`` is the position of the one task to show.
    """
    width = console.width
    rows = [(guide, task) for guide, task in arranged(list(board.tasks.values())) if only in (None, task.position)]
    lines = [_headline(board, width, now, tick)]
    if len(rows) > height - len(lines):
        rows, left_out = _lively(rows, height - len(lines) - 1)
        lines.append(left_out)
    room = height - len(lines) - len(rows)
    speaking = [task for _, task in rows if task.state is TaskState.RUNNING and task.saying]
    tail = min(_MOST_TAIL_LINES, room // len(speaking)) if speaking else 0
    for guide, task in rows:
        lines.append(_task_line(board, guide, task, width, now, tick))
        if tail and task in speaking:
            below = guide.replace("├─ ", "│  ").replace("└─ ", "   ")
            lines += _tail_lines(task, below, width, tail, console)
    for line in lines:
        line.truncate(width - 1, overflow="ellipsis")
    return lines


def _headline(board: Board, width: int, now: datetime, tick: int) -> Text:
    mark, style = mark_of(board.state)
    if board.state == "running":
        mark = _spinner(tick)
    left = Text.assemble((f"{mark} ", style), (one_line(board.title), "bold"))
    return _with_right(
        left, Text.assemble((str(board.state), style), "  ", (since(board.started_at, now), "dim")), width
    )


def _task_line(board: Board, guide: str, task: BoardTask, width: int, now: datetime, tick: int) -> Text:
    mark, style = mark_of(task.state)
    if task.state is TaskState.RUNNING:
        mark = _spinner(tick + task.position)
    title_style = "dim" if task.state in (TaskState.PENDING, TaskState.CANCELLED) else ""
    name = f"{task.position} {one_line(task.title)}" if board.is_plan else one_line(task.title)
    agent = f" · {one_line(task.agent)}" if task.agent else ""
    left = Text.assemble((f"  {guide}", "dim"), (f"{mark} ", style), (name, title_style), (agent, "dim"))
    return _with_right(left, _remark(board, task, now), width)


def _remark(board: Board, task: BoardTask, now: datetime) -> Text:
    style = mark_of(task.state)[1]
    match task.state:
        case TaskState.PENDING:
            waits_for = [t.position for t in board.tasks.values() if t.position in task.depends_on and not _done(t)]
            return Text("after " + ", ".join(str(position) for position in waits_for) if waits_for else "", style)
        case TaskState.WAITING:
            return Text.assemble(("asks", style), "  ", (since(task.waiting_since, now), "dim"))
        case TaskState.RUNNING:
            queued = f"{len(task.queued)} queued  " if task.queued else ""
            return Text.assemble((queued, "magenta"), (since(task.started_at, now), "dim"))
        case TaskState.PAUSED:
            return Text("paused", style)
        case _:
            why = task.error or ("" if task.state is TaskState.SUCCEEDED else str(task.state))
            return Text.assemble((why, style), "  " if why else "", (since(task.started_at, task.ended_at), "dim"))


def _done(task: BoardTask) -> bool:
    return task.state is TaskState.SUCCEEDED


def _with_right(left: Text, right: Text, width: int) -> Text:
    """``right`` at the right edge; ``left`` gives way."""
    room = max(width - 1 - right.cell_len - 2, 4)
    left.truncate(room, overflow="ellipsis")
    return Text.assemble(left, " " * max(width - 1 - left.cell_len - right.cell_len, 1), right)


def _tail_lines(task: BoardTask, guide: str, width: int, most: int, console: Console) -> list[Text]:
    room = max(width - 1 - 2 - cell_len(guide) - 4, 8)
    # No more than what can be seen is wrapped, however much was streamed.
    said = Text(harmless(task.saying[-room * most :]))
    wrapped = said.wrap(console, room)[-most:]
    return [Text.assemble((f"  {guide}  │ ", "dim"), (line.plain.rstrip(), "dim italic")) for line in wrapped]


def _lively(rows: list[tuple[str, BoardTask]], most: int) -> tuple[list[tuple[str, BoardTask]], Text]:
    """The tasks that something happens to, without guides, and a line that counts all others."""
    lively = sorted((task for _, task in rows if task.state in _LIVELINESS), key=lambda task: _LIVELINESS[task.state])
    shown = lively[: max(most, 0)]
    others = Counter(str(task.state) for _, task in rows if task not in shown)
    counted = ", ".join(f"{count} {state}" for state, count in others.items())
    return [("", task) for task in shown], Text(
        f"  {len(shown)} of {len(rows)} tasks; the others: {counted}", style="dim"
    )


def _spinner(tick: int) -> str:
    return _SPINNER[tick % len(_SPINNER)]
