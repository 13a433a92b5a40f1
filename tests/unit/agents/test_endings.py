"""Is an answer taken for complete only if the provider said so? Each way in which a response may end."""

import pytest

from baton.agents import errors
from baton.agents.errors import ModelFailed
from baton.agents.models import Models
from baton.agents.replies import GO_ON_CHOICES
from baton.agents.steps import CALL_AGAIN, CONTINUATIONS, CONTINUE, PartialReply
from tests.support.openai_server import Called, OpenAIServer, Reply
from tests.unit.agents.talk import Talk
from tests.unit.agents.test_models import ask, failure

NAMES = ("openai:gpt-5-mini", "openai-responses:gpt-5-mini", "anthropic:claude-haiku-4-5", "google:gemini-3-flash")
APIS = pytest.mark.parametrize("name", NAMES)


@APIS
async def test_a_whole_answer_says_why_it_ended(models: Models, openai_server: OpenAIServer, name: str) -> None:
    openai_server.reply(Reply(("All ", "of it.")))
    reply = await ask(models, name)
    assert reply.text == "All of it."
    assert reply.finish_reason in ("stop", "completed", "end_turn", "STOP")


@APIS
@pytest.mark.parametrize("done", [True, False])
async def test_a_stream_that_ends_without_saying_so(
    models: Models, openai_server: OpenAIServer, name: str, done: bool
) -> None:
    openai_server.reply(Reply(("Half ", "of "), unfinished=True, done=done))
    partial = PartialReply()
    failed = await failure(models, name, partial)
    assert (failed.code, failed.retryable) == (errors.CUT_OFF, True)
    assert partial.text == "Half of "


@APIS
async def test_a_call_in_a_stream_that_ends_without_saying_so(
    models: Models, openai_server: OpenAIServer, name: str
) -> None:
    openai_server.reply(Reply((), (Called("clock", "{}"),), unfinished=True))
    assert (await failure(models, name)).code == errors.CUT_OFF


@APIS
@pytest.mark.parametrize("tokens", [(), ("Some ", "text")])
async def test_a_filtered_answer(
    models: Models, openai_server: OpenAIServer, name: str, tokens: tuple[str, ...]
) -> None:
    openai_server.reply(Reply(tokens, finish_reason="content_filter"))
    failed = await failure(models, name)
    assert (failed.code, failed.retryable) == (errors.FILTERED, False)


@APIS
async def test_an_answer_cut_by_the_token_limit_is_continued(
    models: Models, openai_server: OpenAIServer, name: str
) -> None:
    openai_server.reply(
        Reply(("One ", "two "), finish_reason="length"), Reply(("three ",), finish_reason="length"), Reply(("four.",))
    )
    reply = await ask(models, name)
    assert reply.text == "One two three four."
    assert reply.usage.input_tokens == 33
    assert reply.usage.output_tokens == 21
    assert len(openai_server.asked) == 3
    assert CONTINUE in str(openai_server.asked[1].body)
    assert "One two" in str(openai_server.asked[1].body)
    assert all("Be brief." in str(asked.body) for asked in openai_server.asked)


@APIS
async def test_the_next_turn_reads_the_joined_text(models: Models, openai_server: OpenAIServer, name: str) -> None:
    openai_server.reply(Reply(("One ",), finish_reason="length"), Reply(("two.",)), Reply(("Yes.",)))
    talk = Talk(models, "Count.", model=name)
    assert await talk.turn() == "One two."
    talk.send("Is that all?")
    assert await talk.turn() == "Yes."
    asked = str(openai_server.asked[-1].body)
    assert "One two." in asked
    assert CONTINUE not in asked


@APIS
async def test_an_answer_without_an_end_becomes_a_question(
    models: Models, openai_server: OpenAIServer, name: str
) -> None:
    openai_server.reply(
        *(Reply((f"{n} ",), finish_reason="length") for n in range(CONTINUATIONS + 1)), Reply(("end.",))
    )
    talk = Talk(models, "Count.", model=name)
    await talk.turn()
    assert talk.answers[0].text == "0 1 2 3 4 5 6 7 8 "
    (call,) = talk.answers[0].calls
    assert call.arguments["choices"] == list(GO_ON_CHOICES)
    assert len(talk.open_questions) == 1
    talk.send("Go on")
    assert (await talk.turn()).endswith("end.")
    assert len(openai_server.asked) == CONTINUATIONS + 2


#: Google sends calls whole: it says that one is broken, and keeps it.
WITH_CUT_CALLS = pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("google:")])


@WITH_CUT_CALLS
async def test_a_call_whose_arguments_were_cut_off_is_not_made(
    models: Models, openai_server: OpenAIServer, name: str
) -> None:
    calls = (Called("clock", "{}", "whole"), Called("clock", '{"zone": "Euro', "cut"))
    openai_server.reply(Reply((), calls, finish_reason="length"), Reply(("I see.",)))
    talk = Talk(models, "What time is it?", model=name)
    assert await talk.turn() == "I see."
    assert [result.failed for result in talk.steps[0].results] == [False, True]


