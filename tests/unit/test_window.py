"""What of a conversation makes way for a summary: enough, in order, and never what the model has yet to read."""

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.domain.agents import Agent
from baton.domain.compactions import Compaction, CompactionReason, Cut
from baton.domain.conversation import ReadMessage, RecordedStep, RecordedTurn, ToolCall, ToolResult, Transcript
from baton.domain.states import StepState
from baton.domain.window import (
    compacted,
    cut_for,
    fixed_bytes,
    left_by,
    level,
    room_for,
    room_in,
    said_bytes,
    shortened,
    shortened_text,
    with_shorter_texts,
)

AGENT = Agent(uuid4(), uuid4(), 1, "an agent", "test:model")
WINDOW = 10_000


def message(turn: int, size: int, answers: tuple[str, ...] = ()) -> ReadMessage:
    return ReadMessage(uuid4(), turn, "m" * size, answers)


def step(number: int, size: int, *results: int, asks: str | None = None) -> RecordedStep:
    """An answer of so many bytes, with calls that gave so many."""
    calls = [ToolCall(f"c{n}", "look", {}) for n in range(len(results))]
    if asks:
        calls.append(ToolCall("q", "ask_user", {"question": f"What about {asks}?"}))
    return RecordedStep(
        number,
        StepState.RECORDED,
        "a" * size,
        {"text": "a" * size},
        tuple(calls),
        tuple(ToolResult(f"c{n}", "r" * result) for n, result in enumerate(results)),
        (("q", asks),) if asks else (),
    )


def talk(*turns: RecordedTurn) -> Transcript:
    return Transcript(AGENT, "a task", "do it", (), turns)


def exchange(turn: int, size: int = 400) -> RecordedTurn:
    return RecordedTurn(turn, (message(turn, size),), (step(0, size),))


def summed(transcript: Transcript, cut: Cut, **more: int) -> Compaction:
    return compacted(
        transcript, cut, "a summary", reason=CompactionReason.WINDOW, at=(9, 0), refused_bytes=None, model="m", **more
    )


def test_what_is_kept_fits_and_is_as_much_as_fits() -> None:
    transcript = talk(*(exchange(turn) for turn in range(1, 9)), RecordedTurn(9, (message(9, 400),), ()))
    room = room_in(WINDOW)
    cut = cut_for(transcript, room, 500)
    assert cut is not None
    assert cut == Cut(7, 0)
    left = said_bytes(replace(transcript, turns=left_by(transcript, cut)))
    kept = said_bytes(transcript) - left
    assert kept <= room.kept - 500 - room.summary < kept + said_bytes(talk(exchange(6)))


def test_the_turn_under_way_keeps_its_messages_and_what_is_not_read_yet() -> None:
    steps = tuple(step(number, 50, 900) for number in range(7))
    transcript = talk(RecordedTurn(1, (message(1, 300),), steps))
    cut = cut_for(transcript, room_in(WINDOW), 300)
    assert cut is not None
    assert cut == Cut(1, 5)
    (left,) = left_by(transcript, cut)
    assert (left.messages, left.steps) == ((), steps[: cut.step])
    only = talk(RecordedTurn(1, (message(1, 300),), (step(0, 50, *([900] * 20)),)))
    assert cut_for(only, room_in(WINDOW), 300) is None


@pytest.mark.parametrize("failed", [(), (RecordedTurn(4, (message(4, 200),), ()),)])
def test_results_of_calls_that_were_held_back_stay_until_they_are_read(failed: tuple[RecordedTurn, ...]) -> None:
    asks = RecordedTurn(3, (message(3, 200),), (step(0, 50, 4000), step(1, 50, 6000)))
    due = RecordedTurn(5, (message(5, 200),), ())
    transcript = talk(exchange(1), exchange(2), asks, *failed, due)
    room = room_in(WINDOW)
    assert cut_for(transcript, room, 300) == Cut(3, 1)
    rest = replace(transcript, turns=(replace(asks, steps=asks.steps[1:]), *failed, due))
    assert cut_for(rest, room, 300) is None
    assert said_bytes(rest) - said_bytes(shortened(rest, 3000)) >= 3000
    long = replace(due, messages=(message(5, 9000),))
    assert cut_for(replace(rest, turns=(*rest.turns[:-1], long)), room, 300) == Cut(4 if failed else 5, 0)
    read = talk(*rest.turns[:-1], replace(due, steps=(step(0, 50),)))
    assert cut_for(read, room, 300) == Cut(4 if failed else 5, 0)


def test_a_summary_is_no_answer_whose_results_are_to_be_read() -> None:
    summary = replace(step(1, 0), response=None)
    transcript = talk(RecordedTurn(1, (), (step(0, 50, 6000), summary)))
    assert cut_for(transcript, room_in(WINDOW), 300) is None


def test_what_is_too_long_for_one_summary_takes_several() -> None:
    transcript = talk(*(exchange(turn, 1000) for turn in range(1, 60)))
    room = room_in(WINDOW)
    cuts = list[Cut]()
    while said_bytes(transcript) > room.kept:
        cut = cut_for(transcript, room, 300)
        assert cut is not None
        assert said_bytes(replace(transcript, turns=left_by(transcript, cut))) <= room.material
        cuts.append(cut)
        rest = tuple(turn for turn in transcript.turns if turn.number >= cut.turn)
        transcript = replace(transcript, turns=rest, compaction=summed(transcript, cut))
    assert cuts == sorted(set(cuts))
    assert len(cuts) > 10
    assert transcript.compaction is not None
    assert transcript.compaction.left_out.messages == cuts[-1].turn - 1


