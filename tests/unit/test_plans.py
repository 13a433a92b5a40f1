"""Is a plan read as it was meant, and refused by name where it is no DAG?"""

import asyncio
import copy
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.plans import read_plan
from baton.domain.errors import InvalidPlan
from baton.domain.json import INT64_MAX, INT64_MIN, JsonObject, JsonValue
from baton.domain.plans import find_cycle, parse_plan


def task(number: Any, *needs: Any, **more: Any) -> dict[str, Any]:
    """A task as Kubiya writes it."""
    return {"id": number, "title": f"T{number}", "description": f"do {number}", "dependencies": list(needs)} | more


def plan(*tasks: Any, **more: Any) -> dict[str, Any]:
    """A plan of one team."""
    return {"title": "P", "summary": "S", "team_breakdown": [{"team_name": "A", "tasks": list(tasks)}]} | more


def test_kubiyas_plan_is_read_bare_and_wrapped() -> None:
    given = plan(task(1), task(2, 1, details="one\ntwo"))
    forms: list[dict[str, Any]] = [given, {"plan": given}]
    for form in forms:
        read = parse_plan(copy.deepcopy(form))
        assert (read.title, read.summary, read.source) == ("P", "S", given)
        assert [(t.position, t.title, t.depends_on) for t in read.tasks] == [(1, "T1", ()), (2, "T2", (1,))]
        assert read.tasks[1].description == "do 2\n\none\ntwo"


def test_the_tasks_of_all_teams_count() -> None:
    given: dict[str, Any] = {
        "title": "P",
        "team_breakdown": [{"tasks": [task(1)]}, {"team_name": "empty"}, {"tasks": [task(7, 1)]}],
    }
    assert [t.position for t in parse_plan(given).tasks] == [1, 7]


def test_the_plain_form_of_files() -> None:
    given: dict[str, Any] = {
        "title": "P",
        "tasks": [{"id": 1, "title": "a", "description": "x"}, task(2) | {"depends_on": [1]}],
    }
    assert [t.depends_on for t in parse_plan(given).tasks] == [(), (1,)]


def test_lines_reach_the_agent_unchanged() -> None:
    text = "  !say  hi \n\n\t!ask Which?\n"
    read = parse_plan(plan(task(1, description=text, details=["  - a", "- b  "])))
    assert read.tasks[0].description == text + "\n\n" + "  - a\n- b  "


def test_a_task_may_name_its_agent() -> None:
    read = parse_plan(plan(task(1), task(2, agent="writer"), task(3, agent=7), task(4, agent="7"), task(5, agent=None)))
    named = [one.agent for one in read.tasks]
    assert [one and one.reference for one in named] == [None, "writer", 7, 7, None]
    assert named[1] is not None
    assert named[1].where == ("body", "plan", "team_breakdown", 0, "tasks", 1, "agent")
    assert read.only_agent is None
    assert parse_plan(plan(task(1, agent="7"), task(2, agent=7))).only_agent == 7
    assert parse_plan(plan(task(1), task(2))).only_agent is None
    for wrong in ("", "  ", True, 1.5, ["a"], {"name": "a"}, "\x00"):
        with pytest.raises(InvalidPlan) as refused:
            parse_plan(plan(task(1), task(2, agent=wrong)))
        assert (refused.value.task, refused.value.where[-3:]) == (2, ("tasks", 1, "agent"))


def test_limits_of_a_plan_and_of_its_tasks() -> None:
    tasks = [{"id": 1, "title": "a", "description": "b", "limits": {"max_calls_per_turn": 3}}]
    forms: list[dict[str, Any]] = [
        plan(task(1, limits={"max_calls_per_turn": 3}), limits={"max_usd": 1.5}),
        {"tasks": tasks},
    ]
    for form in forms:
        read = parse_plan(form)
        assert read.limits == ({"max_usd": 1.5} if "limits" in form else {})
        assert read.tasks[0].limits == {"max_calls_per_turn": 3}
        assert read.warnings == ()


def test_a_plan_without_a_title_takes_its_first_tasks() -> None:
    assert parse_plan({"tasks": [task(3)]}).title == "T3"


def test_a_dependency_named_twice_counts_once() -> None:
    assert parse_plan(plan(task(1), task(2, 1, 1, depends_on=[1]))).tasks[1].depends_on == (1,)


