"""Is a conversation shortened when its models find it too long, and by a worker that can?"""

from collections.abc import AsyncGenerator
from dataclasses import replace
from uuid import uuid4

import pytest
from pydantic_ai.messages import ModelResponse, TextPart

from baton.agents import errors
from baton.agents.compaction import take_next
from baton.agents.errors import ModelFailed
from baton.agents.models import Models
from baton.agents.responses import encoded
from baton.agents.steps import PartialReply
from baton.domain.compactions import Compaction, CompactionReason
from baton.domain.conversation import ModelReply, ReadMessage, RecordedStep, RecordedTurn, Transcript
from baton.domain.json import JsonObject
from baton.domain.model_settings import ModelAccess
from baton.domain.states import StepState
from tests.support.openai_server import OpenAIServer, Refusal, Reply
from tests.unit.agents.talk import an_agent

OWN, NEXT = "openai-chat:gpt-5-mini", "openai-chat:gpt-5-nano"


@pytest.fixture
async def models(openai_server: OpenAIServer) -> AsyncGenerator[Models]:
    """Models of a worker that lacks a key that agents may name."""
    models = Models(ModelAccess(keys=("NO_SUCH_KEY",)))
    yield models
    await models.close()


def exchange(turn: int) -> RecordedTurn:
    text = f"answer {turn} ".ljust(600, "a")
    step = RecordedStep(0, StepState.RECORDED, text, encoded(ModelResponse([TextPart(text)])), (), (), ())
    return RecordedTurn(turn, (ReadMessage(uuid4(), turn, "m" * 600),), (step,))


async def take(models: Models, *fallbacks: str, **settings: str | int) -> ModelReply | Compaction:
    """Take the first step of a sixth turn."""
    others: tuple[JsonObject, ...] = tuple({"model": name, "model_settings": {}} for name in fallbacks)
    own: JsonObject = dict(settings.items())
    agent = replace(an_agent(OWN), tools=(), model_settings=own, fallbacks=others)
    turns = (*map(exchange, range(1, 6)), RecordedTurn(6, (ReadMessage(uuid4(), 6, "And now?"),), ()))
    transcript = Transcript(agent, "The task", "Do it.", (), turns)
    return await take_next(models, transcript, (6, 0), 1, PartialReply(), lambda _: None)


async def test_an_overflow_is_compacted_though_the_next_model_may_come_back(
    models: Models, openai_server: OpenAIServer
) -> None:
    too_long, away = Refusal(400, "context_length_exceeded"), Refusal(503)
    openai_server.reply(too_long, away, Reply(("What was said.",)))
    made = await take(models, NEXT)
    assert isinstance(made, Compaction)
    assert (made.reason, made.summary, made.model) == (CompactionReason.OVERFLOW, "What was said.", OWN)
    assert [asked.body["model"] for asked in openai_server.asked] == ["gpt-5-mini", "gpt-5-nano", "gpt-5-mini"]


async def test_a_worker_without_the_models_key_leaves_the_summary_to_another(
    models: Models, openai_server: OpenAIServer
) -> None:
    with pytest.raises(ModelFailed) as failed:
        await take(models, context_window=1500, api_key="env:NO_SUCH_KEY")
    assert (failed.value.code, failed.value.retryable) == (errors.KEY_MISSING, True)
    openai_server.reply(Refusal(400), Refusal(400))
    made = await take(models, context_window=1500, summary_model="anthropic:claude-haiku-4-5")
    assert isinstance(made, Compaction)
    assert made.model == ""
