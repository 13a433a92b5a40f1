"""Is a model told what its result must be, held to it where its provider can, and told what was wrong?"""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
from pydantic_ai.messages import ModelRequest, UserPromptPart

from baton.agents.errors import REFUSED, ModelFailed
from baton.agents.models import Models
from baton.agents.steps import PartialReply, take_step
from baton.agents.transcript import model_messages
from baton.domain.conversation import ModelReply, RecordedTurn, Transcript
from baton.domain.json import JsonObject
from tests.support.openai_server import OpenAIServer, Refusal, Reply
from tests.unit.agents.talk import Talk, an_agent

SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"count": {"type": "integer"}},
    "required": ["count"],
    "additionalProperties": False,
}
ANSWER = Reply(('{"count": 3}',))


@pytest.fixture
async def models(openai_server: OpenAIServer) -> AsyncGenerator[Models]:
    """Models of a worker that asks the server of the tests."""
    models = Models(token_seconds=0)
    yield models
    await models.close()


def transcript(models: Models, name: str, schema: JsonObject = SCHEMA) -> Transcript:
    talk = Talk(models, "Count.", model=name, agent=an_agent())
    talk.begin_turn()
    return replace(talk.transcript, result_schema=schema)


async def ask(models: Models, name: str, schema: JsonObject = SCHEMA) -> ModelReply:
    return await take_step(models, transcript(models, name, schema), 1, PartialReply(), lambda _: None)


def held_to(body: dict[str, Any]) -> Any:
    """The schema that a request holds the answer to, None for none."""
    chat = body.get("response_format", {}).get("json_schema", {}).get("schema")
    return chat or body.get("text", {}).get("format", {}).get("schema")


@pytest.mark.parametrize("name", ["openai-chat:gpt-5-mini", "openai-responses:gpt-5-mini"])
async def test_the_provider_holds_the_model_to_the_schema(
    models: Models, openai_server: OpenAIServer, name: str
) -> None:
    openai_server.reply(ANSWER)
    assert (await ask(models, name)).text == '{"count": 3}'
    (asked,) = openai_server.asked
    assert held_to(asked.body)["required"] == ["count"]
    assert "The result" in str(asked.body)
    assert asked.body["tools"], "it may still ask, or call others"


async def test_where_the_server_refuses_that_the_instructions_say_it(
    models: Models, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Refusal(400), ANSWER)
    reply = await ask(models, "openai-chat:gpt-5-mini")
    assert (reply.text, reply.usage.calls) == ('{"count": 3}', 1)
    first, second = openai_server.asked
    assert (held_to(first.body) is None, held_to(second.body) is None) == (False, True)
    openai_server.reply(Refusal(400), Refusal(400))
    with pytest.raises(ModelFailed, match=REFUSED):
        await ask(models, "openai-chat:gpt-5-mini")


async def test_what_an_adapter_makes_nothing_of_is_left_to_the_instructions(
    models: Models, openai_server: OpenAIServer
) -> None:
    """Anthropic's cannot rewrite a schema that is true or false, which the draft allows anywhere."""
    openai_server.reply(ANSWER)
    schema: JsonObject = {"type": "object", "properties": {"count": True, "more": False}}
    assert (await ask(models, "anthropic:claude-haiku-4-5", schema)).text == '{"count": 3}'
    (asked,) = openai_server.asked
    assert "output_config" not in asked.body
    assert "output_format" not in asked.body
    assert "The result" in str(asked.body)


async def test_an_answer_that_was_cut_is_continued_without_being_held_to_the_schema(
    models: Models, openai_server: OpenAIServer
) -> None:
    """What goes on in the middle of JSON is no JSON: a provider that held it to that would begin anew."""
    openai_server.reply(Reply(('{"cou',), finish_reason="length"), Reply(('nt": 3}',)))
    assert (await ask(models, "openai-chat:gpt-5-mini")).text == '{"count": 3}'
    first, second = openai_server.asked
    assert (held_to(first.body) is None, held_to(second.body) is None) == (False, True)


async def test_without_a_schema_nothing_is_said_of_results(models: Models, openai_server: OpenAIServer) -> None:
    openai_server.reply(ANSWER)
    await ask(models, "openai-chat:gpt-5-mini", {})
    (asked,) = openai_server.asked
    assert held_to(asked.body) is None
    assert "The result" not in str(asked.body)


async def test_the_model_reads_what_was_wrong_and_answers_again(models: Models) -> None:
    """Without a message of a person in between; the script goes on where it was."""
    talk = Talk(models, '!finish three\n!finish {"count": 3}')
    talk.begin_turn()
    first = await talk.step()
    turn = talk.turns[-1]
    refused = replace(turn.steps[-1], refused="it is not JSON")
    talk.turns[-1] = RecordedTurn(turn.number, turn.messages, (refused,))
    request = model_messages(replace(talk.transcript, result_schema=SCHEMA))[-1]
    assert isinstance(request, ModelRequest)
    (told,) = request.parts
    assert isinstance(told, UserPromptPart)
    assert "it is not JSON" in str(told.content)
    second = await talk.step()
    assert [first.text, second.text] == ["three", '{"count": 3}']
