"""Is what a caller may see decided in one place, and by all who read or change something for a caller?

These read the product's source: a function that forgets to look fails here, not in an audit.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.source import parsed

ROOT: Final = Path(__file__).parents[2]
SERVICE: Final = ROOT / "baton/service"
VISIBILITY: Final = SERVICE / "visibility.py"
#: What names something that a caller may not see.
NAMES: Final = {
    "UUID",
    "AgentReference",
    "Addressee",
    "ApprovalId",
    "ArtifactId",
    "ErrandId",
    "ExecutionId",
    "MessageId",
    "TaskAddress",
    "TaskById",
    "TaskId",
}
#: What only `baton.service.visibility` makes.
SEEN: Final = {"SeenTask", "SeenExecution", "SeenPart"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def product() -> Iterator[tuple[Path, ast.Module]]:
    """The modules of the product."""
    for room in ("api", "activities", "workflows", "baton"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path, parsed(path)


def functions(tree: ast.Module) -> Iterator[Function]:
    """All functions, methods too."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def mentioned(annotation: ast.expr | None) -> set[str]:
    """The names that an annotation mentions."""
    return set() if annotation is None else {n.id for n in ast.walk(annotation) if isinstance(n, ast.Name)}


def called(node: ast.AST) -> str:
    """What a call calls, by its last name; "" for what is no call."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def parameters(function: Function) -> dict[str, set[str]]:
    """A function's parameters, with the names that their annotations mention."""
    given = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return {one.arg: mentioned(one.annotation) for one in given}


def for_a_caller(function: Function) -> dict[str, set[str]]:
    """The parameters by which a function is told, for a caller, what is meant; none for other functions.

    What is to be called with what was found names nothing.
    """
    given = parameters(function)
    if not any("Principal" in kinds for kinds in given.values()):
        return {}
    return {name: kinds for name, kinds in given.items() if kinds & NAMES and "Callable" not in kinds}


def unlooked(tree: ast.Module, finders: set[str]) -> Iterator[str]:
    """What is wrong with a module of `baton.service`: names that a caller gave, used without looking them up."""
    for function in functions(tree):
        for name, kinds in for_a_caller(function).items():
            looked = [node for node in ast.walk(function) if called(node) in finders]
            if not looked:
                yield f"{function.name} looks nothing up"
            is_one = not kinds & {"Sequence", "Collection", "list", "tuple", "dict"}
            inside = {id(node) for call in looked for node in ast.walk(call)}
            harmless = ("isinstance", "keyed")  # the second makes a digest of what was asked for
            inside |= {id(n) for node in ast.walk(function) if called(node) in harmless for n in ast.walk(node)}
            inside |= {id(n) for n in ast.walk(function) if isinstance(n, ast.Compare) for n in ast.walk(n)}
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and node.id == name and is_one and id(node) not in inside:
                    yield f"{function.name} uses {name} (line {node.lineno}) without looking it up"


@cache
def finders() -> set[str]:
    """What looks up what a caller names: the functions of `baton.service.visibility`, and those that rely on them."""
    trees = [parsed(path) for path in SERVICE.glob("*.py")]
    own = {f.name for f in functions(parsed(VISIBILITY)) if f.name.startswith("find_")}
    return own | {f.name for tree in trees for f in functions(tree) if for_a_caller(f)}


@pytest.mark.parametrize("path", sorted(set(SERVICE.glob("*.py")) - {VISIBILITY}), ids=lambda path: path.stem)
def test_what_a_caller_names_is_looked_up(path: Path) -> None:
    assert list(unlooked(parsed(path), finders())) == []


def test_only_visibility_makes_what_was_seen() -> None:
    made = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in product()
        if path != VISIBILITY
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) in SEEN
    ]
    assert made == []


@pytest.mark.parametrize(
    "source",
    [
        "async def f(baton, who: Principal, task_id: TaskId): return await store.task(who.tenant_id, task_id)",
        "async def f(baton, who: Principal, task_id: TaskId): await find_task(who, 1); await store.task(task_id)",
        "async def f(baton, who: Principal, ids: Sequence[ApprovalId]): return [await store.get(one) for one in ids]",
        "async def f(baton, who: Principal, task: TaskAddress | None): return task",
    ],
)
def test_the_check_sees_who_does_not_look(source: str) -> None:
    assert list(unlooked(ast.parse(source), {"find_task"}))


def test_the_check_lets_pass_who_looks() -> None:
    source = """
async def f(baton, who: Principal, task_id: TaskId, ids: Sequence[ApprovalId]):
    seen = await find_task(baton, who, TaskById(task_id))
    return await store.task(seen.tenant_id, seen.id, [one for one in ids])
"""
    assert list(unlooked(ast.parse(source), {"find_task"})) == []


def test_only_visibility_asks_which_agent_a_key_is_for() -> None:
    """All others hand a caller's bounds on as one value, of which no part can be forgotten."""
    asked = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in product()
        if path.is_relative_to(SERVICE) and path != VISIBILITY
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("agent_id", "agent_number")
        if isinstance(node.value, ast.Name) and node.value.id == "who"
    ]
    assert asked == []


def test_no_query_takes_an_agent_that_may_be_left_out() -> None:
    """What restricts a query to an agent's rows comes with the tenant, in `Bounds`."""
    optional = [
        f"{path.relative_to(ROOT)}:{function.lineno}"
        for path, tree in product()
        if path.is_relative_to(ROOT / "baton/store")
        for function in functions(tree)
        for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if argument.arg == "agent_id" and default is not None
    ]
    assert optional == []
