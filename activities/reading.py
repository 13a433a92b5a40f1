"""What a step reads before its model is asked, and whether a tool may be called."""

from dataclasses import replace

from activities.failures import hold_to, not_called, what_is_left
from baton.agents.errors import TRANSCRIPT_TOO_LARGE, ModelFailed
from baton.domain.conversation import Transcript
from baton.domain.ids import StepKey
from baton.store import limits, transcripts
from baton.store.pool import Pool


async def read_transcript(pool: Pool, key: StepKey, most_bytes: int) -> Transcript:
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
    return replace(transcript, remaining=what_is_left(bounds.own, budget, bounds.plan))


async def forbidden_by_limits(pool: Pool, key: StepKey) -> str | None:
    """Why no tool may be called in the step ``key``, None where one may."""
    async with pool.connection() as connection:
        budget = await transcripts.budget(connection, key.tenant_id, key.task_id, key.turn)
        bounds = await limits.read(connection, key.tenant_id, key.task_id, key.turn)
    return not_called(bounds, budget.spent, budget.asked, key.turn)
