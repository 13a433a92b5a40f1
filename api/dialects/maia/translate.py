"""Between Baton's words and Maia's. Pure; the table of statuses is here and nowhere else."""

from collections.abc import Sequence
from typing import Final, cast

from api.dialects.maia.schemas import AgentConfig, CreateTaskRequest, Grants, SendMessage, Status
from api.options import SendOptions
from baton.domain.agents import Principal, Scope
from baton.domain.approvals import Approval, question_text
from baton.domain.conversation import Question
from baton.domain.json import JsonObject, JsonValue
from baton.domain.messages import Draft
from baton.domain.states import TaskState
from baton.domain.views import MetadataAt, TaskDetails, TaskView

ORIGIN: Final = "maia"
#: The name by which the vendor's clients mean the one agent that they know: the default one.
FIXED_AGENT: Final = "data_engineer_agent"
#: Under it a task's execution keeps the `agentConfig` that it was made with.
CONFIG: Final = "agentConfig"
#: In `agentConfig`: a task's project, and its branch, which lists call `branchId`.
PROJECT: Final = "projectId"
BRANCH: Final = "sourceBranchName"
PLAN: Final = "PLAN"
ACT: Final = "ACT"

#: A task's status once no turn is under way.
_AT_REST: Final[dict[TaskState, Status]] = {
    TaskState.PENDING: "RUNNING",
    TaskState.RUNNING: "RUNNING",
    TaskState.WAITING: "STOPPED",
    TaskState.PAUSED: "STOPPED",
    TaskState.SUCCEEDED: "STOPPED",
    TaskState.FAILED: "ERRORED",
    TaskState.CANCELLED: "STOPPED",
}

#: A task's status by its state and whether a turn is under way: one that was asked to stop is STOPPING until it has.
STATUS: Final[dict[tuple[TaskState, bool], Status]] = {
    (state, turn_open): "STOPPING" if state is TaskState.PAUSED and turn_open else status
    for state, status in _AT_REST.items()
    for turn_open in (False, True)
}


def stages_of(status: Status | None) -> list[tuple[TaskState, bool]] | None:
    """What tasks of a status are at; None for all."""
    return None if status is None else [stage for stage, shown in STATUS.items() if shown == status]


def created_with(project: str | None, branch: str | None) -> MetadataAt:
    """What tasks of a project and a branch were created with; None for any."""
    wanted = {(CONFIG, PROJECT): project, (CONFIG, BRANCH): branch}
    return {path: value for path, value in wanted.items() if value is not None}


def agent_of(config: AgentConfig) -> str | None:
    """The agent that a new task is for: None for the default one."""
    return None if config.name == FIXED_AGENT else config.name


def grants_of(permissions: Grants) -> tuple[str, ...]:
    """The tools that are permitted, each once."""
    return tuple(dict.fromkeys(allowed.toolName for allowed in permissions or ()))


def draft(request: SendMessage, options: SendOptions) -> Draft:
    """A message with what the request's headers say of it."""
    config = request.agentConfig
    return Draft(
        text=request.message,
        origin=ORIGIN,
        metadata={} if config is None else {CONFIG: config.model_dump(exclude_unset=True)},
        mode=options.mode,
        idempotency_key=options.idempotency_key,
        question=options.question,
        if_versions=options.if_versions,
        grants=grants_of(request.grantedPermissions),
        plan_only=None if config is None or config.mode is None else config.mode == PLAN,
    )


def warned(answer: JsonObject, warnings: Sequence[str]) -> JsonObject:
    """An answer, with what is doubtful about the request if anything is."""
    told: JsonObject = {"warnings": [*warnings]} if warnings else {}
    return answer | told


def created(request: CreateTaskRequest, task: TaskView) -> JsonObject:
    """The answer to who has made a task: it runs, whatever it has come to by now."""
    return {
        "taskId": str(task.id),
        "status": _AT_REST[TaskState.RUNNING],
        "agentName": request.agentConfig.name,
        "createdAt": task.created_at.isoformat(),
    }


def task(details: TaskDetails) -> JsonObject:
    """A task as it is now."""
    shown = details.task
    return {
        "taskId": str(shown.id),
        "status": status(details),
        "description": shown.description,
        "createdAt": shown.created_at.isoformat(),
        "modifiedAt": shown.updated_at.isoformat(),
        "agentConfig": agent_config(details),
        "grantedPermissions": [{"toolName": name} for name in shown.granted_tools],
        "pendingDecisions": pending(shown.questions, shown.approvals),
    }


def task_in_list(details: TaskDetails) -> JsonObject:
    """A task as lists have it; project and branch only where it was made with them."""
    config = agent_config(details)
    named = {"projectId": config.get(PROJECT), "branchId": config.get(BRANCH)}
    return {
        "taskId": str(details.task.id),
        "status": status(details),
        "agentName": config["name"],
        "mode": config["mode"],
        "description": details.task.description,
        "createdAt": details.task.created_at.isoformat(),
        "modifiedAt": details.task.updated_at.isoformat(),
    } | {name: value for name, value in named.items() if isinstance(value, str)}


def status(details: TaskDetails) -> Status:
    """A task's status."""
    return STATUS[details.task.state, details.turn_open]


def resting_status(state: TaskState) -> Status:
    """The status of a task that has come to ``state``."""
    return _AT_REST[state]


def agent_config(details: TaskDetails) -> JsonObject:
    """What a task was made with, or by which name its agent goes; the mode is the one of now."""
    kept = details.metadata.get(CONFIG)
    config: JsonObject = {"name": details.task.agent.name}
    if isinstance(kept, dict) and isinstance(kept.get("name"), str):
        config = kept
    return config | {"mode": PLAN if details.task.plan_only else ACT}


def pending(questions: Sequence[Question], approvals: Sequence[Approval]) -> list[JsonValue]:
    """What a task asks: each question, and each call that needs consent."""
    return [*map(_question, questions), *map(tool_decision, approvals)]


def told(who: Principal, pending: list[JsonValue]) -> list[JsonValue]:
    """What is ``pending``; to a caller without `tasks:read` in the same shape, without anything that anybody wrote."""
    return pending if who.may(Scope.READ) else [_unread(cast("JsonObject", decision)) for decision in pending]


def _unread(decision: JsonObject) -> JsonObject:
    if decision["type"] == "question":
        return decision | {"questions": []}
    unread: JsonObject = {"toolName": "", "toolInput": {}, "permissionMessage": {"title": "", "body": ""}}
    return decision | unread


def _question(question: Question) -> JsonObject:
    options = cast("list[JsonValue]", list(question.choices))
    asked: JsonObject = {"question": question.text, "options": options, "schema": question.schema}
    return {"type": "question", "id": question.id, "questions": [asked]}


def tool_decision(approval: Approval) -> JsonObject:
    """A call that needs consent; ``toolId`` is what a decision names as its id."""
    return {
        "type": "tool",
        "toolId": approval.id,
        "toolName": approval.tool,
        "toolInput": approval.arguments,
        "permissionMessage": {"title": f"Call {approval.tool}", "body": question_text(approval)},
    }
