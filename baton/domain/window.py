"""How much of a conversation fits a model's window, and which part of it makes way for a summary. Pure.

Sizes are bytes, about as a request's JSON has them. A token is taken for three of them, which few texts go below.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import orjson

from baton.domain.compactions import Compaction, CompactionReason, Cut, LeftOut
from baton.domain.conversation import Attachment, ReadMessage, RecordedStep, RecordedTurn, ToolResult, Transcript
from baton.domain.json import JsonValue
from baton.domain.results import asked_of_model

BYTES_PER_TOKEN: Final = 3
DEFAULT_WINDOW: Final = 128_000
"""The tokens that a model is taken to read where nobody knows better."""

_AROUND: Final = 64  #: what a part of a request takes beside its text
_FILE: Final = 2_000 * BYTES_PER_TOKEN  #: what a file is taken for that is no text: providers count what it shows
_SHORTEST: Final = 400  #: what is left of a result that is shortened, at least


@dataclass(frozen=True, slots=True)
class WindowRoom:
    """What fits, in bytes: ``most`` in a request, about ``kept`` as it was said right after a compaction; ``summary``
    in a summary, which is made of up to ``material``."""

    most: int
    kept: int
    summary: int
    material: int


def room_in(window_bytes: int) -> WindowRoom:
    """The room in a window: a fifth of it is left to the answer, and to what was guessed too low."""
    most = window_bytes * 4 // 5
    return WindowRoom(most, most // 2, min(max(most // 8, 512), 16 * 1024), most * 3 // 4)


def room_to_shorten(size: int, room: WindowRoom) -> WindowRoom:
    """The room in which what has ``size`` bytes now is to have about two fifths of that, whatever ``room`` there is."""
    return replace(room_in(size), material=room.material)


def room_for(window_tokens: int, compaction: Compaction | None, model: str) -> WindowRoom:
    """The room that a conversation with ``model`` has. A size that the provider has refused before is too much."""
    window = window_tokens * BYTES_PER_TOKEN
    if compaction is not None and compaction.refused_bytes is not None and compaction.agent_model == model:
        window = min(window, compaction.refused_bytes)
    return room_in(window)


def fixed_bytes(transcript: Transcript) -> int:
    """What every request holds, the definitions of tools aside: instructions, the task, the summary, what is pinned."""
    texts = [transcript.agent.instructions, transcript.title, transcript.description, transcript.remaining]
    texts.append(asked_of_model(transcript.result_schema))
    for item in transcript.dependencies:
        texts += (item.title, item.result)
    if transcript.compaction is not None:
        texts.append(transcript.compaction.summary)
    messages = sum(map(_message_bytes, transcript.pinned))
    return sum(map(_text_bytes, texts)) + _file_bytes(transcript.attachments) + messages


def said_bytes(transcript: Transcript) -> int:
    """What the messages, answers and results take that are read as they are."""
    return sum(_turn_bytes(turn) for turn in transcript.turns)


def cut_for(transcript: Transcript, room: WindowRoom, other_bytes: int) -> Cut | None:
    """Up to where ``transcript`` makes way for a summary, so that the rest fits beside ``other_bytes``; None where
    nothing can.

    The messages of the turn under way always stay. So does an answer whose results the model has not read yet, unless
    what was said since is too long by itself. What is left out at once is bounded by what a summary can be made of:
    what is too long takes several.
    """
    said = said_bytes(transcript)
    kept = max(room.kept - other_bytes - room.summary, room.kept // 4)
    all_cuts = list(_cuts(transcript))
    unread = None if transcript.is_beginning else _unread(transcript)
    cuts = [(cut, left) for cut, left in all_cuts if unread is None or cut <= unread]
    if not cuts:
        most = room.most - other_bytes
        if not all_cuts or said_bytes(shortened(transcript, said - most)) <= most:
            return None
        cuts = all_cuts
    wanted = next((n for n, (_, left) in enumerate(cuts) if said - left <= kept), len(cuts) - 1)
    possible = sum(left <= room.material for _, left in cuts)
    return cuts[min(wanted, max(possible - 1, 0))][0]


def _cuts(transcript: Transcript) -> Iterator[tuple[Cut, int]]:
    """Where a transcript may be cut, with the bytes that are left out before: before each turn but the first, and
    each answer in a turn but its first."""
    before = 0
    for place, turn in enumerate(transcript.turns):
        if place:
            yield Cut(turn.number, 0), before
        left = before
        steps = [step for step in turn.steps if step.response is not None]
        for earlier, step in pairwise(steps):
            left += _step_bytes(earlier)
            yield Cut(turn.number, step.number), left
        before += _turn_bytes(turn)


def _unread(transcript: Transcript) -> Cut | None:
    """The last answer, if it has results: no other one follows that has read them. It may be of a turn before, whose
    calls were held back until somebody had consented, or that has failed."""
    answers = [(turn, step) for turn in transcript.turns for step in turn.steps if step.response is not None]
    if not answers or not answers[-1][1].results:
        return None
    turn, step = answers[-1]
    return Cut(turn.number, step.number)


def left_by(transcript: Transcript, cut: Cut) -> tuple[RecordedTurn, ...]:
    """What ``cut`` leaves out: turns, of the last of them perhaps some steps and none of its messages."""
    whole = tuple(turn for turn in transcript.turns if turn.number < cut.turn)
    part = next((turn for turn in transcript.turns if turn.number == cut.turn), None)
    steps = () if part is None else tuple(step for step in part.steps if step.number < cut.step)
    return (*whole, RecordedTurn(cut.turn, (), steps)) if steps else whole


def compacted(
    transcript: Transcript,
    cut: Cut,
    summary: str,
    *,
    reason: CompactionReason,
    at: tuple[int, int],
    refused_bytes: int | None,
    model: str,
) -> Compaction:
    """The compaction of ``transcript`` at ``cut``, which the step ``at`` makes, on top of the one that it reads."""
    last, agent_model = transcript.compaction, transcript.agent.model
    left = left_by(transcript, cut)
    steps = [step for turn in left for step in turn.steps]
    answered = {id for turn in left for message in turn.messages for id in message.answers}
    asked = {**({} if last is None else last.questions), **{id: text for step in steps for id, text in _asked(step)}}
    kept = [message.seq for turn in transcript.turns if turn.number >= cut.turn for message in turn.messages]
    so_far = LeftOut() if last is None else last.left_out
    return Compaction(
        cut=cut,
        summary=summary,
        left_out=LeftOut(
            last_turn=left[-1].number,
            messages=so_far.messages + sum(len(turn.messages) for turn in left),
            steps=so_far.steps + sum(step.response is not None for step in steps),
            calls=so_far.calls + sum(len(step.calls) for step in steps),
        ),
        reason=reason,
        turn=at[0],
        step=at[1],
        last=0 if last is None else last.number,
        kept_seq=min(kept, default=0 if last is None else last.kept_seq),
        questions={id: text for id, text in asked.items() if id not in answered},
        refused_bytes=refused_bytes or (last.refused_bytes if last and last.agent_model == agent_model else None),
        model=model,
        agent_model=agent_model,
    )


def shortened(transcript: Transcript, excess: int) -> Transcript:
    """``transcript`` with its longest results cut in their middle, so that ``excess`` bytes less are read, as far as
    that goes; itself where that is not at all."""
    sizes = [
        len(_bytes_of(result.content)) for turn in transcript.turns for step in turn.steps for result in step.results
    ]
    limit = max(level(sizes, sum(sizes) - excess), _SHORTEST)
    if max(sizes, default=0) <= limit:
        return transcript
    return replace(transcript, turns=tuple(_with_shorter(turn, limit) for turn in transcript.turns))


def with_shorter_texts(transcript: Transcript, excess: int) -> Transcript:
    """``transcript`` with the longest texts cut in their middle: what the task is, what others came to, messages; so
    that ``excess`` bytes less are read, as far as that goes."""
    texts = [transcript.description, *(item.result for item in transcript.dependencies)]
    texts += [message.text for message in (*transcript.pinned, *_messages(transcript))]
    sizes = [len(text.encode()) for text in texts]
    limit = max(level(sizes, sum(sizes) - excess), _SHORTEST)

    def shorter(message: ReadMessage) -> ReadMessage:
        return replace(message, text=shortened_text(message.text, limit))

    return replace(
        transcript,
        description=shortened_text(transcript.description, limit),
        dependencies=tuple(
            replace(item, result=shortened_text(item.result, limit)) for item in transcript.dependencies
        ),
        pinned=tuple(map(shorter, transcript.pinned)),
        turns=tuple(replace(turn, messages=tuple(map(shorter, turn.messages))) for turn in transcript.turns),
    )


def parts_of(transcript: Transcript) -> list[tuple[str, int]]:
    """What people have written of ``transcript``, with its bytes."""
    return [
        ("the task", len(transcript.description.encode())),
        ("results of other tasks", sum(len(item.result.encode()) for item in transcript.dependencies)),
        ("pinned messages", sum(map(_message_bytes, transcript.pinned))),
        ("messages", sum(map(_message_bytes, _messages(transcript)))),
        ("instructions", len(transcript.agent.instructions.encode())),
    ]


def shortened_text(text: str, limit: int) -> str:
    """``text`` in up to ``limit`` bytes or a few more: its middle makes way."""
    data = text.encode()
    if len(data) <= limit:
        return text
    half = max((limit - _AROUND) // 2, 16)
    head, tail = data[:half].decode(errors="ignore"), data[-half:].decode(errors="ignore")
    return f"{head}\n[… {max(len(data) - 2 * half, 0):,} bytes are left out …]\n{tail}"


def level(sizes: Sequence[int], most: int) -> int:
    """The size to which those above it have to be cut, so that all ``sizes`` together have ``most`` at most."""
    for place, size in enumerate(ordered := sorted(sizes)):
        share = most // (len(ordered) - place)
        if size > share:
            return max(share, 0)
        most -= size
    return max(sizes, default=0)


def _with_shorter(turn: RecordedTurn, limit: int) -> RecordedTurn:
    steps = (replace(step, results=tuple(_shorter(result, limit) for result in step.results)) for step in turn.steps)
    return replace(turn, steps=tuple(steps))


def _shorter(result: ToolResult, limit: int) -> ToolResult:
    data = _bytes_of(result.content)
    return result if len(data) <= limit else replace(result, content=shortened_text(data.decode(), limit))


def _messages(transcript: Transcript) -> list[ReadMessage]:
    return [message for turn in transcript.turns for message in turn.messages]


def _turn_bytes(turn: RecordedTurn) -> int:
    return sum(map(_message_bytes, turn.messages)) + sum(map(_step_bytes, turn.steps))


def _message_bytes(message: ReadMessage) -> int:
    return _text_bytes(message.text) + _file_bytes(message.attachments)


def _step_bytes(step: RecordedStep) -> int:
    response = 0 if step.response is None else len(orjson.dumps(step.response))
    return response + sum(map(_result_bytes, step.results))


def _result_bytes(result: ToolResult) -> int:
    return len(_bytes_of(result.content)) + len(_bytes_of(result.edited or "")) + 2 * _AROUND


def _bytes_of(value: JsonValue) -> bytes:
    return value.encode() if isinstance(value, str) else orjson.dumps(value)


def _text_bytes(text: str) -> int:
    return len(text.encode()) + _AROUND


def _file_bytes(attachments: Sequence[Attachment]) -> int:
    is_text = ("text/", "application/json")
    return sum(
        len(a.url) if a.media_type.startswith(is_text) and a.url.startswith("data:") else _FILE for a in attachments
    )


def _asked(step: RecordedStep) -> Iterator[tuple[str, str]]:
    """The questions of a step: id and text."""
    calls = {call.id: call for call in step.calls}
    for call_id, question in step.questions:
        call = calls.get(call_id)
        yield question, "" if call is None else str(call.arguments.get("question", ""))
