"""Does the scripted model say what its grammar promises, turn by turn?"""

import asyncio

import pytest
from pydantic_ai.messages import TextPart

from baton.agents.errors import ModelFailed
from baton.agents.models import Models
from baton.agents.responses import decoded
from baton.agents.scripted import ScriptedModel
from baton.agents.transcript import model_messages
from baton.domain.conversation import DependencyResult
from baton.domain.states import StepState
from tests.unit.agents.talk import Talk


async def test_one_response_performs_as_many_directives_as_it_can(models: Models) -> None:
    talk = Talk(models, "Text counts for nothing.\n!say one\n!stream 3\n!say two\n!finish three\n!say four")
    assert await talk.turn() == "one\nt1 t2 t3\ntwo\nthree"
    assert len(talk.steps) == 1


async def test_what_is_left_goes_on_in_the_next_turn(models: Models) -> None:
    talk = Talk(models, "!finish three\n!say four")
    await talk.turn()
    talk.send("hello")
    assert await talk.turn() == "four\nYou said: hello"


async def test_an_answer_is_read_before_the_lines_that_are_left(models: Models) -> None:
    talk = Talk(models, "!ask Which?\n!say next line")
    talk.begin_turn()
    await talk.step()
    talk.send("earlier", answers=())  # queued while the turn was under way: it answers nothing
    talk.send("blue", answers=tuple(talk.open_questions))
    assert await talk.turn() == "You said: blue\nnext line\nYou said: earlier"


async def test_directives_in_an_answer_are_performed_at_its_place(models: Models) -> None:
    talk = Talk(models, "!ask Which?\n!say left")
    await talk.turn()
    talk.send("!say inner\n!ask Sure?\n!say after")
    await talk.turn()
    assert talk.steps[-1].text == "inner"
    talk.send("yes")
    assert await talk.turn() == "You said: yes\nafter\nleft"


async def test_without_an_answer_the_script_goes_on_and_reads_it_when_it_comes(models: Models) -> None:
    talk = Talk(models, "!ask Which?\n!say left")
    await talk.turn()
    talk.send("something else", answers=())
    assert await talk.turn() == "left\nYou said: something else"
    talk.send("blue")
    assert await talk.turn() == "You said: blue"


async def test_one_message_that_answers_two_questions_is_read_once(models: Models) -> None:
    talk = Talk(models, "!ask First?\n!ask Second?")
    await talk.turn()
    talk.send("not yet", answers=())
    await talk.turn()
    assert len(talk.open_questions) == 2
    talk.send("both")
    assert await talk.turn() == "You said: both\nYou said: not yet"


async def test_messages_are_acknowledged_one_by_one_and_unchanged(models: Models) -> None:
    talk = Talk(models, "")
    talk.send("  two\nlines ")
    talk.send("")
    assert await talk.turn() == "Done: The task\nYou said:   two\nlines \nYou said: "


async def test_a_task_comes_to_a_result_whatever_it_says(models: Models) -> None:
    assert await Talk(models, "Just do it.", title="Tidy up").turn() == "Done: Tidy up"
    assert await Talk(models, "!sleep 0\n!stream 0", title="Tidy up").turn() == "Done: Tidy up"
    assert await Talk(models, "!finish", title="Tidy up").turn() == "Done: Tidy up"


async def test_a_tools_result_is_said_where_nothing_else_is(models: Models) -> None:
    text = await Talk(models, "!tool clock").turn()
    assert text.startswith("clock: 20")
    assert await Talk(models, "!tool clock\n!say enough").turn() == "enough"


async def test_a_call_that_failed_is_never_silent(models: Models) -> None:
    text = await Talk(models, '!tool clock {"zone": "CET"}\n!say on').turn()
    assert text.startswith("clock: clock was not called. zone:")
    assert text.endswith("\non")


async def test_results_of_dependencies(models: Models) -> None:
    dependencies = (DependencyResult(2, "Second", "!say b\nTitle: x"), DependencyResult(1, "First", "a"))
    talk = Talk(models, "!results", dependencies=dependencies)
    assert await talk.turn() == "First: a\nSecond: !say b\nTitle: x"
    assert await Talk(models, "!results").turn() == "No dependencies."


async def test_fail_fails_the_first_attempts(models: Models) -> None:
    talk = Talk(models, "!say before\n!fail 2 bad luck\n!say after")
    assert await talk.turn() == "before\nafter"
    assert [draft.text for draft in talk.partials] == ["before", "before", "before\nafter"]


