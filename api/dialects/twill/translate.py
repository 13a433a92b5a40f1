"""Between Baton's words and Twill's. Pure; the table of statuses is here and nowhere else.

A job is an errand (`baton.domain.errands`): a message and what is done about it. Its id is the message's. A task's
first job is its command, which is the task's description and no message: that job's id is the task's own.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from api.dialects.twill.schemas import API, FilePart, SendMessageRequest
from api.options import SendOptions
from baton.domain.agents import Principal
from baton.domain.approvals import call_question
from baton.domain.conversation import Attachment
from baton.domain.errands import Errand, ErrandState, TaskWithErrand
from baton.domain.json import JsonObject, JsonValue
from baton.domain.messages import Draft
from baton.domain.slugs import slug_of, words_of
from baton.domain.states import SendMode
from baton.domain.views import TaskView

#: A job's status.
STATUS: Final[dict[ErrandState, str]] = {
    ErrandState.PENDING: "PENDING",
    ErrandState.RUNNING: "IN_PROGRESS",
    ErrandState.DONE: "COMPLETED",
    ErrandState.FAILED: "FAILED",
    ErrandState.CANCELLED: "CANCELLED",
}

#: What a job is for, where nobody has said.
DEFAULT_INTENT: Final = "SWE"
#: Intents with which the agent may call no tool that changes things.
_LOOK_ONLY: Final = frozenset({"PLAN", "ASK"})
_PLAN: Final = "PLAN"

#: Where metadata say what a job is for.
INTENT: Final = "userIntent"
ORIGIN: Final = "twill"

#: The vendor's own agents, which clients name without having made them: they stand for the default agent.
_VENDORS_AGENTS: Final = frozenset({"claude-code", "codex", "open-code"})


def draft(request: SendMessageRequest, options: SendOptions) -> Draft:
    """A message with what the request's headers say of it. The job in flight is cancelled unless they say else."""
    return Draft(
        text=request.message,
        origin=ORIGIN,
        attachments=attachments(request.files),
        metadata=metadata(request.user_intent),
        mode=options.mode or SendMode.INTERRUPT,
        idempotency_key=options.idempotency_key,
        question=options.question,
        if_versions=options.if_versions,
        plan_only=None if request.user_intent is None else looks_only(request.user_intent),
    )


def attachments(files: Sequence[FilePart]) -> tuple[Attachment, ...]:
    """Files as they go with a message."""
    return tuple(Attachment(file.filename, file.media_type, file.url) for file in files)


def metadata(intent: str | None) -> JsonObject:
    """What is kept of an intent."""
    return {} if intent is None else {INTENT: intent}


def looks_only(intent: str | None) -> bool:
    """Whether an agent with that intent may call no tool that changes things."""
    return intent in _LOOK_ONLY


def is_vendors_agent(name: str) -> bool:
    """Whether clients may name that agent, also as `provider/model`, without one of that name having been made."""
    return name.partition("/")[0] in _VENDORS_AGENTS


def job_ref(job_id: UUID, state: ErrandState) -> JsonObject:
    """A job, and how it stands."""
    return {"id": str(job_id), "status": STATUS[state]}


def task_summary(task_id: UUID, number: int, title: str, origin: str) -> JsonObject:
    """A task by its names. ``origin`` is where the API was reached, such as `https://baton.example`."""
    slug = slug_of(title, number)
    return {"id": str(task_id), "slug": slug, "title": title, "url": f"{origin}{API}/tasks/{slug}"}


def task_detail(task: TaskView, origin: str) -> JsonObject:
    """A task."""
    summary = task_summary(task.id, task.number, task.title, origin)
    return summary | {"createdAt": _time(task.created_at), "updatedAt": _time(task.updated_at)}


def task_in_list(task: TaskWithErrand, origin: str) -> JsonObject:
    """A task in a list."""
    summary = task_summary(task.id, task.number, task.title, origin)
    return summary | {"createdAt": _time(task.created_at), "latestJobStatus": STATUS[task.last]}


def latest_job(errand: Errand, intent: str) -> JsonObject:
    """A job. ``intent``: what it is for."""
    is_over = errand.state.is_over
    asks = bool(errand.asked or errand.held)
    answer = final_answer(errand) if errand.state is ErrandState.DONE else None
    return job_ref(errand.id, errand.state) | {
        "type": intent,
        "startedAt": None if errand.superseded else _time(errand.started_at),
        "completedAt": _time(errand.ended_at) if is_over else None,
        "plan": answer if intent == _PLAN and not asks else None,
        "finalAnswer": answer,
    }


def jobs(errands: Sequence[Errand], intent: str) -> list[JsonValue]:
    """Jobs in the order in which they came. ``intent``: what the first is for; each that says none keeps the last."""
    return list(_jobs(errands, intent))


def _jobs(errands: Sequence[Errand], intent: str) -> Iterator[JsonObject]:
    for errand in errands:
        said = errand.metadata.get(INTENT)
        intent = said if isinstance(said, str) else intent
        yield latest_job(errand, intent) | {
            "input": errand.text,
            "error": (errand.error or "failed") if errand.state is ErrandState.FAILED else None,
            "createdAt": _time(errand.given_at),
        }


def final_answer(errand: Errand) -> str:
    """What came of a job that is completed: what it asks, else what the agent said last."""
    asked = [question.text for question in errand.asked]
    asked += [call_question(tool, arguments) for tool, arguments in errand.held]
    return "\n".join(asked) or errand.answer


def me(who: Principal) -> JsonObject:
    """Who calls."""
    return {
        "workspaceId": str(who.tenant_id),
        "userId": who.subject,
        "apiKeyId": who.key_id,
        "workspaceName": who.tenant,
        "workspaceSlug": words_of(who.tenant) or str(who.tenant_id),
    }


def _time(at: datetime | None) -> str | None:
    return at and at.isoformat()
