"""From what reads give to Baton's own JSON. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final, Literal, TypeAlias, TypeVar

from baton.domain.agents import Agent, Principal, Scope
from baton.domain.artifacts import ArtifactPart, KeptArtifact
from baton.domain.conversation import Usage
from baton.domain.explanation import Explanation
from baton.domain.keys import Key
from baton.domain.messages import Receipt
from baton.domain.views import AgentRef, ApprovalView, CompactionView, ExecutionView, MessageView, Page, TaskView

T = TypeVar("T")
Json = dict[str, Any]
TellableKind: TypeAlias = Literal["task", "execution", "message", "approval", "agent", "compaction"]


def execution(view: ExecutionView) -> Json:
    """An execution; with its tasks where they were read."""
    shown: Json = {
        "id": view.id,
        "kind": "plan" if view.in_plan else "task",
        "title": view.title,
        "summary": view.summary,
        "state": view.state,
        "agent": _agent(view.agent),
        "queue": view.queue,
        "plan_generation_id": view.plan_generation_id,
        "metadata": view.metadata,
        "task_counts": {state.value: count for state, count in view.counts.items()},
        "limits": view.limits,
        "usage": _usage(view.usage),
        "last_event": view.last_event,
        "created_at": view.created_at,
        "started_at": view.started_at,
        "completed_at": view.completed_at,
        "updated_at": view.updated_at,
    }
    return shown if view.tasks is None else shown | {"tasks": [task(one) for one in view.tasks]}


def explanation(why: Explanation) -> Json:
    """Why a task is where it is, the most telling reason first."""
    return {
        "task_id": why.task_id,
        "agent": _agent(why.agent),
        "state": why.state,
        "version": why.version,
        "reasons": [
            {"code": reason.code, "text": reason.text, "since": reason.since, "data": reason.data}
            for reason in why.reasons
        ],
        "usage": _usage(why.usage),
    }


def task(view: TaskView) -> Json:
    """A task."""
    return {
        "id": view.id,
        "number": view.number,
        "execution_id": view.execution_id,
        "position": view.position,
        "title": view.title,
        "description": view.description,
        "depends_on": view.depends_on,
        "agent": _agent(view.agent),
        "state": view.state,
        "version": view.version,
        "turn": view.turn,
        "queued": view.queued,
        "questions": [
            {"id": q.id, "text": q.text, "choices": q.choices, "schema": q.schema, "asked_at": q.asked_at}
            for q in view.questions
        ],
        "approvals": [
            {
                "id": a.id,
                "turn": a.turn,
                "step": a.step,
                "call_id": a.call_id,
                "tool": a.tool,
                "arguments": a.arguments,
                "digest": a.digest,
                "asked_at": a.asked_at,
            }
            for a in view.approvals
        ],
        "granted_tools": view.granted_tools,
        "plan_only": view.plan_only,
        "waiting_since": view.waiting_since,
        "result": view.output,
        "error": None if view.error is None else {"code": view.error, "message": view.error_message},
        "limits": view.limits,
        "usage": _usage(view.usage),
        "created_at": view.created_at,
        "started_at": view.started_at,
        "completed_at": view.completed_at,
        "updated_at": view.updated_at,
        "truncated": view.cut,
    }


def message(view: MessageView) -> Json:
    """A message's receipt."""
    return {
        "id": view.id,
        "seq": view.seq,
        "task_id": view.task_id,
        "execution_id": view.execution_id,
        "state": view.state,
        "turn": view.turn,
        "text": view.text,
        "attachments": [{"filename": a.filename, "media_type": a.media_type, "url": a.url} for a in view.attachments],
        "origin": view.origin,
        "sender": view.sender,
        "author": None if view.author is None else view.author.json(),
        "answers": view.answers,
        "reason": view.reason,
        "pinned": view.pinned,
        "accepted_at": view.accepted_at,
        "claimed_at": view.claimed_at,
        "ended_at": view.ended_at,
    }


