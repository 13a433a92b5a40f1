"""The scripted model: the offline default. It obeys the directives that it reads (`baton.agents.script`).

Deterministic: a response is a function of the messages and of the attempt. Apart from directives it says `You said: …`
to a message, `Done: …` to a description, a tool's result where nothing else is left to say, and what a tool call that
failed was told.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext
from pydantic_ai.usage import RequestUsage
from pydantic_core import to_json

from baton.agents.errors import SCRIPTED_FAILURE, SCRIPTED_FATAL, ModelFailed
from baton.agents.notes import Source, response_metadata
from baton.agents.script import Call, Fail, Fatal, Finish, Results, Say, Sleep, Stream, parse
from baton.agents.script_state import Acknowledge, ScriptState, script_state
from baton.domain.catalog import SCRIPTED

NAME: Final = SCRIPTED

TOKEN_SECONDS: Final = 0.005
"""The pace of `!stream`: 200 tokens per second, so that a long one can be interrupted, or killed, in its middle."""


class ScriptedSettings(ModelSettings, total=False):
    """``scripted_attempt``: which attempt at the step this is, from 1; `!fail` depends on it."""

    scripted_attempt: int


class ScriptedModel(Model[None]):
    """A model that obeys directives. ``token_seconds`` is the pause before each token of `!stream`."""

    def __init__(self, token_seconds: float = TOKEN_SECONDS) -> None:
        super().__init__()
        self._token_seconds = token_seconds

    @property
    def model_name(self) -> str:
        """Its name, also among `baton.agents.models`."""
        return NAME

    @property
    def system(self) -> str:
        """The provider's name."""
        return "baton"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The whole response at once, after the same time as its stream takes."""
        async with self.request_stream(messages, model_settings, model_request_parameters) as stream:
            async for _ in stream:
                pass
            return stream.get()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The response, directive by directive. Reading it raises ModelFailed for `!fail` and `!fatal`."""
        attempt = (model_settings or {}).get("scripted_attempt", 1)
        assert isinstance(attempt, int)
        yield _ScriptedStream(
            model_request_parameters=model_request_parameters,
            performance=_Performance(script_state(messages), attempt, self._token_seconds),
        )


class _Performance:
    """One response to what the script has come to. ``begun`` counts the directives that were begun."""

    def __init__(self, state: ScriptState, attempt: int, token_seconds: float) -> None:
        self.begun = 0
        self.words_read = state.words
        self.words_said = 0
        self.calls = False
        self.ended = False
        self._state = state
        self._attempt = attempt
        self._token_seconds = token_seconds
        self._silent = True

    async def run(self) -> AsyncGenerator[str | Call]:
        """Perform: pieces of text, and last of all a tool call, if one is due. Never nothing."""
        async with aclosing(self._pieces()) as pieces:
            async for piece in pieces:
                self.calls = isinstance(piece, Call)
                yield piece
        self.ended = True

    async def _pieces(self) -> AsyncGenerator[str | Call]:
        for returned in self._state.returns:
            if returned.outcome == "failed":
                yield self._line(f"{returned.tool_name}: {_shown(returned.content)}")
        nothing_left = not self._state.items
        for item in self._state.items:
            self.begun += 1
            if isinstance(item, Acknowledge):
                yield self._line(self._acknowledgement(item))
                continue
            match parse(item):
                case Say(text):
                    yield self._line(text)
                case Results():
                    yield self._line(self._results())
                case Stream(tokens):
                    for number in range(1, tokens + 1):
                        await asyncio.sleep(self._token_seconds)
                        yield self._line("t1") if number == 1 else self._piece(f" t{number}")
                case Sleep(seconds):
                    await asyncio.sleep(seconds)
                case Fail(attempts, text):
                    if self._attempt <= attempts:
                        raise ModelFailed(SCRIPTED_FAILURE, text)
                case Fatal(text):
                    raise ModelFailed(SCRIPTED_FATAL, text)
                case Call() as call:
                    self.words_said += 1
                    yield call
                    return
                case Finish(text):
                    if text:
                        yield self._line(text)
                    break
        if self._silent:
            yield self._line(self._last_word(nothing_left))

    @property
    def call_id(self) -> str:
        """An id for the call that this response ends with: unlike that of any other in the conversation."""
        return f"call_{self._state.consumed + self.begun}"

    def _line(self, text: str) -> str:
        start = "" if self._silent else "\n"
        self._silent = False
        return self._piece(start + text)

    def _piece(self, text: str) -> str:
        self.words_said += len(text.split())
        return text

    def _acknowledgement(self, item: Acknowledge) -> str:
        if item.read.source is Source.DESCRIPTION:
            return f"Done: {self._state.title}"
        return f"You said: {item.read.text}"

    def _results(self) -> str:
        lines = [f"{dependency.title}: {dependency.result}" for dependency in self._state.dependencies]
        return "\n".join(lines) or "No dependencies."

    def _last_word(self, nothing_left: bool) -> str:
        results = [part for part in self._state.returns if part.outcome == "success"]
        if nothing_left and results:
            return "\n".join(f"{part.tool_name}: {_shown(part.content)}" for part in results)
        return f"Done: {self._state.title}"


def _shown(content: object) -> str:
    return content if isinstance(content, str) else to_json(content).decode()


@dataclass
class _ScriptedStream(StreamedResponse):
    """A performance as pydantic-ai's events; its text is one part."""

    performance: _Performance
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        async with aclosing(self.performance.run()) as pieces:
            async for piece in pieces:
                if isinstance(piece, str):
                    for event in self._parts_manager.handle_text_delta(vendor_part_id="text", content=piece):
                        yield event
                else:
                    yield self._parts_manager.handle_tool_call_part(
                        vendor_part_id="call",
                        tool_name=piece.tool,
                        args=piece.arguments,
                        tool_call_id=self.performance.call_id,
                    )

    def get(self) -> ModelResponse:
        """The response as far as it has come; its notes say which directives were begun."""
        self.metadata = response_metadata(self.performance.begun)
        self.finish_reason = "tool_call" if self.performance.calls else "stop"
        self.provider_details = {"finish_reason": self.finish_reason} if self.performance.ended else None
        return super().get()

    @property
    def usage(self) -> RequestUsage:
        """Words read since the last response, and words said; a tool call counts as one."""
        return RequestUsage(input_tokens=self.performance.words_read, output_tokens=self.performance.words_said)

    async def close_stream(self) -> None:
        """Nothing is open."""

    @property
    def model_name(self) -> str:
        """See `ScriptedModel`."""
        return NAME

    @property
    def provider_name(self) -> str | None:
        """None: nothing in the response is bound to a provider."""
        return None

    @property
    def provider_url(self) -> str | None:
        """None: there is no provider."""
        return None

    @property
    def timestamp(self) -> datetime:
        """When the response began."""
        return self.at
