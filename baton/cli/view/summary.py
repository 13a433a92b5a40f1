"""How an execution ended, as a table."""

from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from baton.cli.view.texts import mark_of, since, usage_line
from baton.client.board import Board
from baton.client.board_task import BoardTask
from baton.domain.states import TaskState
from baton.runtime.terminal import harmless, one_line

_MOST_RESULT_LINES: Final = 5


def result_table(board: Board) -> RenderableType:
    """Every task with its state, how long it took and what came of it."""
    mark, style = mark_of(board.state)
    took = since(board.started_at, board.now)
    headline = Text.assemble((f"{mark} {one_line(board.title)}: {board.state}", f"bold {style}"), (f"  {took}", "dim"))
    used = usage_line(board.used)
    lines = [headline, Text(f"  {used}", style="dim")] if used else [headline]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=False)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("Task", ratio=2, overflow="fold")
    table.add_column("Took", no_wrap=True)
    table.add_column("Result", ratio=5, overflow="fold")
    for task in board.tasks.values():
        mark, style = mark_of(task.state)
        took = Text.assemble((mark, style), " ", (since(task.started_at, task.ended_at), "dim"))
        table.add_row(str(task.position), one_line(task.title), took, _result(task))
    return Group("", *lines, "", table)


def _result(task: BoardTask) -> RenderableType:
    if task.state is TaskState.WAITING:
        asked = "; ".join(one_line(question.text) for question in task.questions.values())
        return Text(f"asks: {asked}", style="yellow")
    if task.state is not TaskState.SUCCEEDED:
        told = f"{task.state}: {one_line(task.error)}" if task.error else str(task.state)
        return Text(told, style=mark_of(task.state)[1])
    return _Beginning(harmless(task.result or "").strip(), _MOST_RESULT_LINES)


class _Beginning:
    """The first lines of a text; the last of them says how many are left out. Lines are counted as they are shown."""

    def __init__(self, text: str, most: int) -> None:
        self._text = Text(text)
        self._most = most

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = list(self._text.wrap(console, options.max_width))
        left_out = len(lines) - self._most + 1
        if left_out > 1:
            lines = [*lines[: self._most - 1], Text(f"… {left_out} more lines", style="dim")]
        yield Text("\n").join(lines)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._text)
