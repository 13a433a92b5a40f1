"""What a model's responses amount to: a reply that is known to be whole, or why there is none."""

import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final, cast

from pydantic_ai.messages import ModelResponse, ModelResponsePart, TextPart, ToolCallPart

from baton.agents.errors import BAD_REPLY, CUT_OFF, FILTERED, ModelFailed
from baton.agents.responses import encoded, storable, storable_text
from baton.agents.tools import ASK_USER
from baton.domain.allowance import GO_ON, STOP
from baton.domain.conversation import ModelReply, RecordedStep, ToolCall, Usage
from baton.domain.json import JsonObject

TOO_OFTEN_CUT: Final = "This answer has reached the token limit {times} times. Should I go on with it?"
GO_ON_CHOICES: Final = (GO_ON, STOP)
GO_ON_CALL: Final = "call_go_on"
"""The call that asks so. The store knows it, too: see `unfinished_text` in its transcripts.sql."""

_PLAIN_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_LENGTH: Final = "length"
#: How compatible servers say `stop`. Any other reason that pydantic-ai does not know may mean anything.
_OTHER_ENDS: Final = frozenset({"complete", "completed", "end_turn", "eos", "eos_token", "stop_sequence"})
#: Of Google (where the token limit cuts a call, too) and Bedrock.
_BROKEN_CALLS: Final = frozenset({"MALFORMED_FUNCTION_CALL", "malformed_tool_use"})
#: What pydantic-ai takes for arguments that are no JSON, like any others that were cut.
_CUT_ARGUMENTS: Final = "{"


def is_cut(response: ModelResponse) -> bool:
    """Whether ``response`` is text that ends at the token limit, and can be continued.

    One with tool calls is not: those that are complete are made, the model is told of the one that is not.
    """
    return response.finish_reason == _LENGTH and not response.tool_calls and bool(response.text)


def leaves_off(step: RecordedStep) -> bool:
    """Whether the answer of ``step`` was cut by the token limit, and what the model says next goes on with it."""
    is_text = not step.calls or step.calls[0].id == GO_ON_CALL
    return step.response is not None and step.response.get("finish_reason") == _LENGTH and is_text


def check_end(response: ModelResponse, text: str) -> None:
    """Raises ModelFailed unless the provider said that ``response`` is at its end, and it is one to go on with.

    Chat Completions, Responses, Anthropic and Google all give a reason for the end; a stream without one was cut off on
    its way, also where it ended cleanly (a proxy does so whose upstream died). pydantic-ai puts `stop` where the
    provider gave no reason: what it said itself is in the details.
    """
    reason = response.finish_reason
    if reason == "content_filter":
        so_far = f" after {len(text)} characters" if text else ""
        raise ModelFailed(FILTERED, f"The provider's content filter ended the answer{so_far}.")
    given = reason_given(response)
    if given is None:
        raise ModelFailed(CUT_OFF, f"The stream ended after {len(text)} characters without saying why.")
    is_known = reason not in (None, "error") or given.casefold() in _OTHER_ENDS
    if response.state == "suspended" or not is_known:
        raise ModelFailed(BAD_REPLY, f"The response ended with {given[:100]}, which does not make it complete.")
    if not text and not response.tool_calls:
        raise ModelFailed(BAD_REPLY, f"The response is empty ({given[:100]}).")


def is_broken_call(response: ModelResponse) -> bool:
    """Whether ``response`` ended at a tool call that the provider could not read, and kept to itself."""
    return reason_given(response) in _BROKEN_CALLS


def reason_given(response: ModelResponse) -> str | None:
    """The reason for its end as the provider worded it."""
    return cast("str | None", (response.provider_details or {}).get("finish_reason"))


def reply_of(text: str, responses: Sequence[ModelResponse], *, held_back: bool = False) -> ModelReply:
    """The reply that ``responses`` make together: each but the last was cut, or had a call that could not be read, and
    was continued by the one after it.

    ``text`` is all of their text. A last one that is cut, too, becomes a question: whether to go on; but where somebody
    has to be asked about something else before, it is what has been said so far.
    """
    last = responses[-1]
    asks = is_cut(last) and not held_back
    parts = _without_guesses(last)
    if len(responses) > 1 or is_cut(last):
        others = [part for part in parts if not isinstance(part, TextPart)]
        at = next((n for n, part in enumerate(others) if isinstance(part, ToolCallPart)), len(others))
        parts = [*others[:at], *([TextPart(text)] if text else []), *others[at:]]
    if asks:
        question = TOO_OFTEN_CUT.format(times=len(responses))
        parts.append(ToolCallPart(ASK_USER, {"question": question, "choices": list(GO_ON_CHOICES)}, GO_ON_CALL))
    whole = replace(last, parts=_with_own_ids(parts))
    calls = tuple(
        ToolCall(part.tool_call_id, storable_text(part.tool_name), cast("JsonObject", storable(part.args_as_dict())))
        for part in whole.parts
        if isinstance(part, ToolCallPart)
    )
    usage = sum(map(usage_of, responses), Usage())
    return ModelReply(text, calls, encoded(whole), usage, reason_given(last) or "", is_cut=held_back)


def _without_guesses(response: ModelResponse) -> list[ModelResponsePart]:
    """The parts of ``response``. A call that the token limit cut before its arguments is not one without any."""
    parts = list(response.parts)
    if response.finish_reason == _LENGTH and parts and isinstance(call := parts[-1], ToolCallPart) and not call.args:
        parts[-1] = replace(call, args=_CUT_ARGUMENTS)
    return parts


def usage_of(response: ModelResponse) -> Usage:
    """What one request used, as far as the provider has said."""
    used = response.usage
    return Usage(
        used.input_tokens,
        used.output_tokens,
        used.cache_read_tokens,
        used.output_reasoning_tokens,
        None if used.cost is None else float(used.cost),
        1,
    )


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
