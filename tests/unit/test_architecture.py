"""Does the code keep to the rules that import-linter cannot hold?"""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.source import parsed

_ROOT: Final = Path(__file__).resolve().parents[2]
#: What runs in the processes of the API and the worker, but for what a workflow does: that waits in its own way.
_SERVING: Final = ("api", "activities", "baton/service", "baton/store", "baton/runtime", "worker.py")


#: What is shipped.
_PRODUCT: Final = ("api", "activities", "workflows", "baton", "worker.py")
#: Parts of libraries that are not called private and not documented either.
_UNDOCUMENTED: Final = ("fastapi.dependencies", "temporalio.bridge", "uvicorn.protocols", "uvicorn.server")
_PRIVATE: Final = re.compile(r"_(?!_)\w+")
#: Where published APIs fixed the names of classes, each for itself.
_PUBLISHED: Final = re.compile(r"(api/dialects/\w+/(schemas|shapes)|baton/client/schemas/\w+)\.py")
#: What the wheel puts beside each other: the names that Baton takes from an application.
_TOP_LEVEL: Final = {"baton", "api", "workflows", "activities", "worker"}


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((_ROOT / "pyproject.toml").read_text())


def modules(*places: str) -> Iterator[tuple[str, ast.Module]]:
    """The modules below these files and folders of the checkout: where they are, parsed."""
    for place in places:
        path = _ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            yield file.relative_to(_ROOT).as_posix(), parsed(file)


def imported(module: ast.Module) -> set[str]:
    """The modules that a module imports, anywhere in it; for `from a import b` both `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_the_wheel_takes_five_names_and_no_more(pyproject: dict[str, Any]) -> None:
    included = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert {Path(name).stem for name in included} == _TOP_LEVEL
    assert all((_ROOT / name).exists() for name in included)


def test_the_worker_imports_nothing_of_a_layer_above(pyproject: dict[str, Any]) -> None:
    """It stands beside the API. import-linter knows packages alone, and the worker is a module."""
    (layers,) = (c["layers"] for c in pyproject["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    above = {"tests", *layers[: layers.index("api") + 1]}
    assert above >= {"bench", "baton.cli", "baton.localstack", "api"}
    ((_, worker),) = modules("worker.py")
    assert {name for name in imported(worker) if any(_within(name, layer) for layer in above)} == set()


def test_nothing_but_the_command_line_imports_the_worker() -> None:
    importing = [
        name for name, module in modules("api", "activities", "workflows", "baton") if "worker" in imported(module)
    ]
    assert [name for name in importing if not name.startswith("baton/cli/")] == []


def test_logging_is_set_up_in_one_place() -> None:
    setting_up = {
        name
        for name, module in modules(*_PRODUCT)
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and node.attr in ("basicConfig", "dictConfig", "addHandler", "setLevel")
    }
    assert setting_up == {"baton/runtime/logging.py"}


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


def test_private_parts_of_libraries_are_listed_and_bound(pyproject: dict[str, Any]) -> None:
    decision = (_ROOT / "docs/adr/0017-private-parts-of-libraries.md").read_text()
    rows: list[tuple[str, str]] = re.findall(r"^\| (\S+) \| (`.+?) \|", decision, re.MULTILINE)
    listed = {part for _, parts in rows for part in re.findall(r"`(.+?)`", parts)}
    product = [module for _, module in modules(*_PRODUCT)]
    ours = {name for module in product for name in _defined(module)}
    assert {part for module in product for part in _private_parts(module, ours)} == listed
    needed = {re.split(r"[\[<>=]", need)[0]: need for need in pyproject["project"]["dependencies"]}
    assert [library for library, _ in rows if "<" not in needed[library]] == []


def _defined(module: ast.Module) -> Iterator[str]:
    """The names that a module gives to anything, also to attributes."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def _private_parts(module: ast.Module, ours: set[str]) -> Iterator[str]:
    """What a module uses of libraries that is theirs alone: modules, what is imported from them, `.attributes`, and
    modules that are named as text."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_private(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module:
            if any(_within(node.module, package) for package in _UNDOCUMENTED):
                yield node.module
            yield from (n for a in node.names if _is_private(n := f"{node.module}.{a.name}"))
        elif isinstance(node, ast.Attribute) and _PRIVATE.fullmatch(node.attr) and node.attr not in ours:
            if not (isinstance(node.value, ast.Name) and node.value.id in sys.stdlib_module_names):
                yield f".{node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_private(node.value):
            yield node.value


def _is_private(name: str) -> bool:
    """Whether it is the dotted name of something private of a library, in a package that is not the standard one's."""
    first, *rest = name.split(".")
    return (
        bool(rest)
        and all(part.isidentifier() for part in (first, *rest))
        and any(_PRIVATE.fullmatch(part) for part in rest)
        and first not in (_TOP_LEVEL | sys.stdlib_module_names)
    )


def _types(module: ast.Module) -> Iterator[tuple[str, str]]:
    """The types that a module defines for others: their names, and what an alias stands for ("" for a class)."""
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            name, meaning = node.name, ""
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias" and node.value:
            name, meaning = ast.unparse(node.target), ast.unparse(node.value)
        else:
            continue
        if not name.startswith("_"):
            yield name, meaning


def test_a_name_of_a_type_means_one_thing() -> None:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for place, module in modules(*_PRODUCT, "bench"):
        if not _PUBLISHED.fullmatch(place):
            for name, meaning in _types(module):
                found[name][place] = meaning or place
    assert len(found) > 400
    assert {name: [*places] for name, places in found.items() if len(set(places.values())) > 1} == {}


def test_no_schema_of_our_own_api_is_called_like_something_else() -> None:
    ours = {name for _, module in modules("baton/client/schemas") for name, _ in _types(module)}
    rest = {
        name
        for place, module in modules(*_PRODUCT, "bench")
        if not _PUBLISHED.fullmatch(place)
        for name, _ in _types(module)
    }
    assert ours & rest == set()
