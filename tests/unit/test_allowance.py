"""What an agent may spend: which limit is reached, what is asked, and what an answer allows."""

import pytest

from activities.failures import (
    MODEL_ATTEMPTS,
    NOT_CALLED,
    LimitReached,
    hold_to,
    not_called,
    verdict_on,
    what_is_left,
)
from baton.agents import errors
from baton.agents.errors import ModelFailed
from baton.domain.allowance import (
    CALLS_PER_TURN,
    GO_ON,
    PATIENCE,
    PATIENCE_SECONDS,
    STOP,
    Asked,
    Reached,
    Spent,
    dollars,
    gone_for,
    least,
    reached,
)
from baton.domain.json import JsonObject
from baton.store.failures import FailureVerdict
from baton.store.limits import PlanBudget, TaskLimits
from baton.store.transcripts import Budget


@pytest.mark.parametrize(
    ("limits", "spent", "asks"),
    [
        ({"max_tokens": 1000}, Spent(tokens=1024), "Used 1,024 of 1,000 tokens. Go on with 1,000 more tokens?"),
        ({"max_usd": 0.01}, Spent(usd=0.0213), "Used 0.0213 of 0.01 USD. Go on with 0.01 more USD?"),
        ({"max_calls": 3}, Spent(calls=3), "Used 3 of 3 model calls. Go on with 3 more model calls?"),
        ({"max_turns": 2}, Spent(turns=3), "Used 2 of 2 turns. Go on with 2 more turns?"),
        ({"max_seconds": 90}, Spent(seconds=120), "Used 2 min of 1.5 min. Go on with 1.5 min more?"),
        ({"max_calls": 1}, Spent(calls=1), "Used 1 of 1 model call. Go on with 1 more model call?"),
        (
            {"max_usd": 0.01, "max_tokens": 1000},
            Spent(tokens=1024, usd=0.02),
            "Used 1,024 of 1,000 tokens and 0.02 of 0.01 USD. Go on with 1,000 more tokens and 0.01 more USD?",
        ),
        (
            {"max_usd": 1, "max_tokens": 1, "max_calls": 1, "max_seconds": 9},
            Spent(calls=2, tokens=2, usd=0.5, seconds=10),
            "Used 2 of 1 model call, 2 of 1 token and 10 s of 9 s. "
            "Go on with 1 more model call, 1 more token and 9 s more?",
        ),
        (
            {},
            Spent(calls_in_turn=CALLS_PER_TURN),
            "Used 50 of 50 model calls in this turn. Go on with 50 more model calls?",
        ),
    ],
)
def test_what_is_asked_at_a_limit(limits: JsonObject, spent: Spent, asks: str) -> None:
    found = reached(limits, spent, (), 3)
    assert found is not None
    assert found.question == asks


def test_nothing_is_asked_below_a_limit() -> None:
    limits: JsonObject = {"max_tokens": 10, "max_usd": 1, "max_calls": 3, "max_turns": 2, "max_seconds": 5}
    assert reached(limits, Spent(2, 2, 2, 9, 0.99, 4.9), (), 2) is None
    assert reached({}, Spent(10_000, 10_000, 49, 10**9, 1e6, 1e9), (), 1) is None


def test_each_go_on_allows_as_much_again() -> None:
    once = (Asked("max_tokens", GO_ON, 2),)
    assert reached({"max_tokens": 10}, Spent(tokens=19), once, 2) is None
    again = reached({"max_tokens": 10}, Spent(tokens=20), once, 2)
    assert again is not None
    assert again.question is not None
    assert again.question.startswith("Used 20 of 20 tokens.")
    assert reached({"max_tokens": 10}, Spent(tokens=29), (*once, Asked("max_tokens", "but be brief", 3)), 3) is None


