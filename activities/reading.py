"""What a step reads before its model is asked, and whether a tool may be called."""

from dataclasses import dataclass, replace
from typing import Final

from activities.failures import LimitReached, hold_to, not_called, what_is_left
from baton.agents.errors import RESULT_INVALID, TRANSCRIPT_TOO_LARGE, ModelFailed
from baton.agents.replies import leaves_off
from baton.domain.conversation import Transcript, Usage
from baton.domain.ids import StepKey
from baton.domain.results import CHOICES, RESULT, gives_up, question_after, taken_as_text, takes_text
from baton.domain.too_long import longer_than_limit, may_shorten
from baton.store import transcripts
from baton.store.pool import Connection, Pool
from baton.store.transcripts import Budget

#: Turns that are loaded to be shortened: of fewer, none would be left out.
_FEWEST_TURNS: Final = 2


@dataclass(frozen=True, slots=True)
class StepRead:
    """What a step reads. ``taken``: what the model has said before that is the task's result now, as it is, since
    somebody said so; None where the model is to be asked. ``so_far``: what it has said of the answer that it goes on
    with, "" where it begins one."""

    transcript: Transcript
    taken: str | None = None
    so_far: str = ""


async def read_transcript(pool: Pool, key: StepKey, most_bytes: int) -> StepRead:
    """What the step ``key`` reads: all, or what is left of it beside the summary that its task has.

    Where that is more than ``most_bytes``, it is not loaded: but its beginning, if a summary of that helps, or all with
    the longest texts shortened, if somebody has agreed to that. Raises LimitReached and ModelFailed where the model is
    not to be asked: see `hold_to`, and for what is too long otherwise, with what the task is to ask.
    """
    async with pool.connection() as connection:
        budget = await transcripts.budget(connection, key.tenant_id, key.task_id, key.turn)
        own, plan = budget.limits.own, budget.limits.plan
        said = _said_of_results(budget, key)
        takes = said is not None and takes_text(said)  # which costs nothing, if it comes to that
        if not takes:
            hold_to(own, budget, key.turn, plan)
        transcript = await _read(connection, key, budget, most_bytes)
    allowed = may_shorten(budget.asked, key.turn)
    left = what_is_left(own, budget, plan)
    transcript = replace(transcript, remaining=left, may_shorten=allowed)
    if transcript.is_beginning:
        hold_to(own, budget, key.turn, plan)
        return StepRead(transcript)
    if (question := question_after(transcript, budget.refused)) is not None:
        raise LimitReached(RESULT, question, choices=CHOICES)
    has_answered = any(step.response is not None for step in transcript.turns[-1].steps)  # others make summaries
    taken = None if said is None or has_answered else taken_as_text(transcript, said)
    if takes and taken is None:
        hold_to(own, budget, key.turn, plan)
    return await _with_what_was_said(pool, key, StepRead(transcript, taken))


async def hold_back(pool: Pool, key: StepKey, usage: Usage) -> None:
    """Raises LimitReached and ModelFailed like `read_transcript` where an attempt at the step ``key`` that has used
    ``usage`` so far may not ask a model again."""
    async with pool.connection() as connection:
        budget = await transcripts.budget(connection, key.tenant_id, key.task_id, key.turn)
    budget = budget.after(usage)
    hold_to(budget.limits.own, budget, key.turn, budget.limits.plan)


async def _with_what_was_said(pool: Pool, key: StepKey, read: StepRead) -> StepRead:
    """``read`` with the beginning of the answer whose end the step is to bring, or which is taken as it is."""
    answers = [(turn, step) for turn in read.transcript.turns for step in turn.steps if step.response is not None]
    if read.taken is None and not (answers and leaves_off(answers[-1][1])):
        return read
    turn, step = answers[-1]
    end = key if read.taken is None else replace(key, turn=turn.number, step=step.number)
    async with pool.connection() as connection:
        said = await transcripts.unfinished_text(connection, end)
    return replace(read, so_far=said) if read.taken is None else replace(read, taken=said + read.taken)


def _said_of_results(budget: Budget, key: StepKey) -> str | None:
    """What the turn begins with of an answer to what was asked about results that are not valid, None for nothing.
    Raises ModelFailed where that is to give up."""
    last = next((asked for asked in reversed(budget.asked) if asked.limit == RESULT), None)
    if last is None or last.answer is None or last.turn != key.turn:
        return None
    if gives_up(last.answer):
        raise ModelFailed(RESULT_INVALID, "No answer was a valid result, and the answer was to give up.", final=True)
    return last.answer


async def _read(connection: Connection, key: StepKey, budget: Budget, most: int) -> Transcript:
    task, last = (key.tenant_id, key.task_id), budget.compaction
    if budget.transcript_bytes <= most:
        return await transcripts.read(connection, *task, last)
    sizes = await transcripts.sizes(connection, *task, last, key.turn, most // 2)
    if budget.transcript_bytes - sizes.earlier <= most and sizes.turns >= _FEWEST_TURNS and not sizes.reads_all:
        begun = await transcripts.read(connection, *task, last, before=sizes.before)
        return replace(begun, is_beginning=True)
    size = budget.transcript_bytes
    if not may_shorten(budget.asked, key.turn):
        raise ModelFailed(TRANSCRIPT_TOO_LARGE, f"{size} bytes, of {most}", question=longer_than_limit(size, most))
    if size - sizes.texts > most // 2:
        raise ModelFailed(TRANSCRIPT_TOO_LARGE, f"{size} bytes, of {most}, also with texts shortened")
    return await transcripts.read(connection, *task, last, longest=max(most // 2 // max(sizes.count, 1), 16))


async def forbidden_by_limits(pool: Pool, key: StepKey) -> str | None:
    """Why no tool may be called in the step ``key``, None where one may."""
    async with pool.connection() as connection:
        budget = await transcripts.budget(connection, key.tenant_id, key.task_id, key.turn)
    return not_called(budget.limits, budget.spent, budget.asked, key.turn)
