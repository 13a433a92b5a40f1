"""Plans for tests, in few words."""

from typing import Any


def plan(*tasks: str | tuple[str, list[int]], title: str = "A plan") -> dict[str, Any]:
    """A plan of tasks numbered from 1: the script of each, and what it depends on."""
    entries: list[tuple[str, list[int]]] = [(task, []) if isinstance(task, str) else task for task in tasks]
    return {
        "title": title,
        "tasks": [
            {"id": number, "title": f"Task {number}", "description": f"Do it.\n{script}", "dependencies": needs}
            for number, (script, needs) in enumerate(entries, start=1)
        ],
    }
