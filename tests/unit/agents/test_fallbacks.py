"""Does the next of an agent's models answer where one cannot, within the attempt, and no sooner?"""

from collections.abc import AsyncGenerator, Generator
from dataclasses import replace

import pytest

from baton.agents import errors
from baton.agents.errors import ModelFailed, together
from baton.agents.models import Models
from baton.agents.steps import PartialReply, take_step
from baton.domain.conversation import ModelReply, Usage
from baton.domain.json import JsonObject
from baton.domain.model_settings import ModelAccess
from tests.support.openai_server import OpenAIServer, Refusal, Reply, running_openai_server
from tests.unit.agents.talk import Talk, an_agent

OWN, NEXT = "openai:gpt-5-mini", "anthropic:claude-haiku-4-5"


@pytest.fixture
def spare_server() -> Generator[OpenAIServer]:
    """Where the fallback is served."""
    with running_openai_server() as server:
        yield server


@pytest.fixture
async def models(openai_server: OpenAIServer, spare_server: OpenAIServer) -> AsyncGenerator[Models]:
    """Models of a worker that may use both servers."""
    models = Models(ModelAccess(hosts=("127.0.0.1",)), token_seconds=0)
    yield models
    await models.close()


async def ask(
    models: Models, server: OpenAIServer, partial: PartialReply | None = None, **settings: float | str
) -> ModelReply:
    url = server.url.removesuffix("/v1")
    fallback: JsonObject = {"model": NEXT, "model_settings": {"base_url": url}}
    own: JsonObject = dict(settings.items())
    talk = Talk(models, "Do it.", model=OWN, agent=replace(an_agent(), model_settings=own, fallbacks=(fallback,)))
    talk.begin_turn()
    return await take_step(models, talk.transcript, 1, partial or PartialReply(), lambda _: None)


@pytest.mark.parametrize(
    "refused",
    [
        Refusal(503),
        Refusal(429, "rate_limit_exceeded"),
        Refusal(429, "insufficient_quota"),
        Refusal(401),
        Refusal(404, "model_not_found"),
        Refusal(400),
        Refusal(400, "context_length_exceeded"),
        Reply(finish_reason="content_filter"),
        Reply(()),
        Reply((), unfinished=True),
    ],
)
async def test_the_next_model_answers(
    models: Models, openai_server: OpenAIServer, spare_server: OpenAIServer, refused: Refusal | Reply
) -> None:
    openai_server.reply(refused)
    spare_server.reply(Reply(("Here ", "you are.")))
    reply = await ask(models, spare_server)
    assert (reply.text, reply.model) == ("Here you are.", NEXT)
    assert len(openai_server.asked) == len(spare_server.asked) == 1


async def test_the_first_one_answers_where_it_can(
    models: Models, openai_server: OpenAIServer, spare_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(("Mine.",)))
    reply = await ask(models, spare_server)
    assert (reply.text, reply.model, spare_server.asked) == ("Mine.", OWN, [])


async def test_a_silent_model_counts_as_a_call_and_the_next_one_answers(
    models: Models, openai_server: OpenAIServer, spare_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(("late",), token_seconds=30))
    spare_server.reply(Reply(("At once.",), input_tokens=20, output_tokens=3))
    reply = await ask(models, spare_server, first_content_seconds=0.3)
    assert (reply.text, reply.model, reply.usage.calls, reply.usage.output_tokens) == ("At once.", NEXT, 2, 3)


async def test_a_refused_answer_that_was_billed_counts(
    models: Models, openai_server: OpenAIServer, spare_server: OpenAIServer
) -> None:
    openai_server.reply(Reply((), finish_reason="content_filter", input_tokens=50, output_tokens=1))
    spare_server.reply(Reply(("Fine.",), input_tokens=20, output_tokens=3))
    usage = (await ask(models, spare_server)).usage
    assert (usage.calls, usage.input_tokens, usage.output_tokens) == (2, 70, 4)


async def test_text_that_was_said_is_not_continued_by_another_model(
    models: Models, openai_server: OpenAIServer, spare_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(("Half ", "an "), unfinished=True))
    partial = PartialReply()
    with pytest.raises(ModelFailed) as failed:
        await ask(models, spare_server, partial)
    assert (failed.value.code, partial.text, spare_server.asked) == (errors.CUT_OFF, "Half an ", [])


async def test_where_none_can_answer_what_passes_is_waited_for(
    models: Models, openai_server: OpenAIServer, spare_server: OpenAIServer
) -> None:
    openai_server.reply(Refusal(401, message="Who are you?"))
    spare_server.reply(Refusal(503, message="Over capacity."))
    partial = PartialReply()
    with pytest.raises(ModelFailed) as failed:
        await ask(models, spare_server, partial)
    assert (failed.value.code, failed.value.retryable) == (errors.UNAVAILABLE, True)
    assert failed.value.detail == f"{OWN}: Who are you?\n{NEXT}: Over capacity."
    assert partial.usage == Usage()


async def test_settings_are_shared_but_for_the_server(
    models: Models, openai_server: OpenAIServer, spare_server: OpenAIServer
) -> None:
    openai_server.reply(Refusal(503))
    spare_server.reply(Reply(("Fine.",)))
    await ask(models, spare_server, max_tokens=77)
    (asked,) = spare_server.asked
    assert asked.body["max_tokens"] == 77


def test_the_shortest_wait_counts() -> None:
    failed = [
        ("a", ModelFailed(errors.RATE_LIMITED, "later", 60)),
        ("b", ModelFailed(errors.KEY_REJECTED, "no")),
        ("c", ModelFailed(errors.UNAVAILABLE, "soon", 5)),
    ]
    assert (together(failed).code, together(failed).retry_after_seconds) == (errors.RATE_LIMITED, 5)
    assert together([failed[1], ("d", ModelFailed(errors.KEY_MISSING))]).code == errors.KEY_MISSING
    assert together([failed[1]]) is failed[1][1]
