"""Are the names in a request judged by what workers have, and never by what nobody knows?"""

import pytest

from baton.domain.catalog import Catalog, NameKind, Used, grants_used, judged, policies_used, tools_used, united
from baton.domain.errors import InvalidInput

SHOP = Catalog({"refund": True, "read_orders": False}, {"openai": ("gpt-5", "gpt-5-mini"), "azure": ()})


def a_model(name: str) -> list[Used]:
    return [Used(NameKind.MODEL, name, ("body", "model"))]


def refusals(catalog: Catalog | None, used: list[Used]) -> dict[tuple[str | int, ...], str]:
    """What is refused, by the path to it."""
    return {one.where: one.message for one in judged(catalog, used).refused}


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("refnd", "no worker has a tool 'refnd'; did you mean 'refund'?"),
        ("Refund", "no worker has a tool 'Refund'; did you mean 'refund'?"),
        ("read-orders", "no worker has a tool 'read-orders'; did you mean 'read_orders'?"),
        ("drop", "no worker has a tool 'drop': there are ask_user, read_orders, refund"),
        ("drop*", "no worker has a tool that matches the pattern 'drop*'"),
        ("refund?", "no worker has a tool that matches the pattern 'refund?'"),
    ],
)
def test_a_policy_for_what_no_worker_has_is_refused(policy: str, told: str) -> None:
    assert refusals(SHOP, policies_used([policy], ("body", "policies"))) == {("body", "policies", policy): told}


@pytest.mark.parametrize("policy", ["refund", "ref*", "*", "read_?rders", "ask_user"])
def test_a_policy_for_what_a_worker_has_is_taken(policy: str) -> None:
    assert judged(SHOP, policies_used([policy], ())).check() == ()


def test_a_pattern_is_no_tool() -> None:
    assert refusals(SHOP, tools_used(["refund", "ref*", "ask_user"], ("body", "tools"))) == {
        ("body", "tools", 1): "no worker has a tool 'ref*': there are ask_user, read_orders, refund"
    }


def test_who_grants_a_tool_is_not_told_which_there_are() -> None:
    assert refusals(SHOP, grants_used(["refnd", "refund"], ("body", "grants"))) == {
        ("body", "grants"): "no worker has a tool 'refnd'; did you mean 'refund'?"
    }
    assert refusals(SHOP, grants_used(["x"], ("body", "grants"))) == {("body", "grants"): "no worker has a tool 'x'"}


@pytest.mark.parametrize("name", ["scripted", "openai:gpt-5", "openai:gpt-5-2026-01-01", "azure:my-deployment"])
def test_a_model_that_may_be_had_is_taken(name: str) -> None:
    assert judged(SHOP, a_model(name)).check() == ()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("opnai:gpt-5", "no worker knows the provider 'opnai'; did you mean 'openai'?"),
        ("anthropic:claude", "no worker knows the provider 'anthropic': there are azure, openai"),
        (
            "gpt-5",
            "'gpt-5' is not a model's name: expected 'scripted' or 'provider:model'; did you mean 'openai:gpt-5'?",
        ),
        (
            "Scripted",
            "'Scripted' is not a model's name: expected 'scripted' or 'provider:model'; did you mean 'scripted'?",
        ),
        ("openai:", "'openai:' is not a model's name: expected 'scripted' or 'provider:model'"),
    ],
)
def test_a_model_that_no_worker_can_reach_is_refused(name: str, told: str) -> None:
    assert refusals(SHOP, a_model(name)) == {("body", "model"): told}


def test_a_model_that_no_list_has_is_only_marked() -> None:
    told = judged(SHOP, a_model("openai:gtp-5")).check()
    assert told == ("the workers' lists of models do not include 'openai:gtp-5'; did you mean 'openai:gpt-5'?",)


def test_a_server_of_ones_own_may_call_its_models_anything() -> None:
    used = [Used(NameKind.SERVED_MODEL, "openai:ours", ("body", "model"))]
    assert judged(SHOP, used).check() == ()
    assert refusals(SHOP, [Used(NameKind.SERVED_MODEL, "opnai:ours", ())])


def test_without_a_worker_names_are_marked_and_nothing_is_refused() -> None:
    used = [*a_model("opnai:x"), *tools_used(["refund"], ()), *policies_used(["refnd", "*"], ())]
    assert judged(None, used).check() == (
        "no worker has said yet which tools and models it has, so these names were not checked: 'opnai:x', 'refund',"
        " 'refnd'",
    )
    always = [*a_model("scripted"), *tools_used(["ask_user"], ()), *policies_used(["*", "ask_user"], ())]
    assert judged(None, always).check() == ()


def test_what_any_worker_has_is_there_while_workers_are_replaced() -> None:
    older = Catalog({"refund": True, "look": False}, {"openai": ("gpt-5",), "azure": (), "zai": ("a",)})
    newer = Catalog({"repay": True, "look": True}, {"openai": ("gpt-6",), "azure": ("x",), "zai": ()})
    both = united([older, newer])
    assert both == Catalog(
        {"refund": True, "look": True, "repay": True}, {"openai": ["gpt-5", "gpt-6"], "azure": [], "zai": []}
    )
    assert united([newer, older]) == both
    assert united([]) is None
    assert judged(both, tools_used(["refund", "repay"], ())).check() == ()


def test_all_that_is_wrong_is_told_at_once_up_to_a_limit() -> None:
    with pytest.raises(InvalidInput) as refused:
        judged(SHOP, [*tools_used(["a", "refund", "b"], ("body", "tools")), *a_model("c")]).check()
    assert [one.where for one in (refused.value, *refused.value.others)] == [
        ("body", "tools", 0),
        ("body", "tools", 2),
        ("body", "model"),
    ]
    assert len(judged(SHOP, policies_used([f"p{n}" for n in range(1000)], ())).refused) == 20


def test_a_long_name_is_cut_and_no_part_of_a_path() -> None:
    ((where, told),) = refusals(SHOP, policies_used(["x" * 500], ("body", "policies"))).items()
    assert where == ("body", "policies")
    assert len(told) < 200