def approval(view: ApprovalView) -> Json:
    """An approval, and what became of it."""
    return {
        "id": view.id,
        "task_id": view.task_id,
        "execution_id": view.execution_id,
        "state": view.state,
        "turn": view.turn,
        "step": view.step,
        "call_id": view.call_id,
        "tool": view.tool,
        "arguments": view.arguments,
        "digest": view.digest,
        "asked_at": view.asked_at,
        "decided_at": view.decided_at,
        "decided_by": view.decided_by,
        "author": None if view.author is None else view.author.json(),
        "reason": view.reason,
        "edited_arguments": view.edited,
        "approved_digest": view.approved_digest,
    }


def kept_artifact(artifact: KeptArtifact) -> Json:
    """An artifact in a list, without what it says."""
    return asdict(artifact)


def artifact(part: ArtifactPart) -> Json:
    """A part of an artifact."""
    return asdict(part)


def compaction(view: CompactionView) -> Json:
    """A compaction, and whether it is undone."""
    made = view.compaction
    return {
        "number": made.number,
        "turn": made.turn,
        "step": made.step,
        "reason": made.reason,
        "model": made.model,
        "kept_turn": made.cut.turn,
        "kept_step": made.cut.step,
        "left_out": asdict(made.left_out),
        "summary": made.summary,
        "created_at": view.created_at,
        "undone_at": view.undone_at,
    }


def accepted(receipt: Receipt) -> Json:
    """A message that was accepted, as it was then."""
    return {
        "id": receipt.message_id,
        "seq": receipt.seq,
        "task_id": receipt.task_id,
        "execution_id": receipt.execution_id,
        "state": "accepted",
        "accepted_at": receipt.accepted_at,
        "task": {"state": receipt.state, "version": receipt.version},
    }


def agent(view: Agent) -> Json:
    """An agent as data."""
    return {
        "id": view.id,
        "number": view.number,
        "name": view.name,
        "model": view.model,
        "instructions": view.instructions,
        "tools": view.tools,
        "policies": view.policies,
        "limits": view.limits,
        "model_settings": view.model_settings,
        "fallbacks": view.fallbacks,
        "result_schema": view.result_schema,
        "mode": view.mode,
        "is_default": view.is_default,
        "version": view.version,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
    }


def warned(warnings: Sequence[str]) -> Json:
    """What is told beside an answer, if there is anything to tell."""
    return {"warnings": warnings} if warnings else {}


def key(view: Key) -> Json:
    """A key, without its secret."""
    return {
        "id": view.id,
        "name": view.name,
        "scopes": sorted(view.scopes),
        "agent_id": view.agent_id,
        "agent_number": view.agent_number,
        "per_minute": view.per_minute,
        "created_at": view.created_at,
        "expires_at": view.expires_at,
        "revoked_at": view.revoked_at,
        "last_used_at": view.last_used_at,
    }


def page(found: Page[T], show: Callable[[T], Json]) -> Json:
    """A page of a list."""
    return {"items": [show(item) for item in found.items], "next_cursor": found.next_cursor}


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "usd": usage.usd,
        "calls": usage.calls,
    }


def _agent(agent: AgentRef) -> Json:
    return {"id": agent.id, "number": agent.number, "name": agent.name}


#: What of each is told to who may change it and not read it: which it is, and how it stands.
_TOLD: Final = {
    "task": ("id", "number", "execution_id", "position", "state", "version", "updated_at"),
    "execution": ("id", "kind", "state", "task_counts", "last_event", "updated_at"),
    "message": (
        "id",
        "seq",
        "task_id",
        "execution_id",
        "state",
        "turn",
        "accepted_at",
        "claimed_at",
        "ended_at",
        "task",
    ),
    "approval": (
        "id",
        "task_id",
        "execution_id",
        "state",
        "turn",
        "step",
        "call_id",
        "digest",
        "asked_at",
        "decided_at",
        "approved_digest",
        "task",
    ),
    "agent": ("id", "number", "name", "version", "warnings"),
    "compaction": (
        "number",
        "turn",
        "step",
        "reason",
        "model",
        "kept_turn",
        "kept_step",
        "left_out",
        "created_at",
        "undone_at",
    ),
}


def told(who: Principal, kind: TellableKind, shown: Json) -> Json:
    """What a change is answered with: all that is ``shown``, or to a caller without `tasks:read` nothing that anybody
    wrote."""
    if who.may(Scope.READ):
        return shown
    return {name: value for name, value in shown.items() if name in _TOLD[kind]}
