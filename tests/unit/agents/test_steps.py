"""Does a step behave the same, whichever model takes it? The scripted model passes what a real provider's passes."""

import asyncio

import pytest

from baton.domain.states import StepState
from tests.unit.agents.backends import Backend, Wanted
from tests.unit.agents.talk import Talk


async def test_text_comes_in_pieces_that_make_the_answer(backend: Backend) -> None:
    talk = backend.talk(Wanted("alpha beta gamma"))
    pieces: list[str] = []
    talk.begin_turn()

    answer = await talk.step(pieces.append)

    assert answer.text == "".join(pieces) == talk.partials[-1].text == "alpha beta gamma"
    assert answer.calls == ()


async def test_usage_is_reported(backend: Backend) -> None:
    talk = backend.talk(Wanted("alpha beta gamma"))
    await talk.turn()
    assert talk.answers[-1].usage.input_tokens > 0
    assert talk.answers[-1].usage.output_tokens > 0


async def test_a_tool_call_is_answered_and_the_turn_goes_on(backend: Backend) -> None:
    talk = backend.talk(Wanted("Let me see.", "clock"), Wanted("It is late."))

    text = await talk.turn()

    first, second = talk.steps
    assert first.text == "Let me see."
    assert [(call.name, call.arguments) for call in first.calls] == [("clock", {})]
    assert not first.results[0].failed
    assert text == second.text == "It is late."


async def test_a_call_without_text(backend: Backend) -> None:
    talk = backend.talk(Wanted("", "clock"), Wanted("Done that."))
    await talk.turn()
    assert talk.steps[0].text == ""
    assert talk.steps[1].text == "Done that."


async def test_a_failing_call_is_told_to_the_model(backend: Backend) -> None:
    talk = backend.talk(Wanted("", "no_such_tool", {"a": 1}), Wanted("So be it."))
    text = await talk.turn()
    assert talk.steps[0].results[0].failed
    assert text.endswith("So be it.")


async def test_a_question_ends_the_turn_and_its_answer_is_the_calls_return(backend: Backend) -> None:
    talk = backend.talk(Wanted("Hm.", "ask_user", {"question": "Which colour?"}), Wanted("As you wish."))

    await talk.turn()
    assert len(talk.open_questions) == 1
    talk.send("blue")
    text = await talk.turn()

    assert talk.answers[0].calls[0].arguments["question"] == "Which colour?"
    assert text.endswith("As you wish.")
    assert talk.open_questions == []


async def test_a_question_that_makes_no_sense_is_refused_and_the_turn_goes_on(backend: Backend) -> None:
    talk = backend.talk(Wanted("", "ask_user", {"question": " "}), Wanted("Never mind."))
    text = await talk.turn()
    assert talk.steps[0].results[0].failed
    assert talk.open_questions == []
    assert text.endswith("Never mind.")


async def test_many_turns_with_everything_in_them(backend: Backend) -> None:
    talk = backend.talk(
        Wanted("One.", "ask_user", {"question": "Go on?"}),
        Wanted("Two.", "clock"),
        Wanted("Three."),
        Wanted("Four.", "ask_user", {"question": "And now?"}),
        Wanted("Five."),
        Wanted("Six."),
    )
    texts = [await talk.turn()]
    talk.send("yes")
    texts.append(await talk.turn())
    talk.send("first")
    talk.send("second")
    texts.append(await talk.turn())
    talk.send("not an answer", answers=())
    texts.append(await talk.turn())
    talk.send("late answer")
    texts.append(await talk.turn())

    said = [[word for word in text.split() if word.endswith(".")][-1] for text in texts]
    assert said == ["One.", "Three.", "Four.", "Five.", "Six."]


async def test_interrupted_in_the_middle_the_part_is_kept(backend: Backend) -> None:
    talk = backend.slow_talk()
    talk.begin_turn()
    some = asyncio.Event()
    pieces: list[str] = []

    def heard(piece: str) -> None:
        pieces.append(piece)
        if len(pieces) == 3:
            some.set()

    step = asyncio.create_task(talk.step(heard))
    await some.wait()
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(step, 5)

    assert talk.steps[0].state is StepState.INTERRUPTED
    assert talk.steps[0].text == "".join(pieces) != ""
    assert talk.steps[0].response is not None
    await _goes_on(talk)


async def _goes_on(talk: Talk) -> None:
    """The next turn is accepted by the model, whatever it says."""
    talk.send("!say Well then.")
    assert "Well then." in await talk.turn()


async def test_turns_without_anything_to_read_are_answered(backend: Backend) -> None:
    talk = backend.talk(Wanted("First."), Wanted("Second."))
    await talk.turn()
    assert await talk.turn() == "Second."
