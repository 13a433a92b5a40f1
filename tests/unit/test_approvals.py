"""Consent to tool calls: which need it, and what exactly it is bound to."""

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.domain.approvals import (
    REASON_CHARACTERS,
    Approval,
    Decision,
    Policy,
    ToolRules,
    Verdict,
    check_policies,
    digest_of,
    question_text,
    shortened,
)
from baton.domain.conversation import Question
from baton.domain.errors import InvalidInput
from baton.domain.json import JsonValue
from baton.domain.mailbox import Ending, Mailbox, Rest, begin, cancel, decide, end, pause, resume
from baton.domain.states import TaskState
from baton.domain.withdrawing import Others, accept_again, withdraw

S = TaskState

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
arguments = st.dictionaries(st.text(), json_values, max_size=4)


@pytest.mark.parametrize(
    ("policies", "granted", "expected"),
    [
        ({}, (), Policy.ALLOW),
        ({"t": "ask"}, (), Policy.ASK),
        ({"t": "ask"}, ("t",), Policy.ALLOW),
        ({"t": "deny"}, ("t",), Policy.DENY),
        ({"*": "deny"}, (), Policy.DENY),
        ({"*": "deny", "t": "allow"}, (), Policy.ALLOW),
        ({"*": "ask", "other": "allow"}, ("other",), Policy.ASK),
        ({"other": "deny"}, (), Policy.ALLOW),
        ({"t": "alow"}, ("t",), Policy.DENY),
        ({"t": None}, (), Policy.DENY),
    ],
)
def test_which_policy_holds(policies: dict[str, Any], granted: tuple[str, ...], expected: Policy) -> None:
    rules = ToolRules(policies, harmless=("t",))
    assert rules.policy("t", granted) is expected
    assert (rules.refusal("t", granted, plan_only=True) is not None) is (expected is Policy.DENY)


def test_plan_mode_refuses_what_is_not_known_to_be_harmless() -> None:
    rules = ToolRules({"look": "ask"}, harmless=("look",))
    assert rules.refusal("look", (), plan_only=True) is None
    assert "plan mode" in str(rules.refusal("write", ("write",), plan_only=True))
    assert rules.refusal("write", (), plan_only=False) is None


def test_policies_are_words_that_are_known() -> None:
    check_policies({"*": "ask", "clock": "allow", "drop": "deny"})
    refused: list[JsonValue] = ["Ask", "", None, 1, [], {}]
    for wrong in refused:
        with pytest.raises(InvalidInput) as told:
            check_policies({"clock": wrong})
        assert told.value.where == ("body", "policies", "clock")


def test_a_digest_is_of_tool_and_arguments() -> None:
    one = digest_of("write", {"a": 1, "b": [True, None, "x"]})
    assert len(one) == 64
    assert one == digest_of("write", {"b": [True, None, "x"], "a": 1.0})
    others = [
        digest_of("drop", {"a": 1, "b": [True, None, "x"]}),
        digest_of("write", {"a": "1", "b": [True, None, "x"]}),
        digest_of("write", {"a": True, "b": [True, None, "x"]}),
        digest_of("write", {"a": 1, "b": [None, True, "x"]}),
        digest_of("write", {"a": 1, "b": [True, None, "x", ""]}),
        digest_of("write", {"a": 1}),
        digest_of("write", {"a": 1, "b": [True, None, "X"]}),
        digest_of("write", {"a": 2**53 + 1, "b": [True, None, "x"]}),
        digest_of("write", {"a": 2**53, "b": [True, None, "x"]}),
    ]
    assert len({one, *others}) == len(others) + 1


@given(arguments)
def test_a_digest_survives_what_json_goes_through(value: dict[str, Any]) -> None:
    digest = digest_of("t", value)
    assert digest == digest_of("t", json.loads(json.dumps(value)))
    assert digest == digest_of("t", orjson.loads(orjson.dumps(value)))
    assert digest == digest_of("t", dict(reversed(value.items())))


@given(arguments, arguments)
def test_digests_are_equal_only_for_what_is_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = orjson.dumps(_plain(one), option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        _plain(other), option=orjson.OPT_SORT_KEYS
    )
    assert (digest_of("t", one) == digest_of("t", other)) is same


