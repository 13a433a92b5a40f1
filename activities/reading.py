"""What a step reads before its model is asked, and whether a tool may be called."""

from dataclasses import dataclass, replace

from activities.failures import LimitReached, hold_to, not_called, what_is_left
from baton.agents.errors import RESULT_INVALID, TRANSCRIPT_TOO_LARGE, ModelFailed
from baton.domain.conversation import Transcript
from baton.domain.ids import StepKey
from baton.domain.results import CHOICES, RESULT, gives_up, question_after, taken_as_text
from baton.store import limits, transcripts
from baton.store.pool import Pool
from baton.store.transcripts import Budget


@dataclass(frozen=True, slots=True)
class StepRead:
    """What a step reads. ``taken``: what the model has said before that is the task's result now, as it is, since
    somebody said so; None where the model is to be asked."""

    transcript: Transcript
    taken: str | None = None


async def read_transcript(pool: Pool, key: StepKey, most_bytes: int) -> StepRead:
    """What the step ``key`` reads: all, or what is left of it beside the summary that its task has.

    Raises LimitReached and ModelFailed where the model is not to be asked: see `hold_to`, and for more than
    ``most_bytes``, which are not loaded.
    """
    async with pool.connection() as connection:
        budget = await transcripts.budget(connection, key.tenant_id, key.task_id, key.turn)
        size = budget.transcript_bytes
        if size > most_bytes:
            raise ModelFailed(TRANSCRIPT_TOO_LARGE, f"{size} bytes, of {most_bytes} at most")
        bounds = await limits.read(connection, key.tenant_id, key.task_id, key.turn)
        hold_to(bounds.own, budget, key.turn, bounds.plan)
        transcript = await transcripts.read(connection, key.tenant_id, key.task_id, budget.compaction)
    transcript = replace(transcript, remaining=what_is_left(bounds.own, budget, bounds.plan))
    if (question := question_after(transcript)) is not None:
        raise LimitReached(RESULT, question, choices=CHOICES)
    return StepRead(transcript, _taken(transcript, budget, key))


def _taken(transcript: Transcript, budget: Budget, key: StepKey) -> str | None:
    """Heed what somebody has said about answers that were no valid results. Raises ModelFailed where that was to give
    up."""
    last = next((asked for asked in reversed(budget.asked) if asked.limit == RESULT), None)
    if last is None or last.answer is None or last.turn != key.turn or key.step > 0:
        return None
    if gives_up(last.answer):
        raise ModelFailed(RESULT_INVALID, "No answer was a valid result, and the answer was to give up.", final=True)
    return taken_as_text(transcript, last.answer)


async def forbidden_by_limits(pool: Pool, key: StepKey) -> str | None:
    """Why no tool may be called in the step ``key``, None where one may."""
    async with pool.connection() as connection:
        budget = await transcripts.budget(connection, key.tenant_id, key.task_id, key.turn)
        bounds = await limits.read(connection, key.tenant_id, key.task_id, key.turn)
    return not_called(bounds, budget.spent, budget.asked, key.turn)