@pytest.mark.parametrize(
    ("directive", "code"), [("!fail 99 secret", "scripted_failure"), ("!fatal secret", "scripted_fatal")]
)
async def test_failing_for_good_uses_up_what_failed(models: Models, directive: str, code: str) -> None:
    talk = Talk(models, f"!say before\n{directive}\n!say after")
    with pytest.raises(ModelFailed) as caught:
        await talk.turn()
    assert (caught.value.code, str(caught.value), caught.value.detail) == (code, code, "secret")
    assert talk.steps[-1].state is StepState.FAILED
    talk.send("again")
    assert await talk.turn() == "after\nYou said: again"


async def test_a_step_that_failed_for_another_reason_uses_up_one_directive(models: Models) -> None:
    talk = Talk(models, "!say one\n!say two\n!ask What?\n!fatal never reached")
    talk.begin_turn()
    talk.record(StepState.FAILED, "", None, error="model_unavailable")
    await talk.turn()
    assert talk.steps[-1].text == "two"
    assert talk.steps[-1].questions


async def test_an_interrupt_between_two_attempts_gets_past_the_failing_directive(models: Models) -> None:
    talk = Talk(models, "!fail 1000 stuck\n!say free")
    talk.begin_turn()
    talk.record(StepState.INTERRUPTED, "", None)
    assert await talk.turn() == "free"


async def test_a_step_left_running_by_the_end_of_its_turn_counts_as_interrupted(models: Models) -> None:
    talk = Talk(models, "!fail 1000 stuck\n!say free")
    talk.begin_turn()
    talk.record(StepState.RUNNING, "", None)
    assert await talk.turn() == "free"


async def test_an_interrupt_before_anything_was_begun_uses_up_nothing(models: Models) -> None:
    talk = Talk(models, "!say one")
    talk.begin_turn()
    talk.record(StepState.INTERRUPTED, "", None)
    talk.send("hello")
    assert await talk.turn() == "one\nYou said: hello"


async def test_an_interrupt_uses_up_what_was_begun(models: Models) -> None:
    talk = Talk(models, "!say one\n!sleep 1000\n!say two")
    talk.begin_turn()
    began = asyncio.Event()
    step = asyncio.create_task(talk.step(lambda _: began.set()))
    await began.wait()
    await asyncio.sleep(0)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert talk.steps[-1].text == "one"
    talk.send("hello")
    assert await talk.turn() == "two\nYou said: hello"


async def test_a_call_that_the_interrupt_kept_from_being_made_is_gone(models: Models) -> None:
    talk = Talk(models, "!tool clock\n!say on")
    talk.begin_turn()
    answer = await talk.step()
    talk.turns.pop()
    talk.begin_turn()
    talk.record(StepState.INTERRUPTED, "", answer.response)
    assert await talk.turn() == "on"


async def test_malformed_directives_are_said_and_passed(models: Models) -> None:
    talk = Talk(models, "!nonsense\n!stream x\n!ask {\n!say fine")
    assert await talk.turn() == (
        "!nonsense: unknown directive\n!stream: needs a whole number\n!ask: not valid JSON\nfine"
    )


async def test_call_ids_differ_all_through_the_conversation(models: Models) -> None:
    talk = Talk(models, "!tool clock\n!tool clock\n!ask What?\n!tool clock")
    await talk.turn()
    talk.send("!tool clock")
    await talk.turn()
    ids = [call.id for answer in talk.answers for call in answer.calls]
    assert len(ids) == 5
    assert len(set(ids)) == 5


async def test_unstreamed_it_says_the_same(models: Models) -> None:
    talk = Talk(models, "!say one\n!stream 2\n!tool clock")
    talk.begin_turn()
    messages = model_messages(talk.transcript)
    streamed = await talk.step()
    from pydantic_ai.direct import model_request

    whole = await model_request(ScriptedModel(0), messages)
    assert [part.content for part in whole.parts if isinstance(part, TextPart)] == [streamed.text]
    assert [call.tool_call_id for call in whole.tool_calls] == [call.id for call in streamed.calls]
    assert streamed.response is not None
    assert whole.metadata == decoded(streamed.response).metadata


async def test_text_that_postgresql_cannot_hold_is_repaired(models: Models) -> None:
    talk = Talk(models, '!tool echo {"a": "\\u0000", "b": 99999999999999999999}')
    talk.begin_turn()
    answer = await talk.step()
    assert answer.calls[0].arguments == {"a": "\ufffd", "b": "99999999999999999999"}
    assert "\x00" not in repr(answer.response)
