"""Reading plans: YAML and JSON, as they go over the wire, with the line of what is wrong."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from baton.client.errors import Refused, UsageError
from baton.documents.document import read_plan
from baton.domain.errors import InvalidPlan
from baton.domain.plans import parse_plan

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_examples_are_plans(file: Path) -> None:
    plan = parse_plan(read_plan(str(file)).value)
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
    plan: dict[str, Any] = {
        "title": "T",
        "tasks": [{"id": 1, "title": "é\t\u2028", "description": "\n a: b\n", "dependencies": []}],
    }
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan, indent="\t"))
    assert read_plan(str(file)).value == plan
    file.write_text(json.dumps(plan, ensure_ascii=False))
    assert read_plan(str(file)).value == plan


def test_dates_stay_text(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("title: 2026-01-31\nwhen: 2026-01-31T10:00:00Z\n")
    assert read_plan(str(file)).value == {"title": "2026-01-31", "when": "2026-01-31T10:00:00Z"}


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
        ("title: T\nself: &a [*a]\n", r"line 2: an alias stands for something that it is a part of"),
        ("title: T\nself: &a {b: {c: *a}}\n", r"line 2: an alias stands for"),
        ("title: T\ntasks: *nowhere\n", "line 2: found undefined alias"),
        ("title: T\nwhen: !!timestamp 2026-01-31\n", "line 2: !!timestamp '2026-01-31' is nothing that JSON has"),
        ("title: T\nof: !!set {a, b}\n", "line 2: !!set is nothing that JSON has"),
        ("title: T\nof: !!binary aGVsbG8=\n", "line 2: !!binary 'aGVsbG8=' is nothing that JSON has"),
        ("title: T\nof: !!omap [a: b]\n", "line 2: !!omap is nothing"),
        ("title: T\nof: !!int 010\n", "line 2: !!int '010' is nothing"),
        ("title: T\nof: 1e999\n", "line 2: a number is not finite"),
        ("title: T\nof: 9223372036854775808\n", "line 2: a number is outside 64 bits"),
        (f"title: T\nof: {'9' * 10_000}\n", "line 2: a number is outside 64 bits"),
        ("title: T\n? [a]\n: b\n", "line 2: a key must be text"),
        ("title: T\n<<: [1]\n", "line 2: only an object can be merged"),
        ("title: T\n---\ntitle: U\n", "line 2: .*document"),
        ("title: T\nof: a\x07b\n", "line 2: the character .* may not stand in YAML"),
        ("[" * 5000, "nested too deeply"),
        ("{a: " * 5000, "nested too deeply|line 1"),
        ('{"title": "T", "title": "U"}', "'title' is given twice"),
        ('{"title": NaN}', "NaN is not a JSON number"),
        ('{"a":' * 100_000, "nested too deeply"),
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


def _bomb(width: int, levels: int) -> str:
    lines = ["a0: &a0 [" + ", ".join(["lol"] * width) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * width) + "]" for n in range(1, levels)]
    return "\n".join(lines)


def test_aliases_repeat_within_a_bound(tmp_path: Path) -> None:
    file = tmp_path / "bomb.yaml"
    file.write_text(_bomb(9, 10))
    began = time.process_time()
    with pytest.raises(UsageError, match=r"line \d+: aliases repeat more than 10000 values"):
        read_plan(str(file))
    assert time.process_time() - began < 2
    file.write_text("\n".join(f"a{n}: &a{n} [{f'*a{n - 1}' if n else ''}]" for n in range(3000)))
    with pytest.raises(UsageError, match=r"aliases repeat|nested too deeply"):
        read_plan(str(file))


def test_aliases_and_merges_within_it_are_what_they_stand_for(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(
        "base: &base {a: 1, b: [x]}\nmore: {<<: *base, b: 2}\ntwo: {<<: [{c: 3, a: 4}, *base]}\nagain: *base\n"
    )
    assert read_plan(str(file)).value == {
        "base": {"a": 1, "b": ["x"]},
        "more": {"a": 1, "b": 2},
        "two": {"c": 3, "a": 4, "b": ["x"]},
        "again": {"a": 1, "b": ["x"]},
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("10", 10),
        ("-3", -3),
        ("2.4", 2.4),
        ("1e3", 1000.0),
        ("010", "010"),
        ("0o10", "0o10"),
        ("0x1F", "0x1F"),
        ("0b1", "0b1"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("+1", "+1"),
        (".5", ".5"),
        (".inf", ".inf"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'2.4'", "2.4"),
        ("!!str 2.4", "2.4"),
        ("!!float 2", 2.0),
        ("2026-01-31", "2026-01-31"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_scalars_are_those_of_json(tmp_path: Path, written: str, value: object) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(f"of: {written}\n")
    read = read_plan(str(file)).value["of"]
    assert (read, type(read)) == (value, type(value))


def test_keys_are_text_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("1: a\n010: b\ntrue: c\n")
    assert read_plan(str(file)).value == {"1": "a", "010": "b", "true": "c"}


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("title: T\ntitle: U\nof: !!set {a}\nself: &a [*a]\n")
    with pytest.raises(UsageError) as refused:
        read_plan(str(file))
    assert refused.value.message.splitlines() == [
        f"{file}, line 2: 'title' is given twice",
        f"{file}, line 3: !!set is nothing that JSON has",
        f"{file}, line 4: an alias stands for something that it is a part of",
    ]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    for name, text in (("a.yaml", "title: T\n"), ("b.json", '{"title": "T"}'), ("c.txt", '{"title": "T"}')):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert read_plan(str(tmp_path / name)).value == {"title": "T"}


@pytest.mark.parametrize("name", ["plan.yaml", "plan.json", "tabs.json"])
def test_what_the_server_refuses_is_told_with_its_lines(tmp_path: Path, name: str) -> None:
    plan = {"title": "T", "tasks": [{"id": 1, "title": 2.4, "description": "x"}, {"id": 2, "depend_on": [1]}]}
    file = tmp_path / name
    text = {"plan.yaml": yaml.safe_dump(plan, sort_keys=False), "plan.json": json.dumps(plan, indent=1)}
    file.write_text(text.get(name) or json.dumps(plan, indent="\t"))
    document = read_plan(str(file))
    with pytest.raises(InvalidPlan) as invalid:
        parse_plan(document.value)
    problems = [{"where": [*one.where], "message": one.message} for one in (invalid.value, *invalid.value.others)]
    with pytest.raises(Refused) as refused, document.located("body", "plan"):
        raise Refused(422, {"detail": invalid.value.message, "problems": problems})
    if name == "tabs.json":  # which is no YAML: the words must do
        assert refused.value.message.startswith("task 2 has an unknown key 'depend_on'; did you mean 'depends_on'?; ")
        return
    lines = {line.strip().split(":")[0].strip('- "'): n for n, line in enumerate(file.read_text().splitlines(), 1)}
    task = next(n for n, line in enumerate(file.read_text().splitlines(), 1) if "id" in line and "2" in line)
    assert refused.value.message.splitlines() == [
        f"{file}, line {lines['depend_on']}: task 2 has an unknown key 'depend_on'; did you mean 'depends_on'?",
        f'{file}, line {4 if name == "plan.yaml" else 6}: task 1: title must be text, not a number: write "2.4"',
        f"{file}, line {task if name == 'plan.yaml' else task - 1}: task 2 has no title",
    ]
    other = Refused(
        422, {"detail": "no such agent", "problems": [{"where": ["body", "agent"], "message": "no such agent"}]}
    )
    with pytest.raises(Refused, match=r"^no such agent$"), document.located("body", "plan"):
        raise other