def _plain(value: JsonValue) -> JsonValue:
    """Numbers as text that says their value."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return f"n{int(value)}" if value.is_integer() else f"n{value!r}"
    return f"n{value}" if isinstance(value, int) and not isinstance(value, bool) else value


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "decision",
    [
        Decision(Verdict.DECLINE, arguments={}),
        Decision(Verdict.APPROVE, arguments={"a": "\x00"}),
        Decision(Verdict.APPROVE, arguments={"a": float("nan")}),
        Decision(Verdict.APPROVE, arguments=deep(101)),
        Decision(Verdict.APPROVE, arguments=deep(100_000)),
        Decision(Verdict.DECLINE, "\ud800"),
    ],
)
def test_decisions_that_are_none(decision: Decision) -> None:
    with pytest.raises(InvalidInput):
        decision.check()


def test_decisions_that_are() -> None:
    for decision in (
        Decision(Verdict.APPROVE),
        Decision(Verdict.DECLINE),
        Decision(Verdict.APPROVE, "x", deep(100), "d"),
    ):
        decision.check()


def test_words_for_people_stay_short() -> None:
    approval = an_approval("a", text="x" * 10_000)
    assert question_text(approval).startswith('May write be called with {"text": "xxx')
    assert len(question_text(approval)) < REASON_CHARACTERS + 100
    assert shortened("x" * REASON_CHARACTERS) == "x" * REASON_CHARACTERS


def an_approval(id: str, **values: Any) -> Approval:
    return Approval(id, f"call-{id}", 1, 3, "write", values, digest_of("write", values), "2026-01-01T00:00:00+00:00")


A, B = an_approval("a"), an_approval("b")
Q = Question("q", "Which?")
AT_WORK = Mailbox(S.RUNNING, 4, 1, True, 0, 2, 0, rest=Rest(S.RUNNING))
WAITING = end(AT_WORK, Ending.ANSWERED, (), (A, B))


def test_a_turn_that_holds_calls_back_waits() -> None:
    assert (WAITING.state, WAITING.approvals, WAITING.held_step, WAITING.asks) == (S.WAITING, (A, B), 3, True)
    assert WAITING.rest == Rest(S.WAITING, (), 0, (A, B))
    asked = end(AT_WORK, Ending.ANSWERED, (Q,), (A,))
    assert (asked.questions, asked.approvals) == ((Q,), (A,))


@pytest.mark.parametrize(
    ("box", "ending", "rests"),
    [
        (replace(AT_WORK, unclaimed=1), Ending.ANSWERED, S.RUNNING),
        (replace(AT_WORK, state=S.PAUSED, rest=Rest(S.PAUSED)), Ending.ANSWERED, S.PAUSED),
        (replace(AT_WORK, state=S.PAUSED, unclaimed=1, rest=Rest(S.PAUSED)), Ending.ANSWERED, S.PAUSED),
        (AT_WORK, Ending.FAILED, S.RUNNING),
        (AT_WORK, Ending.INTERRUPTED, S.RUNNING),
    ],
)
def test_a_turn_that_does_not_come_to_wait_opens_no_approval(box: Mailbox, ending: Ending, rests: TaskState) -> None:
    after = end(box, ending, (), (A,))
    assert (after.approvals, after.held_step, after.rest.approvals) == ((), None, ())
    assert after.rest.state is rests


def test_it_runs_when_the_last_is_decided() -> None:
    one = decide(WAITING, {"a"})
    assert (one.state, one.approvals, one.version) == (S.WAITING, (B,), WAITING.version + 1)
    both = decide(one, {"b"})
    assert (both.state, both.approvals, both.held_step) == (S.RUNNING, (), 3)
    assert both.rest == Rest(S.RUNNING)
    assert decide(replace(WAITING, questions=(Q,)), {"a", "b"}).state is S.WAITING
    paused = decide(pause(WAITING), {"a", "b"})
    assert (paused.state, resume(paused, has_news=False).state) == (S.PAUSED, S.RUNNING)
    assert resume(pause(WAITING), has_news=False).state is S.WAITING


def test_held_calls_belong_to_the_turn_after() -> None:
    assert not WAITING.makes_calls_of(1, 3)
    begun = begin(decide(WAITING, {"a", "b"}))
    assert begun.makes_calls_of(1, 3)
    assert begun.makes_calls_of(2, 0)
    assert not begun.makes_calls_of(1, 2)
    assert not begun.makes_calls_of(3, 3)
    assert not end(begun, Ending.ANSWERED).makes_calls_of(1, 3)
    assert end(begun, Ending.ANSWERED).held_step is None


def test_withdrawing_the_message_that_closed_them() -> None:
    closed = replace(WAITING, state=S.RUNNING, unclaimed=1, accepted_seq=3, approvals=())
    back = withdraw(closed, 3, (), Others())
    assert (back.state, back.approvals, back.held_step) == (S.WAITING, (A, B), 3)
    later = withdraw(replace(closed, unclaimed=2, accepted_seq=4), 3, (), Others(newest=4))
    assert (later.state, later.approvals) == (S.RUNNING, ())


def test_nothing_is_open_beside_a_turn_or_after_the_end() -> None:
    for box in (begin(WAITING), cancel(WAITING), accept_again(WAITING)):
        assert box.approvals == ()
    assert cancel(WAITING).held_step is None
    assert cancel(WAITING).rest == Rest(S.CANCELLED)


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ({"ref*": "deny"}, Policy.DENY),
        ({"ref?nd": "ask"}, Policy.ASK),
        ({"ref*": "deny", "refund": "allow"}, Policy.ALLOW),
        ({"*": "deny", "ref*": "allow"}, Policy.ALLOW),
        ({"re*": "allow", "ref*": "ask", "*": "deny"}, Policy.ASK),
        ({"ref*": "allow", "*und": "deny"}, Policy.DENY),
        ({"Ref*": "deny"}, Policy.ASK),
        ({"ref[u]nd": "deny"}, Policy.ASK),
    ],
)
def test_patterns_the_most_specific_then_the_strictest(policies: dict[str, str], expected: Policy) -> None:
    assert ToolRules(policies).policy("refund", ()) is expected
    assert ToolRules(dict(reversed(policies.items()))).policy("refund", ()) is expected


def test_doubtful_policies_free_no_tool_that_changes_things() -> None:
    rules = ToolRules({"refnd": "ask", "*": "allow", "write": "allow", "dr*": "deny"}, ("look",), doubtful=True)
    assert rules.policy("refund", ()) is Policy.ASK
    assert rules.policy("refund", ("refund",)) is Policy.ALLOW
    assert (rules.policy("look", ()), rules.policy("write", ())) == (Policy.ALLOW, Policy.ALLOW)
    assert rules.policy("drop", ()) is Policy.DENY


def test_a_tool_that_changes_things_is_asked_for_unless_a_policy_says_otherwise() -> None:
    assert ToolRules({}).policy("refund", ()) is Policy.ASK
    assert ToolRules({}, harmless=("look",)).policy("look", ()) is Policy.ALLOW
    assert ToolRules({"look": "ask"}, harmless=("read",)).policy("refund", ()) is Policy.ASK
    assert ToolRules({"refund": "allow"}).policy("refund", ()) is Policy.ALLOW
