"""One request to a model: its text as it comes, watched by two clocks."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from baton.agents.errors import SILENT, ModelFailed, translated
from baton.agents.model_settings import Clocks
from baton.agents.responses import storable_text
from baton.domain.json import JsonObject
from baton.runtime.tracing import is_traced

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asking:
    """What a model is asked with. ``clocks``: None for a model that may be silent for as long as it likes; ``output``:
    what its provider is to hold its text to, None for nothing."""

    model: Model[Any]
    settings: ModelSettings
    tools: Sequence[ToolDefinition]
    clocks: Clocks | None
    output: OutputObjectDefinition | None = None


def output_of(model: Model[Any], schema: JsonObject) -> OutputObjectDefinition | None:
    """What the provider is to hold a result of this ``schema`` to; None for those that cannot, for what their adapter
    makes nothing of, and without a schema."""
    if not schema or not model.profile.get("supports_json_schema_output", False):
        return None
    output = OutputObjectDefinition(json_schema=schema, name="result")
    try:
        model.prepare_request(None, ModelRequestParameters(output_mode="native", output_object=output))
    except Exception as error:  # noqa: BLE001 - each adapter rewrites schemas by itself, and few know all of the draft
        _log.info("a result's schema is left to the instructions: %s", type(error).__name__)
        return None
    return output


async def streamed_texts(
    asking: Asking,
    messages: list[ModelMessage],
    opened: Callable[[StreamedResponse], None],
    on_reasoning: Callable[[str], None] = lambda _: None,
) -> AsyncGenerator[str]:
    """The pieces of text of one response, as they come. ``opened`` gets the stream once the model has been reached,
    ``on_reasoning`` each piece of its reasoning.

    Raises ModelFailed for errors of drivers, and where a clock ran out; the consumer's own errors pass untouched.
    """
    watch = _Watch(asking.clocks)
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(asking.model)
            request = model_request_stream(
                asking.model,
                messages,
                model_settings=asking.settings,
                model_request_parameters=ModelRequestParameters(
                    function_tools=list(asking.tools),
                    output_mode="text" if asking.output is None else "native",
                    output_object=asking.output,
                ),
                instrument=InstrumentationSettings(include_content=False) if is_traced() else False,
            )
            stream = await watch.wait_for(stack.enter_async_context(request))
            opened(stream)
            joint = _Joint()
            events = aiter(stream)
            while (event := await watch.wait_for(anext(events, None))) is not None:
                watch.saw(event)
                if reasoning := _reasoning_of(event):
                    on_reasoning(storable_text(reasoning))
                if text := joint.text_of(event):
                    yield storable_text(text)
    except Exception as error:
        failure = translated(error)
        if failure is None or failure is error:
            raise
        raise failure from error


class _Watch:
    """Ends a wait for content that has lasted too long."""

    def __init__(self, clocks: Clocks | None) -> None:
        self._clocks = clocks
        self._seconds = 0.0
        self._until: float | None = None
        if clocks is not None:
            self._start(clocks.first)

    def _start(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = asyncio.get_running_loop().time() + seconds

    def saw(self, event: ModelResponseStreamEvent) -> None:
        """Start the second clock, if there was content in ``event``."""
        if self._clocks is not None and _has_content(event):
            self._start(self._clocks.between)

    async def wait_for(self, next_one: Awaitable[T]) -> T:
        """What comes next. Raises ModelFailed (`model_silent`) when the clock has run out."""
        clock = asyncio.timeout_at(self._until)
        try:
            async with clock:
                return await next_one
        except TimeoutError as error:
            if not clock.expired():
                raise
            raise ModelFailed(SILENT, f"The model sent no content for {self._seconds:g} s.") from error


def _has_content(event: ModelResponseStreamEvent) -> bool:
    if isinstance(event, PartStartEvent):
        return bool(getattr(event.part, "content", None) or getattr(event.part, "tool_name", None))
    if isinstance(event, PartDeltaEvent):
        delta = event.delta
        return any(getattr(delta, name, None) for name in ("content_delta", "args_delta", "tool_name_delta"))
    return False


def _reasoning_of(event: ModelResponseStreamEvent) -> str:
    """What ``event`` adds to the reasoning."""
    if isinstance(event, PartStartEvent) and isinstance(event.part, ThinkingPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, ThinkingPartDelta):
        return event.delta.content_delta or ""
    return ""


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