@pytest.mark.parametrize(
    ("given", "says", "names"),
    [
        (plan(), "no tasks", None),
        ({"title": "P"}, "no tasks", None),
        ([], "must be an object", None),
        (None, "must be an object", None),
        (plan(task(1, 2)), "depends on task 2, which is not in the plan", 1),
        (plan(task(1, 1)), "task 1 depends on itself", 1),
        (plan(task(1, 3), task(2, 1), task(3, 2)), "1 → 3 → 2 → 1", 1),
        (plan(task(4), task(1, 2), task(2, 1)), "1 → 2 → 1", 1),
        (plan(task(1), task(1)), "two tasks have the id 1", 1),
        (plan(task("1")), "must be an integer", None),
        (plan(task(1.0)), "must be an integer", None),
        (plan(task(True)), "must be an integer", None),
        (plan(task(None)), "must be an integer", None),
        (plan({"title": "a", "description": "b"}), "has no id", None),
        (plan(task(INT64_MAX + 1)), "outside 64 bits", None),
        (plan(task(INT64_MIN - 1)), "outside 64 bits", None),
        (plan(task(1), task(2, "1")), "task 2: a dependency must be an integer", 2),
        (plan(task(1), task(2, 2**64)), "task 2: a dependency is outside 64 bits", 2),
        (plan(task(1, dependencies="1")), "task 1: dependencies must be a list", 1),
        (plan(task(1, title="")), "task 1 has no title", 1),
        (plan(task(1, title=None)), "task 1 has no title", 1),
        (plan(task(5, description=" \n ")), "task 5 has no description", 5),
        (plan({"id": 5, "title": "a"}), "task 5 has no description", 5),
        (plan(task(1, details=7)), "task 1: details must be text", 1),
        (plan(task(1, details=["a", 7])), "task 1: details must be text", 1),
        (plan(task(1, title="a\x00")), "task 1: text contains NUL", 1),
        (plan(task(1, description="a\ud800")), "task 1: text contains a lone surrogate", 1),
        (plan(task(1, details="a\x00")), "task 1: text contains NUL", 1),
        (plan(task(1), title=5), "title must be text", None),
        (plan(task(1), title="a\x00"), "NUL", None),
        (plan(task(1), extra={"deep": ["\x00"]}), "NUL", None),
        (plan(task(1), extra=2**70), "outside 64 bits", None),
        ({"team_breakdown": {}}, "must be a list", None),
        ({"team_breakdown": [7]}, "must be an object", None),
        ({"tasks": [7]}, "the task at index 0 must be an object", None),
        (plan(task(1), limits=7), "the plan: limits must be an object", None),
        (plan(task(1), limits={"max_calls_per_turn": 1}), "a plan's limit must be one of", None),
        (plan(task(1, limits={"max_luck": 1})), "task 1: a limit must be one of", 1),
        (plan(task(1, limits={"max_usd": -1})), "task 1: max_usd must be a positive number", 1),
    ],
)
def test_what_is_no_plan_is_refused_by_name(given: Any, says: str, names: int | None) -> None:
    with pytest.raises(InvalidPlan) as refused:
        parse_plan(given)
    assert says in refused.value.message
    assert refused.value.task == names
    assert refused.value.where[0] == "body"


def test_the_error_says_where() -> None:
    with pytest.raises(InvalidPlan) as refused:
        parse_plan({"plan": {"team_breakdown": [{"tasks": []}, {"tasks": [task(1), task(2, 9)]}]}})
    assert refused.value.where == ("body", "plan", "plan", "team_breakdown", 1, "tasks", 1, "dependencies")


def test_a_long_chain_needs_no_deep_stack() -> None:
    length = 20_000
    chain = [task(n, *([n - 1] if n else [])) for n in range(length)]
    assert len(parse_plan(plan(*chain)).tasks) == length
    chain[0]["dependencies"] = [length - 1]
    with pytest.raises(InvalidPlan, match="depend on one another"):
        parse_plan(plan(*chain))


@st.composite
def graphs(draw: st.DrawFn) -> dict[int, tuple[int, ...]]:
    """Any graph over a few tasks, cycles and all."""
    nodes = draw(st.lists(st.integers(INT64_MIN, INT64_MAX), min_size=1, max_size=8, unique=True))
    return {node: tuple(draw(st.lists(st.sampled_from(nodes), max_size=4, unique=True))) for node in nodes}


def has_cycle(needs: dict[int, tuple[int, ...]]) -> bool:
    """The slow way: take away what needs nothing until nothing more goes."""
    left = dict(needs)
    while free := [node for node, wants in left.items() if not any(want in left for want in wants)]:
        for node in free:
            del left[node]
    return bool(left)


@given(graphs())
def test_a_cycle_is_found_exactly_where_there_is_one(needs: dict[int, tuple[int, ...]]) -> None:
    cycle = find_cycle(needs)
    assert (cycle is not None) == has_cycle(needs)
    if cycle:
        assert len(set(cycle)) == len(cycle)
        for one, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert following in needs[one]


@given(graphs())
def test_a_plan_is_accepted_exactly_if_it_is_a_dag(needs: dict[int, tuple[int, ...]]) -> None:
    given = plan(*(task(node, *wants) for node, wants in needs.items()))
    if has_cycle(needs):
        with pytest.raises(InvalidPlan):
            parse_plan(given)
    else:
        assert {t.position: t.depends_on for t in parse_plan(given).tasks} == needs


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["id", "title", "description", "details", "dependencies", "tasks", "team_breakdown", "plan"])