@given(
    sizes=st.lists(
        st.tuples(st.integers(0, 3000), st.lists(st.integers(0, 3000), max_size=4)), min_size=1, max_size=12
    ),
    other=st.integers(0, 12_000),
)
def test_a_cut_always_leads_on(sizes: list[tuple[int, list[int]]], other: int) -> None:
    turns = [
        RecordedTurn(turn, (message(turn, said),), tuple(step(number, 10, size) for number, size in enumerate(results)))
        for turn, (said, results) in enumerate(sizes, start=1)
    ]
    transcript = talk(*turns)
    cut = cut_for(transcript, room_in(WINDOW), other)
    if cut is None:
        most = room_in(WINDOW).most - other
        fits = said_bytes(shortened(transcript, said_bytes(transcript) - most)) <= most
        assert len(turns) == 1 or (fits and not any(turn.steps for turn in turns[1:]))
        assert len(turns[0].steps) < 2
        return
    assert Cut(1, 0) < cut <= Cut(len(turns), max(len(turns[-1].steps) - 1, 0))
    assert left_by(transcript, cut)


def test_what_is_counted_and_what_was_asked_is_carried_on() -> None:
    transcript = talk(
        RecordedTurn(1, (message(1, 5),), (step(0, 5, 5, 5, asks="red"),)),
        RecordedTurn(2, (message(2, 5, ("red",)),), (step(0, 5, asks="blue"),)),
        RecordedTurn(3, (message(3, 5),), (step(0, 5), step(1, 5))),
    )
    one = summed(transcript, Cut(2, 0))
    assert (one.left_out.last_turn, one.left_out.messages, one.left_out.steps, one.left_out.calls) == (1, 1, 1, 3)
    assert (one.questions, one.kept_seq) == ({"red": "What about red?"}, 2)
    after = replace(transcript, turns=transcript.turns[1:], compaction=one)
    two = summed(after, Cut(3, 1))
    assert (two.left_out.last_turn, two.left_out.messages, two.left_out.steps, two.left_out.calls) == (3, 2, 3, 4)
    assert (two.questions, two.kept_seq) == ({"blue": "What about blue?"}, 3)


def test_a_size_that_was_refused_is_not_tried_again_with_that_model() -> None:
    transcript = talk(exchange(1), exchange(2))
    known = replace(summed(transcript, Cut(2, 0)), refused_bytes=9_000, agent_model="test:model")
    assert room_for(100_000, known, "test:model") == room_in(9_000)
    assert room_for(100_000, known, "test:other") == room_in(300_000)
    assert room_for(1_000, known, "test:model") == room_in(3_000)


@given(sizes=st.lists(st.integers(0, 1000), max_size=8), most=st.integers(0, 5000))
def test_a_level_lets_all_fit(sizes: list[int], most: int) -> None:
    limit = level(sizes, most)
    assert sum(min(size, limit) for size in sizes) <= max(most, 0)
    if limit < max(sizes, default=0):
        assert sum(min(size, limit + 1) for size in sizes) > most - len(sizes)


@given(text=st.text(st.sampled_from("aä漢🎉\n"), max_size=600), limit=st.integers(100, 2000))
def test_a_text_that_is_shortened_keeps_its_ends(text: str, limit: int) -> None:
    short = shortened_text(text, limit)
    assert len(short.encode()) <= max(limit, len(text.encode()) if len(text.encode()) <= limit else limit)
    assert short == text or (short[:4] == text[:4] and short[-4:] == text[-4:])


@pytest.mark.parametrize("excess", [1, 2000, 5000])
def test_long_results_are_shortened_as_far_as_it_takes(excess: int) -> None:
    transcript = talk(exchange(1), RecordedTurn(2, (), (step(0, 5, 4000, 4000, 100),)))
    shorter = shortened(transcript, excess)
    assert said_bytes(transcript) - said_bytes(shorter) >= excess
    small, *_ = (result for result in shorter.turns[1].steps[0].results if result.call_id == "c2")
    assert small.content == "r" * 100
    short = talk(exchange(1))
    assert shortened(short, excess) is short
    assert fixed_bytes(shorter) == fixed_bytes(transcript)


def test_texts_are_shortened_from_the_longest_down() -> None:
    long, short = message(1, 9_000), message(2, 300)
    whole = replace(talk(RecordedTurn(1, (long, short), ())), description="d" * 5_000, may_shorten=True)
    less = with_shorter_texts(whole, 8_000)
    assert fixed_bytes(less) + said_bytes(less) <= fixed_bytes(whole) + said_bytes(whole) - 7_800
    assert less.turns[0].messages[1] == short
    assert less.turns[0].messages[0].text.startswith("mmm")
    assert "are left out" in less.description
    assert with_shorter_texts(whole, 0) == whole


def test_a_beginning_is_cut_although_its_last_results_are_unread_there() -> None:
    turns = (RecordedTurn(1, (message(1, 10),), (step(0, 10, 3_000),)), exchange(2, 3_000))
    beginning = replace(talk(*turns), is_beginning=True)
    assert cut_for(beginning, room_in(WINDOW), 0) is not None
