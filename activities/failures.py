"""What becomes of a step that cannot be taken: tried again, asked about, or given up."""

from collections.abc import Sequence
from typing import Final

from baton.agents.errors import (
    BAD_REPLY,
    LIMIT_REACHED,
    OVERFLOW,
    PASSING,
    TRANSCRIPT_TOO_LARGE,
    UNAVAILABLE,
    HeldBack,
    ModelFailed,
)
from baton.domain.allowance import (
    GO_ON,
    PATIENCE,
    PLAN_PREFIX,
    PREFIX,
    STOP,
    Asked,
    Reached,
    Spent,
    gone_for,
    left,
    listed,
    patience_seconds,
    reached,
    told_to_stop,
)
from baton.domain.json import JsonObject
from baton.domain.too_long import TRANSCRIPT, WINDOW, stopped_by
from baton.store.failures import FailureVerdict
from baton.store.limits import PlanBudget, TaskLimits
from baton.store.transcripts import Budget

#: A step whose model has failed so often has failed for good, unless the provider is away.
MODEL_ATTEMPTS: Final = 6
#: The same for a reply that is empty or makes no sense: each was paid for.
BAD_REPLIES: Final = 2
MODEL_BACKOFF: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
#: What a provider asks for beyond that is not waited for.
LONGEST_PAUSE: Final = 3600.0


_TOO_LONG: Final = {WINDOW: OVERFLOW, TRANSCRIPT: TRANSCRIPT_TOO_LARGE}

#: What a call gives that was not made because limits are reached.
NOT_CALLED: Final = "Not called: a limit is reached ({}). Call it again if it is still wanted once you may go on."


class LimitReached(HeldBack):
    """The agent may not ask its model again before somebody has said so. ``question`` is what the task asks.

    ``of_plan``: it is its plan's limit. ``question`` is None where another task of the plan asks already. ``choices``
    are offered with it.
    """

    def __init__(
        self, name: str, question: str | None, *, of_plan: bool = False, choices: tuple[str, ...] = (GO_ON, STOP)
    ) -> None:
        super().__init__(name)
        self.choices = choices
        self.name = name
        self.question = question
        self.of_plan = of_plan

    @property
    def call_id(self) -> str:
        """The id of the call that the question stands for."""
        return f"{PLAN_PREFIX if self.of_plan else PREFIX}{self.name}"


def hold_to(limits: JsonObject, budget: Budget, turn: int, plan: PlanBudget | None = None) -> None:
    """Raises LimitReached where the task has to ask, or to wait for an answer, and ModelFailed where the answer was to
    stop."""
    if told_to_stop(budget.asked, PATIENCE, turn):
        raise ModelFailed(UNAVAILABLE, "The provider was away, and the answer was not to wait for it.", final=True)
    if name := stopped_by(budget.asked, turn):
        raise ModelFailed(
            _TOO_LONG[name], "There is too much to read, and the answer was not to shorten it.", final=True
        )
    if limit := reached(limits, budget.spent, budget.asked, turn):
        raise _stopped(limit) if limit.question is None else LimitReached(limit.limit, limit.question)
    if plan is None:
        return
    if limit := reached(plan.limits, plan.spent, plan.asked, turn, whose="The plan", of_task=False):
        if limit.question is None:
            raise _stopped(limit)
        raise LimitReached(limit.limit, None if plan.asked_elsewhere else limit.question, of_plan=True)


def _stopped(limit: Reached) -> ModelFailed:
    return ModelFailed(LIMIT_REACHED, f"The limit {limit.limit} is reached, and the answer was to stop.")


def not_called(limits: TaskLimits, spent: Spent, asked: Sequence[Asked], turn: int) -> str | None:
    """Why a tool may not be called in ``turn``, None where it may."""
    if limit := reached(limits.own, spent, asked, turn):
        return NOT_CALLED.format(limit.limit.replace(",", ", "))
    plan = limits.plan
    if plan and (limit := reached(plan.limits, plan.spent, plan.asked, turn, of_task=False)):
        return NOT_CALLED.format(f"of the plan: {limit.limit.replace(',', ', ')}")
    return None


def what_is_left(limits: JsonObject, budget: Budget, plan: PlanBudget | None) -> str:
    """What the model is told about its limits, "" for nothing."""
    own = left(limits, budget.spent, budget.asked)
    shared = [] if plan is None else left(plan.limits, plan.spent, plan.asked, of_task=False)
    told = [f"{listed(own)} left"] if own else []
    if shared:
        told.append(f"{listed(shared)} left for all tasks of the plan")
    return f"[Limits: {'; '.join(told)}.]" if told else ""


def asked_pause(error: ModelFailed) -> float:
    """The seconds that the provider asked to wait, as far as that is done."""
    return min(error.retry_after_seconds or 0.0, LONGEST_PAUSE)


def asked_about(error: ModelFailed, seconds: float) -> tuple[str, str]:
    """The name of the limit that ``error`` has reached after ``seconds``, and what the task asks."""
    if error.question is None:
        return PATIENCE, gone_for(seconds)
    return next(name for name, code in _TOO_LONG.items() if code == error.code), error.question


def verdict_on(error: ModelFailed, failures: int, seconds: float, limits: JsonObject) -> tuple[FailureVerdict, float]:
    """What becomes of a step of which ``failures`` attempts have failed, for ``seconds`` without the waits that the
    provider asked for; and the seconds until the next attempt."""
    if error.question is not None:
        return FailureVerdict.ASK, 0.0
    pause = max(asked_pause(error), MODEL_BACKOFF[min(max(failures, 1), len(MODEL_BACKOFF)) - 1])
    if not error.retryable:
        return FailureVerdict.GIVE_UP, 0.0
    if error.code in PASSING:
        return (FailureVerdict.ASK if seconds >= patience_seconds(limits) else FailureVerdict.TRY_AGAIN), pause
    most = BAD_REPLIES if error.code == BAD_REPLY else MODEL_ATTEMPTS
    return (FailureVerdict.GIVE_UP if failures >= most else FailureVerdict.TRY_AGAIN), pause
