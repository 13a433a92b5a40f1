"""Kubiya's plan endpoints."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api.access import CanRead, CanSend, CanWrite, Service, count_messages
from api.body import JsonBody
from api.dialects.kubiya import translate
from api.dialects.kubiya.schemas import ExecutePlan
from api.dialects.kubiya.stream import plan_encoder
from api.frames import cursor_of
from api.ids import WholeNumber, in_range
from api.ids import execution_id as parse_execution_id
from api.openapi import ANY_OBJECT, STREAM, body_of, with_body
from api.options import START_KEY_PARAMETER, Options, StartKey
from api.plans import read_plan
from api.query import STRICT_QUERY
from api.responses import JsonResponse, execution_headers, receipt_headers, receipts_headers, started_headers
from api.routing import DirectRoute
from api.sse import open_stream
from api.validate import validated
from baton.domain.errors import TaskNotFound
from baton.domain.ids import TaskInPlan
from baton.domain.views import ExecutionView
from baton.service import executions, messages, starts

PREFIX: Final = "/api/v1/tasks/plan"

router = APIRouter(prefix=PREFIX, tags=["Plan Execution"], route_class=DirectRoute)


@router.post("/{execution_id}/tasks/{task_id}/message", openapi_extra=with_body(ANY_OBJECT))
async def send_task_message(
    execution_id: Annotated[str, Path()],
    task_id: Annotated[WholeNumber, Path()],
    who: CanSend,
    body: JsonBody,
    options: Options,
    baton: Service,
) -> Response:
    """Send a message to a plan's task in any state; a waiting task continues with it.

    When this answers, the message is stored and will reach the agent, in order. `workflow_signaled` says whether
    Temporal was told within a second; if not, it will be.
    """
    draft = translate.draft(translate.message_of(body), options)
    address = TaskInPlan(parse_execution_id(execution_id), in_range(task_id))
    sent = await messages.send_message(
        baton, who, address, draft, budget_seconds=baton.settings.temporal_budget_seconds
    )
    return JsonResponse(translate.sent(execution_id, task_id, sent), headers=receipt_headers(sent.receipt))


@router.post("/execute", status_code=201, openapi_extra=body_of(ExecutePlan, (START_KEY_PARAMETER,)))
async def execute_plan(who: CanWrite, body: JsonBody, key: StartKey, baton: Service) -> Response:
    """Start a plan: it is validated, stored as a whole, and run.

    `warnings` names keys that look misspelt, and so were not read, and a queue that no worker serves.
    """
    request = validated(ExecutePlan, body)
    plan = await read_plan(body["plan"])
    started = await starts.start_plan(
        baton,
        who,
        plan,
        queue=request.worker_queue_id,
        agent=request.agent_id,
        plan_generation_id=request.plan_generation_id,
        key=key,
    )
    answer: dict[str, object] = {
        "execution_id": str(started.execution_id),
        "status": "running",
        "plan_title": plan.title,
        "total_tasks": len(plan.tasks),
    }
    if warnings := [*plan.warnings, *started.warnings]:
        answer["warnings"] = warnings
    return JsonResponse(answer, 201, started_headers(started))


@router.get("/plan-executions", dependencies=STRICT_QUERY)
async def list_plan_executions(
    who: CanRead,
    baton: Service,
    status: str | None = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=1000)] = 50,
    offset: Annotated[WholeNumber, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """List plans, newest first. A single task is a plan of one."""
    page = await executions.page_executions(
        baton,
        who,
        limit=limit,
        offset=offset,
        states=translate.states_of(status, translate.PLAN_STATUS),
    )
    return JsonResponse(
        {
            "executions": [translate.plan_in_list(item) for item in page.items],
            "total": page.total,
            "limit": limit,
            "offset": offset,
        }
    )


@router.get("/{execution_id}")
async def get_plan_execution(execution_id: str, who: CanRead, baton: Service) -> Response:
    """A plan's progress and its waiting tasks."""
    execution = await _plan(baton, who, execution_id)
    return JsonResponse(translate.plan_status(execution), headers=execution_headers(execution.id))


@router.get("/{execution_id}/stream", response_class=Response, responses=STREAM)
async def stream_plan_execution(execution_id: str, request: Request, who: CanRead, baton: Service) -> Response:
    """Stream a plan's events from the start or after `Last-Event-ID`."""
    return await open_stream(
        baton,
        who,
        parse_execution_id(execution_id),
        cursor_of(request, "after", "last_event_id"),
        plan_encoder(),
        snapshot=f"{PREFIX}/{execution_id}",
    )


@router.post("/{execution_id}/continue", openapi_extra=with_body(ANY_OBJECT))
async def continue_plan_execution(
    execution_id: str, request: Request, who: CanSend, body: JsonBody, options: Options, baton: Service
) -> Response:
    """Answer up to 100 waiting tasks at once: all messages are stored, or none. Each counts against the rate limit."""
    responses = translate.responses_of(body, options)
    await count_messages(request, len(responses))
    plan = await _plan(baton, who, execution_id)
    positions = {task.id: task.position for task in plan.tasks or ()}
    for address, _ in responses:
        if address.task not in positions:
            raise TaskNotFound("the plan has no such task execution")
    sent = await messages.send_messages(baton, who, responses, budget_seconds=baton.settings.temporal_budget_seconds)
    now = await executions.get_execution(baton, who, plan.id)
    signaled = sum(one.signaled for one in sent)
    return JsonResponse(
        {
            "success": True,
            "execution_id": execution_id,
            "messages_sent": len(sent),
            "sent_to_executions": [str(one.receipt.task_id) for one in sent],
            "signals_sent": signaled,
            "task_ids": [positions[one.receipt.task_id] for one in sent],
            "remaining_waiting_tasks": len(translate.waiting_tasks(now.tasks or ())),
            "plan_status": translate.PLAN_STATUS[now.state],
            "workflow_signaled": signaled == len(sent),
        },
        headers=receipts_headers([one.receipt for one in sent]),
    )


async def _plan(baton: Service, who: CanRead, execution_id: str) -> ExecutionView:
    return await executions.get_execution(baton, who, parse_execution_id(execution_id))
