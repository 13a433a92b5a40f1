"""Decisions: permission for calls that wait for it, and answers to questions."""

from fastapi import APIRouter
from starlette.responses import Response

from api.access import CanSend, Service
from api.body import JsonBody
from api.dialects.maia import translate
from api.dialects.maia.access import PathTask
from api.dialects.maia.published import TASK_PARAMETER, WRITE_ERRORS
from api.dialects.maia.schemas import PREFIX, SubmitDecisionsRequest
from api.dialects.maia.shapes import PendingDecisions
from api.dialects.maia.verdicts import verdicts
from api.openapi import body_of
from api.options import OPTION_PARAMETERS, Options
from api.responses import JsonResponse, etag, execution_headers, receipts_headers
from api.routing import DirectRoute
from api.validate import validated
from baton.domain.ids import TaskById
from baton.service.approvals import decide_and_answer

router = APIRouter(prefix=PREFIX, tags=["AI Agent Tasks"], route_class=DirectRoute)

_HEADERS = [header for header in OPTION_PARAMETERS if header["name"] in ("Idempotency-Key", "If-Match")]


@router.post(
    "/{taskId}/decisions",
    operation_id="submitTaskDecisions",
    openapi_extra=body_of(SubmitDecisionsRequest, [TASK_PARAMETER, *_HEADERS]),
    responses=WRITE_ERRORS | {200: {"model": PendingDecisions, "description": "Recorded; the decisions still pending"}},
)
async def submit_task_decisions(
    who: CanSend, task_id: PathTask, body: JsonBody, options: Options, baton: Service
) -> Response:
    """Decide on calls that need permission, and answer questions, all or nothing.

    `type` is `approve`, or `tool` as pending decisions have it; `decline`; or `question`, with its `answers`. The task
    goes on once nothing is pending. The same decision again changes nothing, another one is a conflict.
    """
    said = verdicts(validated(SubmitDecisionsRequest, body).decisions, options)
    task, receipts = await decide_and_answer(
        baton, who, TaskById(task_id), said.calls, said.answers, if_versions=options.if_versions
    )
    headers = execution_headers(task.execution_id)
    if receipts:
        headers |= receipts_headers(receipts)
    headers["ETag"] = etag(task.version)
    pending = translate.told(who, translate.pending(task.questions, task.approvals))
    return JsonResponse({"pendingDecisions": pending}, headers=headers)
