"""One model step: a transcript in, a reply out, text as it comes."""

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final, cast

from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from baton.agents.attachments import readable
from baton.agents.errors import BAD_REPLY, REFUSED, ModelFailed, translated
from baton.agents.models import Models
from baton.agents.responses import encoded, storable, storable_text
from baton.agents.tools import definitions
from baton.agents.transcript import model_messages
from baton.domain.conversation import ModelReply, ToolCall, Transcript, Usage
from baton.domain.json import JsonObject

_PLAIN_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(slots=True)
class PartialReply:
    """What a step has come to so far. The caller keeps it, so that an interrupted step's part is known.

    ``pieces`` and ``stream`` are filled by `take_step`.
    """

    pieces: list[str] = field(default_factory=list[str])
    stream: StreamedResponse | None = None

    @property
    def text(self) -> str:
        """All text that was streamed."""
        return "".join(self.pieces)

    def response(self) -> JsonObject | None:
        """The text so far as a recorded response; None while the model has not been reached.

        Tool calls are left out: none has been made.
        """
        if self.stream is None:
            return None
        text = self.text
        parts = [TextPart(text)] if text else []
        response = self.stream.get()
        return encoded(ModelResponse(parts, model_name=response.model_name, metadata=response.metadata))


async def take_step(
    models: Models, transcript: Transcript, attempt: int, partial: PartialReply, on_text: Callable[[str], None]
) -> ModelReply:
    """Ask the agent's model for what comes next.

    ``on_text`` gets each piece of text as it comes; together they are the reply's text. ``partial`` must be new for
    each ``attempt`` (from 1). Raises ModelFailed; cancellation closes the connection to the provider.
    """
    model = await models.model(transcript.agent.model)
    messages = readable(model_messages(transcript), model.profile)
    tools = definitions(transcript.agent.tools)
    async with aclosing(_texts(model, messages, models.settings(model, attempt), tools, partial)) as texts:
        async for text in texts:
            on_text(text)
    assert partial.stream is not None
    return _reply(partial.text, partial.stream.get())


async def _texts(
    model: Model[Any],
    messages: list[ModelMessage],
    settings: ModelSettings,
    tools: Sequence[ToolDefinition],
    partial: PartialReply,
) -> AsyncGenerator[str]:
    """The pieces of text, as they come. Errors of drivers leave here translated; the consumer's own pass untouched."""
    try:
        async with model_request_stream(
            model,
            messages,
            model_settings=settings,
            model_request_parameters=ModelRequestParameters(function_tools=list(tools)),
            instrument=False,
        ) as stream:
            partial.stream = stream
            joint = _Joint()
            async for event in stream:
                text = joint.text_of(event)
                if text:
                    text = storable_text(text)
                    partial.pieces.append(text)
                    yield text
    except Exception as error:
        failure = translated(error)
        if failure is None or failure is error:
            raise
        raise failure from error


class _Joint:
    """Keeps apart pieces of text between which the model did something else."""

    def __init__(self) -> None:
        self._begun = False
        self._last: ModelResponsePart | None = None

    def text_of(self, event: ModelResponseStreamEvent) -> str:
        """What ``event`` adds to the text."""
        text = ""
        if isinstance(event, PartStartEvent):
            if isinstance(event.part, TextPart):
                gap = "\n\n" if self._begun and not isinstance(self._last, TextPart) else ""
                text = gap + event.part.content if event.part.content else ""
            self._last = event.part
        elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
            text = event.delta.content_delta
        self._begun = self._begun or bool(text)
        return text


def _reply(text: str, response: ModelResponse) -> ModelReply:
    if response.state != "complete":
        raise ModelFailed(BAD_REPLY, f"The response ended {response.state}.")
    response.parts = _with_own_ids(response.parts)
    calls = tuple(
        ToolCall(part.tool_call_id, storable_text(part.tool_name), cast("JsonObject", storable(part.args_as_dict())))
        for part in response.parts
        if isinstance(part, ToolCallPart)
    )
    if not text and not calls:
        refused = response.finish_reason == "content_filter"
        raise ModelFailed(REFUSED if refused else BAD_REPLY, f"The response is empty ({response.finish_reason}).")
    usage = Usage(response.usage.input_tokens, response.usage.output_tokens)
    return ModelReply(text, calls, encoded(response), usage)


def _bounded(call_id: str) -> str:
    if _PLAIN_ID.fullmatch(call_id):
        return call_id
    return f"call_{sha256(call_id.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _with_own_ids(parts: Sequence[ModelResponsePart]) -> list[ModelResponsePart]:
    """``parts`` with an id of its own for each tool call: some servers leave them empty, or repeat them.

    Ids cross Temporal, so one that is long, or holds anything but printable ASCII, is replaced by its digest.
    """
    seen: set[str] = set()
    own: list[ModelResponsePart] = []
    for number, part in enumerate(parts):
        if isinstance(part, ToolCallPart):
            own_id = _bounded(part.tool_call_id or "call")
            while own_id in seen:
                own_id = f"{own_id}_{number}"
            part = replace(part, tool_call_id=own_id)
            seen.add(own_id)
        own.append(part)
    return own
