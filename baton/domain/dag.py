"""How a plan advances: which tasks start, fail or go back, decided from all their states."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

from baton.domain.states import TaskState

#: Why a task failed that never had a turn.
DEPENDENCY_FAILED = "dependency_failed"


@dataclass(frozen=True, slots=True)
class Node:
    """A task of a plan: its integer, its state, and the integers of the tasks that it needs."""

    position: int
    state: TaskState
    depends_on: tuple[int, ...]
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """What changes, by the tasks' integers, each list in the plan's order."""

    start: tuple[int, ...] = ()
    fail: tuple[int, ...] = ()
    reset: tuple[int, ...] = ()


def advance(nodes: Sequence[Node]) -> Advance:
    """Decide how a plan advances.

    A pending task starts when all that it needs has succeeded, and fails when any of that has failed or was cancelled,
    and so do those that need it. One that failed so goes back when that is not so any more.
    """
    now = {node.position: node for node in nodes}
    for position in TopologicalSorter({node.position: node.depends_on for node in nodes}).static_order():
        node = now[position]
        needed = [now[other].state for other in node.depends_on]
        while (state := _next(node, needed)) is not node.state:  # one that goes back may start at once
            node = replace(node, state=state, error_code=DEPENDENCY_FAILED if state is TaskState.FAILED else None)
        now[position] = node
    moved = [(node, now[node.position].state) for node in nodes if now[node.position].state is not node.state]
    return Advance(
        start=tuple(node.position for node, state in moved if state is TaskState.RUNNING),
        fail=tuple(node.position for node, state in moved if state is TaskState.FAILED),
        reset=tuple(node.position for node, state in moved if state is TaskState.PENDING),
    )


def _next(node: Node, needed: list[TaskState]) -> TaskState:
    broken = TaskState.FAILED in needed or TaskState.CANCELLED in needed
    if node.state is TaskState.PENDING:
        if broken:
            return TaskState.FAILED
        return TaskState.RUNNING if all(state is TaskState.SUCCEEDED for state in needed) else TaskState.PENDING
    if node.state is TaskState.FAILED and node.error_code == DEPENDENCY_FAILED and not broken:
        return TaskState.PENDING
    return node.state
