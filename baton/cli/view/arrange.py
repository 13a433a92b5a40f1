"""A plan's tasks in the order of a tree."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from baton.cli.view.task import TaskView

_DEEPEST_GUIDE: Final = 24  #: cells; below that the tree grows no further to the right


def arranged(tasks: Sequence[TaskView]) -> list[tuple[str, TaskView]]:
    """The tasks, each with its guide ("├─ ", "│  └─ ", …): a task hangs from the deepest of those that it depends on.

    ``tasks`` come by position, and so do the branches of the tree. Walks without recursion: a plan may be a long chain.
    """
    depths = _depths(tasks)
    branches: dict[int | None, list[TaskView]] = {}
    for task in tasks:
        needs = [need for need in task.depends_on if need in depths]
        parent = max(needs, key=lambda need: (depths[need], need), default=None)
        branches.setdefault(parent, []).append(task)
    rows: list[tuple[str, TaskView]] = []
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


def _depths(tasks: Sequence[TaskView]) -> dict[int, int]:
    """How many tasks must be done one after the other before each, by position."""
    depths = {task.position: 0 for task in tasks}
    dependents: dict[int, list[int]] = {}
    open_needs: dict[int, int] = {}
    for task in tasks:
        needs = [need for need in task.depends_on if need in depths]
        open_needs[task.position] = len(needs)
        for need in needs:
            dependents.setdefault(need, []).append(task.position)
    ready = deque(position for position, count in open_needs.items() if not count)
    while ready:
        position = ready.popleft()
        for dependent in dependents.get(position, []):
            depths[dependent] = max(depths[dependent], depths[position] + 1)
            open_needs[dependent] -= 1
            if not open_needs[dependent]:
                ready.append(dependent)
    return depths
