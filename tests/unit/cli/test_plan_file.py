"""Reading plans: YAML and JSON, as they go over the wire, with the line of what is wrong."""

import json
from pathlib import Path

import pytest

from baton.cli.plan_file import read_plan
from baton.client.errors import UsageError
from baton.domain.plans import parse_plan

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_examples_are_plans(file: Path) -> None:
    plan = parse_plan(read_plan(str(file)))
    assert plan.summary
    for task in plan.tasks:
        directives = [line for line in task.description.splitlines() if line.startswith("!")]
        assert directives, f"task {task.position} does nothing under the scripted model"
        assert not task.description.startswith("!"), f"task {task.position} says nothing to a real model"
        for line in directives:
            if line.startswith("!ask {"):
                assert json.loads(line.removeprefix("!ask "))["question"]


def test_there_are_enough_examples() -> None:
    assert len(EXAMPLES) >= 3


def test_json_is_read_as_it_is(tmp_path: Path) -> None:
    plan = {"title": "T", "tasks": [{"id": 1, "title": "é\t\u2028", "description": "\n a: b\n", "dependencies": []}]}
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan, indent="\t"))
    assert read_plan(str(file)) == plan
    file.write_text(json.dumps(plan, ensure_ascii=False))
    assert read_plan(str(file)) == plan


def test_dates_stay_text(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("title: 2026-01-31\nwhen: 2026-01-31T10:00:00Z\n")
    assert read_plan(str(file)) == {"title": "2026-01-31", "when": "2026-01-31T10:00:00Z"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title: T\ntasks: [", "line 2"),
        ("title: T\ntitle: U\n", "'title' is given twice"),
        ("- a\n- b\n", "holds no plan"),
        ("", "holds no plan"),
        ('{"title":\n "T",}', "line 2"),
        ('title: "\\0"', "NUL"),
        ('title: "\\ud800"', "surrogate"),
        ("title: !!python/object:os.system {}\n", "line 1"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=says):
        read_plan(str(file))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_plan(str(tmp_path / "none.yaml"))
    with pytest.raises(UsageError, match="directory"):
        read_plan(str(tmp_path))
    (tmp_path / "latin.yaml").write_bytes(b"title: Gr\xfc\xdfe\n")
    with pytest.raises(UsageError, match="UTF-8"):
        read_plan(str(tmp_path / "latin.yaml"))
