"""One tool call, from what the model wrote to what it is told."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.artifacts import CallArtifacts
from activities.notes import CallNotes
from baton.agents.responses import storable_text
from baton.agents.sentences import masked, sentence_of
from baton.agents.tools import (
    ASK_USER,
    TIMED_OUT,
    TOOL_ERROR,
    Begun,
    CallContext,
    Slot,
    ToolFailed,
    ToolRunner,
    call_tool,
    check_arguments,
    missing_tool,
    retries_of,
)
from baton.domain.agents import Agent
from baton.domain.conversation import ModelReply, ToolCall, ToolResult
from baton.domain.doubts import MAY_HAVE_HAPPENED
from baton.domain.errors import Unavailable
from baton.domain.ids import StepKey
from baton.runtime.logging import whereabouts
from baton.store.changes import INTERRUPTED
from baton.store.pool import Pool
from baton.store.tools import StartedCall
from workflows.contracts import TOOL_BUSY

#: Seconds before another attempt at a call, at most.
LONGEST_RETRY: Final = 30.0
#: A call that found no slot comes back after so long.
PUT_OFF: Final = timedelta(seconds=1)
#: What a call gives that took longer than any may.
TOO_LONG: Final = "Ended without a result: it took too long."

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a call gave. ``broken``: the tool did not say that it failed, so that another attempt may do better."""

    result: ToolResult
    broken: bool = False


async def make_call(
    pool: Pool, runner: ToolRunner, key: StepKey, call: ToolCall, begun: Begun, slot: Slot
) -> CallOutcome:
    """Make a call of the step ``key`` in its ``slot``, and tell ``begun``.

    Raises `Unavailable` where Baton itself could not do its part.
    """
    name = f"{key.task_id}/{key.turn}/{key.step}/{call.id}"
    context = CallContext(
        key.tenant_id, key.execution_id, key.task_id, name, CallNotes(pool, key, call.id), CallArtifacts(pool, key)
    )
    try:
        return CallOutcome(
            ToolResult(call.id, await call_tool(call.name, call.arguments, context, runner, begun, slot))
        )
    except ToolFailed as error:
        told = masked(storable_text(error.message))
        return CallOutcome(ToolResult(call.id, told, failed=True), error.code == TIMED_OUT)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - a tool's bug is a result that the model reads, and the log names it
        return CallOutcome(ToolResult(call.id, _broken(call, error), failed=True), broken=True)


def another_attempt(started: StartedCall) -> ApplicationError | None:
    """The error that has Temporal make another attempt at a call that is broken; None where there is none."""
    if started.once or started.attempt > retries_of(started.call.name):
        return None
    delay = timedelta(seconds=min(2.0 ** (started.attempt - 1), LONGEST_RETRY))
    return ApplicationError(TOOL_ERROR, type=TOOL_ERROR, next_retry_delay=delay)


def put_off(runner: ToolRunner, tool: str) -> ApplicationError:
    """The error that hands a call back to Temporal whose tool has no free slot in this worker."""
    hanging = runner.strays(tool)
    category = ApplicationErrorCategory.BENIGN
    return ApplicationError(TOOL_BUSY, hanging, type=TOOL_BUSY, next_retry_delay=PUT_OFF, category=category)


def interrupted_call(started: StartedCall, begun: Begun) -> ToolResult:
    """What a call gives that an interrupt or a cancel has ended."""
    told = MAY_HAVE_HAPPENED if started.once and begun.yes else INTERRUPTED
    return ToolResult(started.call.id, told, failed=True)


def endless_call(started: StartedCall) -> ToolResult:
    """What a call gives that was ended because it took longer than any may."""
    told = f"{TOO_LONG} It may have taken effect." if started.once else TOO_LONG
    return ToolResult(started.call.id, told, failed=True)


def impossible_calls(agent: Agent, reply: ModelReply) -> list[ToolResult]:
    """What the model is told of calls that cannot be made: its agent does not have the tool, or it cannot take the
    arguments."""
    return [
        ToolResult(call.id, told, failed=True)
        for call in reply.calls
        if call.name != ASK_USER and (told := _impossible(agent, call))
    ]


def _impossible(agent: Agent, call: ToolCall) -> str | None:
    if missing := missing_tool(agent, call.name):
        return missing.message
    try:
        check_arguments(call.name, call.arguments)
    except ToolFailed as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - a validator of the tool's own; as above
        return _broken(call, error)
    return None


def _broken(call: ToolCall, error: Exception) -> str:
    _log.error("the tool %s failed: %s", call.name, whereabouts(error))
    try:
        said = sentence_of(error)
    except Exception:  # noqa: BLE001 - an error that cannot say what it is; its type is told all the same
        said = ""
    return f"{call.name} failed with {type(error).__name__}{f': {said}' if said else '.'}"
