"""What an agent does next: it answers, or where its conversation does not fit the model's window, shortens that."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Final

import orjson

from baton.agents.errors import OVERFLOW, ModelFailed
from baton.agents.models import Models
from baton.agents.steps import PartialReply, take_step
from baton.agents.summaries import summary_of
from baton.agents.tools import definitions
from baton.domain.compactions import Compaction, CompactionReason, Cut
from baton.domain.conversation import ModelReply, Transcript
from baton.domain.model_settings import summary_model
from baton.domain.too_long import longer_than_window
from baton.domain.window import (
    WindowRoom,
    compacted,
    cut_for,
    fixed_bytes,
    left_by,
    parts_of,
    room_for,
    room_in,
    room_to_shorten,
    said_bytes,
    shortened,
    with_shorter_texts,
)

#: Of a size that a provider has refused, so much is tried next.
_LESS: Final = 2
#: How often texts are shortened in a row, by somebody's leave.
_SHORTER: Final = 4


async def take_next(
    models: Models,
    transcript: Transcript,
    at: tuple[int, int],
    attempt: int,
    partial: PartialReply,
    on_text: Callable[[str], None],
) -> ModelReply | Compaction:
    """The reply of the agent's model to ``transcript``, as `take_step` has it; or a compaction, where that would not
    fit, or where somebody has asked for one: the next step reads it.

    ``at``: the turn and the step that is being taken. An overflow that the window did not foretell is compacted, too;
    another one right after it is raised. What cannot be left out is shortened: results, and where somebody has agreed
    to it, texts. An overflow that is raised says what the task is to ask, unless it has been asked.
    """
    room = await _room(models, transcript)
    if room is None:
        return await take_step(models, transcript, attempt, partial, on_text)
    other = fixed_bytes(transcript) + _tool_bytes(transcript)
    tried = _has_just_compacted(transcript, at)
    if transcript.is_beginning or other + said_bytes(transcript) > room.most:
        if (cut := cut_for(transcript, room, other)) is not None:
            reason = CompactionReason.OVERFLOW if tried else CompactionReason.WINDOW
            return await _compact(models, transcript, cut, room, reason, at, partial)
        transcript = _shorter(transcript, room.most)
    elif transcript.asks_for_summary:
        wanted = room_to_shorten(other + said_bytes(transcript), room)
        if (cut := cut_for(transcript, wanted, other)) is not None:
            return await _compact(models, transcript, cut, wanted, CompactionReason.REQUESTED, at, partial)
    for tries in count(1):
        try:
            return await take_step(models, transcript, attempt, partial, on_text)
        except ModelFailed as error:
            if not error.overflowed or partial.text:
                raise
            other = fixed_bytes(transcript) + _tool_bytes(transcript)
            refused = other + said_bytes(transcript)
            less = room_in(refused // _LESS)
            if tries == 1 and not tried and (cut := cut_for(transcript, less, other)) is not None:
                return await _compact(models, transcript, cut, less, CompactionReason.OVERFLOW, at, partial, refused)
            shorter = _shorter(transcript, less.most)
            if shorter == transcript or tries > (_SHORTER if transcript.may_shorten else not tried):
                raise _asking(error, transcript) from error
            transcript = shorter
    raise AssertionError("unreachable")


def _shorter(transcript: Transcript, most: int) -> Transcript:
    """``transcript`` with its longest results shortened, to ``most`` bytes if possible; where somebody has agreed to
    that, with its longest texts, too."""
    excess = _bytes_of(transcript) - most
    shorter = shortened(transcript, excess) if excess > 0 else transcript
    if shorter.may_shorten and (excess := _bytes_of(shorter) - most) > 0:
        return with_shorter_texts(shorter, excess)
    return shorter


def _asking(error: ModelFailed, transcript: Transcript) -> ModelFailed:
    """``error``, with what the task is to ask where it is an overflow and nobody has been asked yet."""
    if error.code != OVERFLOW or transcript.may_shorten:
        return error
    return ModelFailed(error.code, error.detail, question=longer_than_window(parts_of(transcript)))


async def _compact(
    models: Models,
    transcript: Transcript,
    cut: Cut,
    room: WindowRoom,
    reason: CompactionReason,
    at: tuple[int, int],
    partial: PartialReply,
    refused: int | None = None,
) -> Compaction:
    if (named := summary_model(transcript.agent.model_settings)) is not None:
        with suppress(ModelFailed):  # as below; another model makes the summary
            if (window := await models.window(named, {})) is not None:
                room = replace(room, material=min(room.material, room_for(window, None, named).material))
    text, model = await summary_of(models, transcript, left_by(transcript, cut), room, partial)
    return compacted(transcript, cut, text, reason=reason, at=at, refused_bytes=refused, model=model)


async def _room(models: Models, transcript: Transcript) -> WindowRoom | None:
    """The room that the conversation has, whichever of its agent's models answers; None where there is no end to it."""
    agent = transcript.agent
    windows: list[int | None] = []
    for choice in agent.choices:
        with suppress(ModelFailed):  # `take_step` says what is wrong with it
            windows.append(await models.window(choice.model, choice.settings))
    known = [window for window in windows if window is not None]
    return room_for(min(known), transcript.compaction, agent.model) if known and known == windows else None


def _has_just_compacted(transcript: Transcript, at: tuple[int, int]) -> bool:
    """Whether the step before has made a summary since the provider had refused what came before it."""
    last = transcript.compaction
    return last is not None and last.reason is CompactionReason.OVERFLOW and (last.turn, last.step + 1) == at


def _bytes_of(transcript: Transcript) -> int:
    """All that a request would hold."""
    return fixed_bytes(transcript) + _tool_bytes(transcript) + said_bytes(transcript)


def _tool_bytes(transcript: Transcript) -> int:
    return sum(
        len(orjson.dumps(tool.parameters_json_schema)) + len((tool.description or "").encode()) + len(tool.name)
        for tool in definitions(transcript.agent.tools)
    )
