"""Does the code keep to the rules that import-linter cannot hold?"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
#: What runs in the processes of the API and the worker, but for what a workflow does: that waits in its own way.
_SERVING: Final = ("api", "activities", "baton/service", "baton/store", "baton/runtime", "worker.py")


def modules(*places: str) -> Iterator[tuple[str, ast.Module]]:
    """The modules below these files and folders of the checkout: where they are, parsed."""
    for place in places:
        path = _ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            yield file.relative_to(_ROOT).as_posix(), ast.parse(file.read_text())


def test_background_work_has_one_loop() -> None:
    endless = [
        name
        for name, module in modules(*_SERVING)
        for node in ast.walk(module)
        if isinstance(node, ast.AsyncFunctionDef) and any(_is_endless(inner) for inner in ast.walk(node))
    ]
    assert endless == [], "use baton.runtime.loop.Loop"


def _is_endless(node: ast.AST) -> bool:
    """Whether it is a `while True` in which time passes."""
    return (
        isinstance(node, ast.While)
        and isinstance(node.test, ast.Constant)
        and any(
            isinstance(inner, ast.Call)
            and isinstance(inner.func, ast.Attribute)
            and inner.func.attr in ("sleep", "wait", "wait_for")
            for inner in ast.walk(node)
        )
    )