@given(st.recursive(JSON, lambda i: st.lists(i, max_size=3) | st.dictionaries(KEYS, i, max_size=5), max_leaves=20))
def test_whatever_comes_is_a_plan_or_an_invalid_plan(value: Any) -> None:
    try:
        read = parse_plan(value)
    except InvalidPlan:
        return
    assert read.tasks
    assert read.title


def plain(*tasks: Any, **more: Any) -> dict[str, Any]:
    """A plan as people write it."""
    return {"title": "P", "tasks": list(tasks)} | more


@pytest.mark.parametrize(
    ("given", "says", "where", "names"),
    [
        (plain(task(1), task(2, depend_on=[1])), "did you mean 'depends_on'?", ("tasks", 1, "depend_on"), 2),
        (plain(task(1, dependsOn=[])), "did you mean 'depends_on'?", ("tasks", 0, "dependsOn"), 1),
        (plain(task(1, Dependancies=[])), "did you mean 'dependencies'?", ("tasks", 0, "Dependancies"), 1),
        (plain(task(1, descripton="x")), "task 1 has an unknown key 'descripton'", ("tasks", 0, "descripton"), 1),
        (plain(task(1, colour="red")), "unknown key 'colour': it may have id, title", ("tasks", 0, "colour"), 1),
        (plain(task(1), titel="x"), "the plan has an unknown key 'titel'; did you mean 'title'?", ("titel",), None),
        (plain(task(1, **{"x" * 10_000: 1})), "unknown key 'xxx", ("tasks", 0), 1),
        (plain(task(1, **{"\ud800": 1})), r"unknown key '\ud800'", ("tasks", 0), 1),
        (plain(task(True, colour=1)), "the task at index 0 has an unknown key", ("tasks", 0, "colour"), None),
        (plain(task(2**70, colour=1)), "the task at index 0 has an unknown key", ("tasks", 0, "colour"), None),
    ],
)
def test_a_plain_plan_has_no_keys_that_nobody_reads(
    given: Any, says: str, where: tuple[str | int, ...], names: int | None
) -> None:
    with pytest.raises(InvalidPlan) as refused:
        parse_plan(given)
    assert says in refused.value.message
    assert (refused.value.where, refused.value.task) == (("body", "plan", *where), names)
    refused.value.message.encode()


def test_all_that_is_wrong_is_told_at_once() -> None:
    given = plain(task(1, title=2.4), task(2, depend_on=[1]), task(3, description=""), task("4"))
    with pytest.raises(InvalidPlan) as refused:
        parse_plan(given)
    told = [one.message for one in (refused.value, *refused.value.others)]
    assert told == [
        "task 2 has an unknown key 'depend_on'; did you mean 'depends_on'?",
        'task 1: title must be text, not a number: write "2.4"',
        "task 3 has no description",
        "the id of the task at index 3 must be an integer",
    ]
    with pytest.raises(InvalidPlan) as refused:
        parse_plan(plain(*(task(n, **{f"k{n}": 1}) for n in range(1000))))
    assert len(refused.value.others) == 19


def test_a_key_of_kubiyas_plan_that_looks_misspelt_is_a_warning() -> None:
    given = plan(task(1, priority="high", env_vars_to_use=[]), task(2, depend_on=[1]), complexity={}, summry="x")
    read = parse_plan({**given, "tasks": [task(9)]})
    assert read.tasks[1].depends_on == ()
    assert read.warnings == (
        "the plan has an unknown key 'summry'; did you mean 'summary'?",
        "task 2 has an unknown key 'depend_on'; did you mean 'depends_on'?",
        "tasks is not read beside team_breakdown",
    )
    assert parse_plan(plan(task(1, priority="high"))).warnings == ()


def test_many_unknown_keys_cost_little() -> None:
    keys = {f"dependencie{n}": n for n in range(100_000)}
    began = time.process_time()
    assert len(parse_plan(plan(task(1, **keys))).warnings) == 20
    assert time.process_time() - began < 3


async def test_a_plan_is_read_beside_other_requests() -> None:
    """Checking the schemas of its results takes up to some seconds."""
    properties: JsonObject = {f"p{n}": {"type": "object", "properties": {"a": {"type": "string"}}} for n in range(100)}
    schemas: list[JsonObject] = [{"title": f"read {n}", "properties": properties} for n in range(20)]
    entries: list[JsonValue] = [
        {"id": n, "title": "t", "description": "d", "result_schema": schema} for n, schema in enumerate(schemas, 1)
    ]
    reading = asyncio.ensure_future(read_plan({"title": "P", "tasks": entries}))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert len((await reading).tasks) == len(schemas)
    assert turns > 5, "nobody else had a turn meanwhile"
