"""One model step: a transcript in, a reply out, text as it comes."""

import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic_ai.messages import (
    CachePoint,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models import StreamedResponse

from baton.agents.attachments import readable
from baton.agents.errors import FALLS_BACK, OF_THIS_WORKER, REFUSED, SILENT, HeldBack, ModelFailed, together
from baton.agents.models import Models
from baton.agents.replies import check_end, is_broken_call, is_cut, reply_of, usage_of
from baton.agents.responses import encoded
from baton.agents.streaming import Asking, output_of, streamed_texts
from baton.agents.tools import definitions
from baton.agents.transcript import CONTINUE, model_messages
from baton.domain.agents import ModelChoice
from baton.domain.conversation import ModelReply, Transcript, Usage
from baton.domain.json import JsonObject
from baton.metrics import labels
from baton.metrics.series import MODEL_FAILURES

CONTINUATIONS: Final = 8
"""How often an answer that reached the token limit is continued before the task asks whether to go on."""

CALL_AGAIN: Final = (
    "A tool call in your answer could not be read. No call of that answer was made: make them again, with complete"
    " arguments."
)

_log = logging.getLogger(__name__)
_NOTHING: Final = Usage()
_ONE_CALL: Final = Usage(calls=1)


async def _nothing_held_back(_: Usage) -> None:
    pass


@dataclass(slots=True)
class PartialReply:
    """What a step has come to so far. The caller keeps it, so that an interrupted step's part is known.

    All is filled by `take_step`, but ``on_reasoning``, which gets each piece of the model's reasoning, and
    ``hold_back``, which gets what the attempt has used and raises `HeldBack` or ModelFailed where no model may be asked
    again. ``ended`` is what requests before the present one have used, ``is_asking``: a request is under way that the
    model has not begun to answer; ``model``: the one that was asked last.
    """

    on_reasoning: Callable[[str], None] = lambda _: None
    hold_back: Callable[[Usage], Awaitable[None]] = _nothing_held_back
    pieces: list[str] = field(default_factory=list[str])
    stream: StreamedResponse | None = None
    ended: Usage = _NOTHING
    is_asking: bool = False
    model: str = ""

    @property
    def text(self) -> str:
        """All text that was streamed."""
        return "".join(self.pieces)

    @property
    def usage(self) -> Usage:
        """What the attempt has used so far, as far as the provider has said. A request that was never answered is one
        call, unless the provider refused it: then it has used nothing."""
        answered = self.ended if self.stream is None else self.ended + usage_of(self.stream.get())
        return answered + _ONE_CALL if self.is_asking else answered

    async def before_asking_again(self) -> None:
        """Raises what ``hold_back`` raises. To be called before each request but the attempt's first, which has been
        allowed already, like all after others that used nothing."""
        if self.usage.calls:
            await self.hold_back(self.usage)

    @contextmanager
    def asking(self) -> Generator[None]:
        """While a request is made."""
        self.is_asking = True
        try:
            yield
        except ModelFailed as error:
            if error.code != SILENT:
                self.is_asking = False
            raise

    def opened(self, stream: StreamedResponse) -> None:
        """The model has been reached, and answers by ``stream``."""
        self.is_asking = False
        self.ended, self.stream = self.usage, stream

    def moved_on(self) -> None:
        """Another model is asked instead. What was used stays used."""
        self.ended, self.stream, self.is_asking = self.usage, None, False

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
    """Ask the agent's models for what comes next: the first, and where it cannot answer and has said nothing yet, the
    next one.

    ``on_text`` gets each piece of text as it comes; together they are the reply's text. ``partial`` must be new for
    each ``attempt`` (from 1). An answer that reaches the token limit is continued by further requests, `CONTINUATIONS`
    at most; where the provider could not read a call, the model is told so once. Raises ModelFailed, also for a
    response that nobody knows to be whole, and what ``partial`` raises where no other request may be made; an answer
    that was to be continued is returned, as cut, instead. Cancellation closes the connection to the provider.
    """
    failed: list[tuple[str, ModelFailed]] = []
    for choice in transcript.agent.choices:
        await partial.before_asking_again()
        try:
            reply = await _ask(models, transcript, choice, attempt, partial, on_text)
        except ModelFailed as error:
            MODEL_FAILURES.labels(labels.model(choice.model, is_real=False), error.code).inc()
            if partial.text or error.code not in FALLS_BACK:
                raise
            if error.code in OF_THIS_WORKER:
                _log.error("this worker cannot ask the model %a: %s (%s)", choice.model, error.code, error.detail)
            failed.append((choice.model, error))
            partial.moved_on()
        else:
            return replace(reply, usage=partial.usage, model=choice.model)
    raise together(failed)


async def _ask(
    models: Models,
    transcript: Transcript,
    choice: ModelChoice,
    attempt: int,
    partial: PartialReply,
    on_text: Callable[[str], None],
) -> ModelReply:
    settings, partial.model = choice.settings, choice.model
    model = await models.model(choice.model, settings)
    messages = readable(model_messages(transcript), model.profile)
    if transcript.remaining and model.profile.get("supports_cache", False) and settings.get("prompt_cache", True):
        messages = _cached_before_last(messages)
    asking = Asking(
        model,
        models.settings(model, settings, attempt),
        definitions(transcript.agent.tools),
        models.clocks(model, settings),
        output_of(model, transcript.result_schema),
    )
    responses: list[ModelResponse] = []
    while True:
        before = len(partial.text)
        try:
            with partial.asking():
                async with aclosing(streamed_texts(asking, messages, partial.opened, partial.on_reasoning)) as texts:
                    async for text in texts:
                        partial.pieces.append(text)
                        on_text(text)
        except ModelFailed as error:
            if error.code != REFUSED or asking.output is None or partial.text:
                raise
            asking = replace(asking, output=None)  # not every server, and not for every schema: the instructions say it
            continue
        assert partial.stream is not None
        response = partial.stream.get()
        if is_broken_call(response) and not any(map(is_broken_call, responses)):
            await partial.before_asking_again()
            responses.append(response)
            messages = _told(messages, response, CALL_AGAIN)
            continue
        check_end(response, partial.text[before:])
        responses.append(response)
        if not is_cut(response) or len(responses) > CONTINUATIONS:
            return reply_of(partial.text, responses)
        try:
            await partial.before_asking_again()
        except (HeldBack, ModelFailed):  # the next step, which begins with the same limits, says so
            return reply_of(partial.text, responses, held_back=True)
        messages = _told(messages, response, CONTINUE)
        asking = replace(asking, output=None)  # the rest of a JSON text is none: held to the schema, it begins anew


def _cached_before_last(messages: list[ModelMessage]) -> list[ModelMessage]:
    """``messages`` with a mark before the last text, which no later request has: providers that cache up to the end of
    a request would keep what nobody reads."""
    last = messages[-1]
    assert isinstance(last, ModelRequest)
    *parts, text = last.parts
    assert isinstance(text, UserPromptPart)
    assert isinstance(text.content, str)
    marked = replace(text, content=[CachePoint(), text.content])
    return [*messages[:-1], replace(last, parts=[*parts, marked])]


def _told(messages: list[ModelMessage], response: ModelResponse, text: str) -> list[ModelMessage]:
    """``messages`` with what was said of ``response``, and what the model is told then."""
    if response.text:
        said = [part for part in response.parts if not isinstance(part, ToolCallPart)]
        return [*messages, replace(response, parts=said), ModelRequest([UserPromptPart(text)])]
    last = messages[-1]
    assert isinstance(last, ModelRequest)
    return [*messages[:-1], replace(last, parts=[*last.parts, UserPromptPart(text)])]
