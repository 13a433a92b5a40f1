"""A plan's tasks in the order of a tree."""

from collections.abc import Sequence
from graphlib import TopologicalSorter
from typing import Final

from baton.client.board_task import BoardTask

_DEEPEST_GUIDE: Final = 24  #: cells; below that the tree grows no further to the right


def arranged(tasks: Sequence[BoardTask]) -> list[tuple[str, BoardTask]]:
    """The tasks, each with its guide ("├─ ", "│  └─ ", …): a task hangs from the deepest of those that it depends on.

    ``tasks`` come by position, and so do the branches of the tree. Walks without recursion: a plan may be a long chain.
    """
    depths = _depths(tasks)
    branches: dict[int | None, list[BoardTask]] = {}
    for task in tasks:
        needs = [need for need in task.depends_on if need in depths]
        parent = max(needs, key=lambda need: (depths[need], need), default=None)
        branches.setdefault(parent, []).append(task)
    rows: list[tuple[str, BoardTask]] = []
    pending = [(task, "", "") for task in reversed(branches.get(None, []))]
    while pending:
        task, guide, prefix = pending.pop()
        rows.append((guide, task))
        below = branches.get(task.position, [])
        for task_below in reversed(below):
            last = task_below is below[-1]
            deeper = prefix + ("   " if last else "│  ")
            guide_below = prefix + ("└─ " if last else "├─ ")
            pending.append((task_below, guide_below, deeper if len(deeper) <= _DEEPEST_GUIDE else prefix))
    return rows


def _depths(tasks: Sequence[BoardTask]) -> dict[int, int]:
    """How many tasks must be done one after the other before each, by position."""
    positions = {task.position for task in tasks}
    needs = {task.position: positions.intersection(task.depends_on) for task in tasks}
    depths: dict[int, int] = {}
    for position in TopologicalSorter(needs).static_order():
        depths[position] = max((depths[need] + 1 for need in needs[position]), default=0)
    return depths
