"""A job's log: an encoder of Baton's events. Pure, but for the last frame, which looks the job up.

Each frame is one `data:` line with a `type`: `connected` first, `historical_complete` after all that had happened when
the connection began, `complete` with the job's status last. Between them: `status`, `text` (a piece of what the agent
says; `text_void` takes back what a step had said that is tried again), `message` (all that a step said), `tool_call`,
`tool_result`, `question`, `approval`, `error`.
"""

from collections.abc import Iterator, Sequence
from typing import assert_never
from uuid import UUID

from api.dialects.twill import translate
from api.dialects.twill.errors import ERRORS
from api.errors import status_of
from api.frames import Chapter, Encoder, Frame
from baton.domain import events
from baton.domain.agents import Principal
from baton.domain.errands import Errand, ErrandState
from baton.domain.errors import MessageNotFound, Unavailable
from baton.domain.events import Body, Event
from baton.domain.events.outcomes import outcome_of
from baton.domain.events.parts import OfStep, OfTurn
from baton.service.context import Baton
from baton.service.feed import Subscription
from baton.service.messages import get_errand


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
        body = event.body
        return tuple(_frames(event)) if isinstance(body, OfTurn) and first <= body.turn <= last else ()

    def is_last(event: Event) -> bool:
        if not isinstance(event.body, events.TurnEnded) or event.task_id != errand.task_id:
            return False
        return errand.state.is_over and event.body.turn == last

    def may_end(event: Event) -> bool:
        return event.task_id == errand.task_id and _may_end(event.body)

    async def end() -> tuple[Frame, int] | None:
        try:
            now = await get_errand(baton, who, errand.id)
        except (MessageNotFound, Unavailable) as error:
            return ("error", {"code": status_of(error, ERRORS).code, "message": error.message}), 0
        return (
            (("complete", {"status": translate.STATUS[now.state].lower()}), now.last_event)
            if now.state.is_over
            else None
        )

    return Encoder(
        f"twill:{errand.task_id}:{first if has_turns else 0}-{last}",
        frames,
        _no_end,
        named=False,
        chapter=Chapter(("connected", {}), ("historical_complete", {}), is_last, may_end, end),
        tells_waiting=True,
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


def _may_end(body: Body) -> bool:
    """Whether a job may have come to its end with an event, or said nothing of that."""
    match body:
        case (
            events.TextDelta()
            | events.ReasoningDelta()
            | events.StepStarted()
            | events.StepVoided()
            | events.StepCompleted()
            | events.StepUsed()
            | events.ToolStarted()
            | events.ToolCompleted()
            | events.NoteWritten()
            | events.ContextCompacted()
            | events.ContextRestored()
            | events.QuestionAsked()
            | events.ApprovalAsked()
        ):
            return False
        case (
            events.ExecutionCreated()
            | events.ExecutionChanged()
            | events.TaskStarted()
            | events.TasksStarted()
            | events.TaskFailed()
            | events.TaskReset()
            | events.TaskPaused()
            | events.TaskResumed()
            | events.TaskCancelled()
            | events.TaskRepaired()
            | events.WorkflowLost()
            | events.WorkflowReplaced()
            | events.MessageAccepted()
            | events.MessageEdited()
            | events.MessageWithdrawn()
            | events.MessageRedriven()
            | events.MessagePinned()
            | events.MessagesDead()
            | events.TurnStarted()
            | events.TurnEnded()
            | events.StepFailed()
            | events.QuestionReminded()
            | events.QuestionEscalated()
            | events.ApprovalDecided()
            | events.Unknown()
        ):
            return True
        case _:
            assert_never(body)


def _frames(event: Event) -> Iterator[Frame]:
    for kind, data in _said(event):
        yield kind, {**data, "timestamp": event.at.isoformat()}


def _said(event: Event) -> Iterator[Frame]:
    match body := event.body:
        case events.TurnStarted():
            yield "status", {"status": translate.STATUS[ErrandState.RUNNING]}
        case events.TextDelta(text=text):
            yield "text", {"step": _step(body), "text": text}
        case events.StepVoided():
            yield "text_void", {"step": _step(body)}
        case events.StepCompleted(text=text):
            if text:
                yield "message", {"step": _step(body), "role": "assistant", "content": text}
        case events.StepFailed(code=code, retrying=retrying):
            yield "error", {"step": _step(body), "code": code, "retrying": retrying}
        case events.ToolStarted(attempt=attempt):
            if attempt == 1:  # else it is shown already
                yield "tool_call", {"id": body.call_id, "name": body.name, "input": body.arguments}
        case events.ToolCompleted():
            yield (
                "tool_result",
                {"id": body.call_id, "name": body.name, "output": body.content, "isError": body.failed},
            )
        case events.TurnEnded():
            asked = outcome_of(event)
            for question in asked.questions:
                yield (
                    "question",
                    {"id": question.question_id, "question": question.text, "choices": question.choices},
                )
            for approval in asked.approvals:
                yield "approval", {"id": approval.approval_id, "tool": approval.tool, "input": approval.arguments}
        case (
            events.ExecutionCreated()
            | events.ExecutionChanged()
            | events.TaskStarted()
            | events.TasksStarted()
            | events.TaskFailed()
            | events.TaskReset()
            | events.TaskPaused()
            | events.TaskResumed()
            | events.TaskCancelled()
            | events.TaskRepaired()
            | events.WorkflowLost()
            | events.WorkflowReplaced()
            | events.MessageAccepted()
            | events.MessageEdited()
            | events.MessageWithdrawn()
            | events.MessageRedriven()
            | events.MessagePinned()
            | events.MessagesDead()
            | events.StepStarted()
            | events.ReasoningDelta()
            | events.StepUsed()
            | events.NoteWritten()
            | events.ContextCompacted()
            | events.ContextRestored()
            | events.QuestionAsked()
            | events.QuestionReminded()
            | events.QuestionEscalated()
            | events.ApprovalAsked()
            | events.ApprovalDecided()
            | events.Unknown()
        ):
            pass
        case _:
            assert_never(body)


def _step(body: OfStep) -> str:
    return f"{body.turn}.{body.step}"
