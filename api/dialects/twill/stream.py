"""A job's log: an encoder of Baton's events. Pure, but for the last frame, which looks the job up.

Each frame is one `data:` line with a `type`: `connected` first, `historical_complete` after all that had happened when
the connection began, `complete` with the job's status last. Between them: `status`, `text` (a piece of what the agent
says; `text_void` takes back what a step had said that is tried again), `message` (all that a step said), `tool_call`,
`tool_result`, `question`, `approval`, `error`.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from api.dialects.twill import translate
from api.dialects.twill.errors import ERRORS
from api.errors import status_of
from api.frames import Chapter, Encoder, Frame
from baton.domain.agents import Principal
from baton.domain.errands import Errand, ErrandState
from baton.domain.errors import MessageNotFound, Unavailable
from baton.domain.events import Event, EventType
from baton.domain.json import JsonObject
from baton.service.context import Baton
from baton.service.feed import Subscription
from baton.service.messages import get_errand

#: What says nothing of whether a job has come to its end.
_ON_THE_WAY: Final = frozenset(
    {
        EventType.TEXT_DELTA,
        EventType.STEP_STARTED,
        EventType.STEP_VOIDED,
        EventType.STEP_COMPLETED,
        EventType.TOOL_STARTED,
        EventType.TOOL_COMPLETED,
        EventType.QUESTION_ASKED,
        EventType.APPROVAL_ASKED,
        EventType.NOTE_WRITTEN,
    }
)


def job_encoder(baton: Baton, who: Principal, errand: Errand) -> Encoder:
    """What happens in a job's turns: those that it had when the connection began, else the one that will read it.

    A superseded job has none of its own: the turn that reads it is the later one's.
    """
    first = errand.task_turn + 1 if errand.turn is None else errand.turn
    last = max(first, errand.last_turn or 0)
    has_turns = _has_turns(errand)

    def frames(_: UUID, event: Event) -> Sequence[Frame]:
        if not has_turns or event.task_id != errand.task_id:
            return ()
        turn = event.data.get("turn")
        return tuple(_frames(event)) if isinstance(turn, int) and first <= turn <= last else ()

    def is_last(event: Event) -> bool:
        ends = event.type is EventType.TURN_ENDED and event.task_id == errand.task_id
        return ends and errand.state.is_over and event.data.get("turn") == last

    def may_end(event: Event) -> bool:
        return event.task_id == errand.task_id and event.type not in _ON_THE_WAY

    async def end() -> tuple[Frame, int] | None:
        try:
            now = await get_errand(baton, who, errand.id)
        except (MessageNotFound, Unavailable) as error:
            return ("error", {"code": status_of(error, ERRORS).code, "message": error.message}), 0
        return (("complete", {"status": translate.STATUS[now.state]}), now.last_event) if now.state.is_over else None

    return Encoder(
        f"twill:{errand.task_id}:{first if has_turns else 0}-{last}",
        frames,
        _no_end,
        named=False,
        chapter=Chapter(("connected", {}), ("historical_complete", {}), is_last, may_end, end),
    )


def start_of(errand: Errand) -> int:
    """The number of an event after which all is that a job's log may show."""
    return errand.after_event if errand.turn is not None and _has_turns(errand) else errand.last_event


def _has_turns(errand: Errand) -> bool:
    """Whether turns were taken for a job, or will be."""
    return not errand.superseded and not (errand.turn is None and errand.state.is_over)


async def _no_end(_: Subscription) -> Frame | None:
    """A job ends by itself, not with its execution's log."""
    return None


def _frames(event: Event) -> Iterator[Frame]:
    for kind, data in _said(event):
        yield kind, {**data, "timestamp": event.at.isoformat()}


def _said(event: Event) -> Iterator[tuple[str, JsonObject]]:
    data = event.data
    step = f"{data.get('turn')}.{data.get('step')}"
    match event.type:
        case EventType.TURN_STARTED:
            yield "status", {"status": translate.STATUS[ErrandState.RUNNING]}
        case EventType.TEXT_DELTA:
            yield "text", {"step": step, "text": data.get("text")}
        case EventType.STEP_VOIDED:
            yield "text_void", {"step": step}
        case EventType.STEP_COMPLETED if data.get("text"):
            yield "message", {"step": step, "role": "assistant", "content": data["text"]}
        case EventType.STEP_FAILED:
            yield "error", {"step": step, "code": data.get("code"), "retrying": data.get("retrying")}
        case EventType.TOOL_STARTED:
            yield "tool_call", {"id": data.get("call_id"), "name": data.get("name"), "input": data.get("arguments")}
        case EventType.TOOL_COMPLETED:
            yield (
                "tool_result",
                {
                    "id": data.get("call_id"),
                    "name": data.get("name"),
                    "output": data.get("content"),
                    "isError": bool(data.get("failed")),
                },
            )
        case EventType.TURN_ENDED:
            yield from _asked(data)
        case _:
            pass


def _asked(turn: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """What a turn's end leaves open: questions, and calls that need consent."""
    questions, approvals = turn.get("questions"), turn.get("approvals")
    for question in questions if isinstance(questions, list) else ():
        if isinstance(question, dict):
            yield (
                "question",
                {
                    "id": question.get("question_id"),
                    "question": question.get("text"),
                    "choices": question.get("choices"),
                },
            )
    for approval in approvals if isinstance(approvals, list) else ():
        if isinstance(approval, dict):
            yield (
                "approval",
                {
                    "id": approval.get("approval_id"),
                    "tool": approval.get("tool"),
                    "input": approval.get("arguments"),
                },
            )
