"""Do the files, functions and tests exist that the documentation names?"""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "docs/adr/*.md", "docs/runbooks/*.md", "deploy/*.md", "examples/*.md")
    for page in _ROOT.glob(pattern)
)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
_FOLDERS = "activities|api|baton|bench|deploy|docs|examples|tests|workflows"
#: `folder/file`, `folder/file.py:Class.method` or `folder/sql/file.sql:query`.
_FILE = re.compile(rf"(?<![\w/.~])((?:{_FOLDERS})/[\w./-]*|worker\.py|Makefile|pyproject\.toml)(?::([\w.]+))?")
#: `baton.domain.messages.Draft`. Not `baton.tools`, the entry point group.
_NAME = re.compile(r"(?:activities|api|baton|workflows)(?:\.\w+)+")
_ENTRY_POINTS = "baton.tools"
#: What programs write there.
_WRITTEN = {"bench/results/"}


def _ids(page: Path) -> str:
    return str(page.relative_to(_ROOT))


def _code(page: Path) -> Iterator[str]:
    """What a page has between backticks, without its blocks."""
    return (found[1] for found in _CODE.finditer(_FENCE.sub("", page.read_text())))


def _tables_of_files(page: Path) -> Iterator[str]:
    """Paths in a page's blocks that are trees of files: `folder/` at the start of a line, then its children."""
    for block in _FENCE.finditer(page.read_text()):
        parent = ""
        for line in block[0].splitlines()[1:-1]:
            if not (found := re.match(r"(  )?([\w.]+/?)(?:  |$)", line)):
                continue
            if found[1] is None:
                parent = found[2] if found[2].endswith("/") else ""
            if found[2].endswith(("/", ".py")):
                yield found[2] if found[1] is None else parent + found[2]


def _defines(file: Path, name: str) -> bool:
    """Whether a Python file defines a function, class or `Class.method`, or an SQL file has a query of that name."""
    text = file.read_text()
    if file.suffix == ".sql":
        return re.search(rf"^-- name: {re.escape(name)}$", text, re.MULTILINE) is not None
    body: list[ast.stmt] = ast.parse(text).body
    for part in name.split("."):
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == part:
                body = node.body
                break
        else:
            return False
    return True


def _exists(dotted: str) -> bool:
    """Whether a module, or something in one, has this name."""
    module, _, name = dotted.rpartition(".")
    try:
        importlib.import_module(dotted)
    except ModuleNotFoundError:
        return module != "" and hasattr(importlib.import_module(module), name)
    return True


@pytest.mark.parametrize("page", _PAGES, ids=_ids)
def test_files_and_functions_that_a_page_names_exist(page: Path) -> None:
    missing: list[str] = []
    for code in _code(page):
        for path, name in _FILE.findall(code):
            file = _ROOT / path
            if path in _WRITTEN:
                continue
            if not file.exists() or (name and not _defines(file, name)):
                missing.append(code)
    assert missing == []


@pytest.mark.parametrize("page", _PAGES, ids=_ids)
def test_python_names_on_a_page_exist(page: Path) -> None:
    names = [code for code in _code(page) if _NAME.fullmatch(code) and code != _ENTRY_POINTS]
    assert [name for name in names if not _exists(name)] == []


@pytest.mark.parametrize("page", _PAGES, ids=_ids)
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_pictures_are_small_and_each_is_on_a_page() -> None:
    pictures = list((_ROOT / "docs" / "pictures").iterdir())
    shown = {(page.parent / link).resolve() for page in _PAGES for link in _LINK.findall(page.read_text())}
    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > 120_000] == []
    assert [picture.name for picture in pictures if picture not in shown] == []


def test_the_tree_is_the_one_on_the_disk() -> None:
    told = list(_tables_of_files(_ROOT / "docs" / "architecture.md"))
    assert [path for path in told if not (_ROOT / path).exists()] == []
    rooms = {path for path in told if path.startswith("baton/") and path != "baton/"}
    packages = {f"baton/{file.parent.name}/" for file in (_ROOT / "baton").glob("*/__init__.py")}
    assert packages <= rooms, "a package that the page leaves out"
    assert {"api/", "workflows/", "activities/", "worker.py"} <= set(told)


def test_what_pip_shows_of_the_licence_is_what_is_in_the_file() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE"]
    assert "Apache License" in (_ROOT / "LICENSE").read_text()


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("baton/store/changes.py", "Change.end_turn", True),
        ("baton/store/changes.py", "Change.nothing", False),
        ("baton/store/changes.py", "end_turn", False),
        ("baton/store/sql/messages.sql", "send_message", True),
        ("baton/store/sql/messages.sql", "send_messages", False),
    ],
)
def test_what_is_not_there_would_be_noticed(path: str, name: str, expected: bool) -> None:
    assert _defines(_ROOT / path, name) is expected