@pytest.mark.parametrize("answer", [STOP, "stop", " Stop. ", "no", "N"])
def test_a_stop_ends_the_turn_that_read_it_and_a_later_one_asks_again(answer: str) -> None:
    asked = (Asked("max_tokens", answer, 2),)
    assert reached({"max_tokens": 10}, Spent(tokens=10), asked, 2) == Reached("max_tokens", None)
    later = reached({"max_tokens": 10}, Spent(tokens=10), asked, 3)
    assert later is not None
    assert later.question is not None


def test_what_nobody_answered_allows_nothing() -> None:
    found = reached({"max_tokens": 10}, Spent(tokens=10), (Asked("max_tokens", None, None),), 2)
    assert found is not None
    assert found.question is not None


def test_the_limit_of_another_kind_is_not_extended() -> None:
    assert reached({"max_calls": 1}, Spent(calls=1), (Asked("max_tokens", GO_ON, 2),), 2) is not None


def test_stopping_fails_the_step_for_good() -> None:
    budget = Budget(0, Spent(tokens=10), (Asked("max_tokens", STOP, 2),))
    with pytest.raises(ModelFailed) as failed:
        hold_to({"max_tokens": 10}, budget, 2)
    assert (failed.value.code, failed.value.retryable) == (errors.LIMIT_REACHED, False)
    with pytest.raises(LimitReached):
        hold_to({"max_tokens": 10}, budget, 3)
    gone = Budget(0, Spent(), (Asked(PATIENCE, STOP, 2),))
    with pytest.raises(ModelFailed) as failed:
        hold_to({}, gone, 2)
    assert (failed.value.code, failed.value.retryable) == (errors.UNAVAILABLE, False)
    hold_to({}, gone, 3)


@pytest.mark.parametrize("code", [errors.UNAVAILABLE, errors.RATE_LIMITED])
def test_what_passes_is_waited_out_by_time_and_then_asked_about(code: str) -> None:
    error = ModelFailed(code)
    assert verdict_on(error, 500, PATIENCE_SECONDS - 1, {})[0] is FailureVerdict.TRY_AGAIN
    assert verdict_on(error, 1, PATIENCE_SECONDS, {})[0] is FailureVerdict.ASK
    assert verdict_on(error, 1, 5, {"patience_seconds": 5})[0] is FailureVerdict.ASK
    assert gone_for(PATIENCE_SECONDS) == "The model's provider has been away for 4 h. Go on trying?"


@pytest.mark.parametrize("code", [errors.KEY_REJECTED, errors.NOT_FOUND, errors.QUOTA, errors.FILTERED, errors.REFUSED])
def test_what_cannot_pass_is_given_up_at_once(code: str) -> None:
    assert verdict_on(ModelFailed(code), 1, 0, {})[0] is FailureVerdict.GIVE_UP


def test_empty_replies_are_tried_twice_and_others_more_often() -> None:
    bad, cut = ModelFailed(errors.BAD_REPLY), ModelFailed(errors.CUT_OFF)
    assert [verdict_on(bad, n, 0, {})[0] for n in (1, 2)] == [FailureVerdict.TRY_AGAIN, FailureVerdict.GIVE_UP]
    verdicts = [verdict_on(cut, n, 0, {})[0] for n in range(1, MODEL_ATTEMPTS + 1)]
    assert verdicts == [FailureVerdict.TRY_AGAIN] * (MODEL_ATTEMPTS - 1) + [FailureVerdict.GIVE_UP]


@pytest.mark.parametrize(("failures", "asked", "pause"), [(1, None, 1), (3, None, 4), (99, None, 30), (1, 17, 17)])
def test_pauses_grow_and_the_provider_s_wish_counts(failures: int, asked: float | None, pause: float) -> None:
    assert verdict_on(ModelFailed(errors.RATE_LIMITED, "", asked), failures, 0, {}) == (FailureVerdict.TRY_AGAIN, pause)