@WITH_CUT_CALLS
async def test_a_call_that_was_cut_before_its_arguments_is_not_made(
    models: Models, openai_server: OpenAIServer, name: str
) -> None:
    openai_server.reply(Reply((), (Called("clock", ""),), finish_reason="length"), Reply(("I see.",)))
    talk = Talk(models, "What time is it?", model=name)
    assert await talk.turn() == "I see."
    assert [result.failed for result in talk.steps[0].results] == [True]


@pytest.mark.parametrize("tokens", [(), ("Let me see. ",)])
async def test_a_call_that_the_provider_could_not_read(
    models: Models, openai_server: OpenAIServer, tokens: tuple[str, ...]
) -> None:
    whole = Called("clock", "{}", "whole")
    openai_server.reply(
        Reply(tokens, (whole, Called("clock", '{"zone": "Euro'))), Reply((), (whole,)), Reply(("It is late.",))
    )
    talk = Talk(models, "What time is it?", model="google:gemini-3-flash")
    assert await talk.turn() == "It is late."
    assert [len(step.results) for step in talk.steps] == [1, 0]
    assert talk.answers[0].text == "".join(tokens)
    assert CALL_AGAIN in str(openai_server.asked[1].body)
    assert talk.answers[0].usage.calls == 2


async def test_a_call_that_the_provider_cannot_read_again(models: Models, openai_server: OpenAIServer) -> None:
    openai_server.reply(*(Reply((), (Called("clock", "{broken"),)) for _ in range(2)))
    partial = PartialReply()
    failed = await failure(models, "google:gemini-3-flash", partial)
    assert (failed.code, partial.usage.calls) == (errors.BAD_REPLY, 2)
    assert "MALFORMED_FUNCTION_CALL" in failed.detail


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("SAFETY", errors.FILTERED),
        ("RECITATION", errors.FILTERED),
        ("BLOCKLIST", errors.FILTERED),
        ("PROHIBITED_CONTENT", errors.FILTERED),
        ("SPII", errors.FILTERED),
        ("LANGUAGE", errors.BAD_REPLY),
        ("OTHER", errors.BAD_REPLY),
        ("FINISH_REASON_UNSPECIFIED", errors.BAD_REPLY),
        ("UNEXPECTED_TOOL_CALL", errors.BAD_REPLY),
        pytest.param("A_NEW_ONE", errors.BAD_REPLY, marks=pytest.mark.filterwarnings("ignore:A_NEW_ONE")),
    ],
)
async def test_what_else_google_says(models: Models, openai_server: OpenAIServer, reason: str, code: str) -> None:
    openai_server.reply(Reply(("Half ", "of "), finish_reason=reason))
    assert (await failure(models, "google:gemini-3-flash")).code == code


@pytest.mark.parametrize(("reason", "is_whole"), [("eos_token", True), ("abort", False), ("error", False)])
async def test_what_else_compatible_servers_say(
    models: Models, openai_server: OpenAIServer, reason: str, is_whole: bool
) -> None:
    openai_server.reply(Reply(("Half ", "of it."), finish_reason=reason))
    if is_whole:
        assert (await ask(models, "openai:gpt-5-mini")).finish_reason == reason
    else:
        failed = await failure(models, "openai:gpt-5-mini")
        assert (failed.code, reason in failed.detail) == (errors.BAD_REPLY, True)


async def test_reasoning_without_an_answer_is_no_answer(models: Models, openai_server: OpenAIServer) -> None:
    openai_server.reply(Reply((), finish_reason="length"))
    assert (await failure(models, "openai:gpt-5-mini")).code == errors.BAD_REPLY


@APIS
async def test_a_model_that_says_nothing_is_cut(models: Models, openai_server: OpenAIServer, name: str) -> None:
    openai_server.reply(Reply(("late",), token_seconds=30))
    failed = await failure(models, name, first_content_seconds=0.2, between_contents_seconds=30)
    assert (failed.code, failed.retryable) == (errors.SILENT, True)
    assert "0.2 s" in failed.detail


@APIS
async def test_a_model_that_falls_silent_is_cut(models: Models, openai_server: OpenAIServer, name: str) -> None:
    openai_server.reply(Reply(("one ", "two "), token_seconds=2))
    partial = PartialReply()
    failed = await failure(models, name, partial, first_content_seconds=30, between_contents_seconds=0.2)
    assert failed.code == errors.SILENT
    assert partial.text == "one "


async def test_what_is_not_silence_is_waited_for(models: Models, openai_server: OpenAIServer) -> None:
    openai_server.reply(Reply(tuple("abcdefgh"), token_seconds=0.1))
    reply = await ask(models, "openai:gpt-5-mini", first_content_seconds=30, between_contents_seconds=0.5)
    assert reply.text == "abcdefgh"


def test_silence_and_a_missing_end_are_tried_again() -> None:
    assert ModelFailed(errors.SILENT).retryable
    assert ModelFailed(errors.CUT_OFF).retryable
    assert not ModelFailed(errors.FILTERED).retryable
