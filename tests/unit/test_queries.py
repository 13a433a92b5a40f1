"""How a query's text becomes what PostgreSQL takes."""

import pytest

from baton.store.queries import Query, compiled


def text(query: str, **parts: str) -> str:
    return compiled("a_query", query, parts).text


def test_a_parameter_has_one_number_wherever_it_is_named() -> None:
    query = compiled("q", "SELECT a FROM t WHERE b = :b AND c = :c AND d > :b", {})
    assert query == Query("q", "SELECT a FROM t WHERE b = $1 AND c = $2 AND d > $1", ("b", "c"))


def test_casts_quoted_text_and_comments_stay() -> None:
    same = "SELECT a::text, ':b', 'it''s :c', '{}'::jsonb -- :d, ${e} and a task's\n"
    assert text(same) == same
    assert text("SELECT :a::text[]") == "SELECT $1::text[]"


def test_a_part_shares_the_parameters_of_the_query_that_includes_it() -> None:
    parts = {"mine": "tenant = :tenant AND ${open}", "open": "closed_at IS NULL AND seen_by = :who"}
    query = compiled("q", "SELECT :who WHERE ${mine} AND id = :id", parts)
    assert query.text == "SELECT $1 WHERE tenant = $2 AND closed_at IS NULL AND seen_by = $1 AND id = $3"
    assert query.parameters == ("who", "tenant", "id")


def test_a_part_of_one_table_serves_several() -> None:
    parts = {"newest": "SELECT id FROM ${} WHERE id > :after ORDER BY ${}.id"}
    query = compiled("q", "${newest(tasks)} UNION ${newest(keys)}", parts)
    assert query.text == (
        "SELECT id FROM tasks WHERE id > $1 ORDER BY tasks.id UNION SELECT id FROM keys WHERE id > $1 ORDER BY keys.id"
    )


@pytest.mark.parametrize(("query", "part"), [("${a}", "FROM ${}"), ("${a(tasks)}", "FROM keys")])
def test_a_part_is_told_its_table_and_no_other_is(query: str, part: str) -> None:
    with pytest.raises(ValueError, match=r"'a_query'.*'a'"):
        text(query, a=part)


def test_states_are_literals() -> None:
    assert text("state = :task.waiting") == "state = 'waiting'"
    assert text("type = :event.text_delta") == "type = 'text.delta'"
    assert text("state NOT IN :execution.is_over") == "state NOT IN ('succeeded', 'failed', 'cancelled')"


@pytest.mark.parametrize("query", ["state = :task.wating", "state = :tusk.waiting", "state = :task.name", "${nothing}"])
def test_what_there_is_not_is_refused_as_it_is_loaded(query: str) -> None:
    with pytest.raises(ValueError, match="a_query"):
        text(query)


def test_arguments_come_in_the_order_of_the_parameters() -> None:
    query = compiled("q", ":b :a :b", {})
    assert query.values({"a": 1, "b": 2}) == [2, 1]


@pytest.mark.parametrize("arguments", [{}, {"a": 1}, {"a": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}])
def test_one_argument_too_few_or_too_many_names_the_query(arguments: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="'a_query'"):
        compiled("a_query", ":a :b", {}).values(arguments)
