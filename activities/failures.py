"""What becomes of a step that cannot be taken: tried again, asked about, or given up."""

from typing import Final

from baton.agents.errors import BAD_REPLY, LIMIT_REACHED, PASSING, UNAVAILABLE, ModelFailed
from baton.domain.allowance import PATIENCE, patience_seconds, reached, told_to_stop
from baton.domain.json import JsonObject
from baton.store.failures import FailureVerdict
from baton.store.transcripts import Budget

#: A step whose model has failed so often has failed for good, unless the provider is away.
MODEL_ATTEMPTS: Final = 6
#: The same for a reply that is empty or makes no sense: each was paid for.
BAD_REPLIES: Final = 2
MODEL_BACKOFF: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
#: What a provider asks for beyond that is not waited for.
LONGEST_PAUSE: Final = 3600.0


class LimitReached(Exception):
    """The agent may not ask its model again before somebody has said so. ``question`` is what the task asks."""

    def __init__(self, name: str, question: str) -> None:
        super().__init__(name)
        self.name = name
        self.question = question


def hold_to(limits: JsonObject, budget: Budget, turn: int) -> None:
    """Raises LimitReached where the task has to ask, and ModelFailed where the answer was to stop."""
    if told_to_stop(budget.asked, PATIENCE, turn):
        raise ModelFailed(UNAVAILABLE, "The provider was away, and the answer was not to wait for it.", final=True)
    limit = reached(limits, budget.spent, budget.asked, turn)
    if limit is None:
        return
    if limit.question is None:
        raise ModelFailed(LIMIT_REACHED, f"The limit {limit.limit} is reached, and the answer was to stop.")
    raise LimitReached(limit.limit, limit.question)


def asked_pause(error: ModelFailed) -> float:
    """The seconds that the provider asked to wait, as far as that is done."""
    return min(error.retry_after_seconds or 0.0, LONGEST_PAUSE)


def verdict_on(error: ModelFailed, failures: int, seconds: float, limits: JsonObject) -> tuple[FailureVerdict, float]:
    """What becomes of a step of which ``failures`` attempts have failed, for ``seconds`` without the waits that the
    provider asked for; and the seconds until the next attempt."""
    pause = max(asked_pause(error), MODEL_BACKOFF[min(max(failures, 1), len(MODEL_BACKOFF)) - 1])
    if not error.retryable:
        return FailureVerdict.GIVE_UP, 0.0
    if error.code in PASSING:
        return (FailureVerdict.ASK if seconds >= patience_seconds(limits) else FailureVerdict.TRY_AGAIN), pause
    most = BAD_REPLIES if error.code == BAD_REPLY else MODEL_ATTEMPTS
    return (FailureVerdict.GIVE_UP if failures >= most else FailureVerdict.TRY_AGAIN), pause
