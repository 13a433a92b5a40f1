"""How an execution ended, as a table."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.view.board import Board
from cli.view.task import TaskView
from cli.view.texts import harmless, mark_of, one_line, since
from domain.states import TaskState

_MOST_RESULT_LINES = 6


def result_table(board: Board) -> RenderableType:
    """Every task with its state, how long it took and what came of it."""
    mark, style = mark_of(board.state)
    took = since(board.started_at, board.now)
    headline = Text.assemble((f"{mark} {one_line(board.title)}: {board.state}", f"bold {style}"), (f"  {took}", "dim"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=False)
    table.add_column("", justify="right", style="dim")
    table.add_column("Task", ratio=2, overflow="fold")
    table.add_column("State", no_wrap=True)
    table.add_column("Took", justify="right", no_wrap=True, style="dim")
    table.add_column("Result", ratio=3, overflow="fold")
    for task in board.tasks.values():
        mark, style = mark_of(task.state)
        table.add_row(
            str(task.position),
            one_line(task.title),
            Text(f"{mark} {task.state}", style=style),
            since(task.started_at, task.ended_at),
            _result(task),
        )
    return Group("", headline, "", table)


def _result(task: TaskView) -> Text:
    if task.error:
        return Text(task.error, style="red")
    if task.state is TaskState.WAITING:
        asked = "; ".join(one_line(question.text) for question in task.questions.values())
        return Text(f"asks: {asked}", style="yellow")
    lines = harmless(task.result or "").strip().splitlines()
    if len(lines) > _MOST_RESULT_LINES:
        lines = [*lines[: _MOST_RESULT_LINES - 1], f"… {len(lines) - _MOST_RESULT_LINES + 1} more lines"]
    return Text("\n".join(lines))