def test_one_answer_is_for_all_limits_that_asked() -> None:
    limits: JsonObject = {"max_tokens": 10, "max_calls": 2}
    asked = reached(limits, Spent(calls=2, tokens=10), (), 1)
    assert asked is not None
    assert asked.limit == "max_calls,max_tokens"
    once = (Asked(asked.limit, GO_ON, 2),)
    assert reached(limits, Spent(calls=3, tokens=19), once, 2) is None
    assert reached(limits, Spent(calls=4, tokens=19), once, 2) is not None
    assert reached(limits, Spent(calls=2, tokens=10), (Asked(asked.limit, STOP, 2),), 2) == Reached(asked.limit, None)


def test_of_several_bounds_the_least_holds() -> None:
    assert least({"max_tokens": 10, "max_usd": 1}, {"max_tokens": 20, "max_calls": 3}, {"max_usd": 0.5}) == {
        "max_tokens": 10,
        "max_usd": 0.5,
        "max_calls": 3,
    }


def test_a_plans_limit_says_whose_it_is_and_has_no_default() -> None:
    found = reached({"max_tokens": 10}, Spent(tokens=10), (), 1, whose="The plan", of_task=False)
    assert found is not None
    assert found.question == "The plan has used 10 of 10 tokens. Go on with 10 more tokens?"
    assert reached({"max_tokens": 10}, Spent(tokens=9, calls_in_turn=99), (), 1, of_task=False) is None


def test_another_task_waits_while_one_asks_for_the_plan() -> None:
    budget = Budget(0, Spent(tokens=10), ())
    with pytest.raises(LimitReached) as asks:
        hold_to({}, budget, 1, PlanBudget({"max_tokens": 10}, Spent(tokens=10)))
    assert (asks.value.call_id, asks.value.question is None) == ("baton-plan:max_tokens", False)
    with pytest.raises(LimitReached) as waits:
        hold_to({}, budget, 1, PlanBudget({"max_tokens": 10}, Spent(tokens=10), asked_elsewhere=True))
    assert waits.value.question is None
    stopped = PlanBudget({"max_tokens": 10}, Spent(tokens=10), (Asked("max_tokens", STOP, 1),))
    with pytest.raises(ModelFailed) as failed:
        hold_to({}, budget, 1, stopped)
    assert (failed.value.code, failed.value.retryable) == (errors.LIMIT_REACHED, False)


def test_the_model_is_told_what_is_left() -> None:
    budget = Budget(0, Spent(calls=2, tokens=40, calls_in_turn=2), ())
    assert what_is_left({}, budget, None) == ""
    own: JsonObject = {"max_tokens": 1000, "max_calls": 3}
    assert what_is_left(own, budget, None) == "[Limits: 1 of 3 model calls and 960 of 1,000 tokens left.]"
    plan = PlanBudget({"max_usd": 0.5}, Spent(usd=0.25))
    assert what_is_left({}, budget, plan) == "[Limits: 0.25 of 0.50 USD left for all tasks of the plan.]"
    near = Budget(0, Spent(calls_in_turn=CALLS_PER_TURN - 9), ())
    assert what_is_left({}, near, None) == "[Limits: 9 of 50 model calls in this turn left.]"


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [
        (TaskLimits({}), None),
        (TaskLimits({"max_tokens": 41}), None),
        (TaskLimits({"max_tokens": 40}), "max_tokens"),
        (TaskLimits({}, PlanBudget({"max_usd": 1}, Spent(usd=1))), "of the plan: max_usd"),
    ],
)
def test_a_tool_is_not_called_beyond_a_limit(limits: TaskLimits, refusal: str | None) -> None:
    found = not_called(limits, Spent(calls=2, tokens=40), (), 1)
    assert found == (None if refusal is None else NOT_CALLED.format(refusal))


@pytest.mark.parametrize(
    ("amount", "shown"), [(1234.5, "1,234.50"), (1, "1.00"), (0.02, "0.02"), (0.0213, "0.0213"), (0.00002, "0.00002")]
)
def test_small_amounts_of_money_can_be_seen(amount: float, shown: str) -> None:
    assert dollars(amount) == shown
