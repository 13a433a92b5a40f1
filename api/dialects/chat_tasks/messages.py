"""What a user says to a task: the next message, or the answer to its question."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from api.access import CanSend, Service
from api.body import JsonBody
from api.dialects.chat_tasks import translate
from api.dialects.chat_tasks.access import address
from api.dialects.chat_tasks.schemas import PREFIX, SEND_ERRORS, AppendMessageRequest, AppendMessageResponse
from api.ids import WholeNumber
from api.openapi import body_of
from api.options import OPTION_PARAMETERS, Options, SendOptions
from api.responses import JsonResponse, receipt_headers
from api.routing import DirectRoute
from api.validate import validated
from baton.domain.agents import Principal
from baton.domain.errors import NotWaiting, TaskBusy
from baton.domain.json import JsonObject
from baton.domain.states import TaskState
from baton.service import messages
from baton.service.context import Baton

router = APIRouter(prefix=PREFIX, tags=["Chat tasks"], responses=SEND_ERRORS, route_class=DirectRoute)


@router.post(
    "/{task_id}/messages",
    status_code=202,
    openapi_extra=body_of(AppendMessageRequest),
    responses={202: {"model": AppendMessageResponse}},
)
async def append_message_to_task(
    task_id: Annotated[WholeNumber, Path()], who: CanSend, body: JsonBody, options: Options, baton: Service
) -> Response:
    """Send the next message to a task. A running task refuses it; of two concurrent messages one is accepted.

    When this answers, the message is stored and the task's status has changed.
    """
    return await _send(baton, who, task_id, body, options, only_if_waiting=False)


@router.post(
    "/{task_id}/reply",
    status_code=202,
    openapi_extra=body_of(AppendMessageRequest, OPTION_PARAMETERS),
    responses={202: {"model": AppendMessageResponse}},
)
async def reply_to_task(
    task_id: Annotated[WholeNumber, Path()], who: CanSend, body: JsonBody, options: Options, baton: Service
) -> Response:
    """Answer a waiting task's question. Refused in any other state; a running task may be tried again (`task_busy`)."""
    return await _send(baton, who, task_id, body, options, only_if_waiting=True)


async def _send(
    baton: Baton, who: Principal, task_id: int, body: JsonObject, options: SendOptions, *, only_if_waiting: bool
) -> Response:
    request = validated(AppendMessageRequest, body)
    draft = translate.draft(request, options, only_if_waiting=only_if_waiting)
    try:
        receipt = (await messages.send_message(baton, who, address(task_id, request.agent_id), draft)).receipt
    except NotWaiting as refused:
        if refused.state != TaskState.RUNNING:
            raise
        raise TaskBusy("the task is running: it may ask something yet, try again", refused.state) from refused
    return JsonResponse(translate.accepted(task_id, request.agent_id, receipt), 202, receipt_headers(receipt))
