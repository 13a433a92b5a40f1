"""What a user says to a task: each message is a job."""

from fastapi import APIRouter
from starlette.responses import Response

from api.access import CanSend, Service
from api.body import JsonBody
from api.dialects.twill import translate
from api.dialects.twill.access import TASK_PARAMETERS, Task
from api.dialects.twill.schemas import API, SEND_ERRORS, SENT, SendMessageRequest
from api.openapi import body_of
from api.options import Options
from api.responses import JsonResponse, receipt_headers
from api.routing import DirectRoute
from api.validate import validated
from baton.domain.errands import ErrandState
from baton.service import messages

router = APIRouter(prefix=f"{API}/tasks", tags=["Tasks"], responses=SEND_ERRORS, route_class=DirectRoute)


@router.post(
    "/{taskIdOrSlug}/messages",
    operation_id="sendMessage",
    summary="Send message",
    openapi_extra=body_of(SendMessageRequest, TASK_PARAMETERS),
    responses={200: SENT},
)
async def send_message(who: CanSend, task: Task, body: JsonBody, options: Options, baton: Service) -> Response:
    """Send a message to a task as a new job. A job in flight is cancelled; its partial output is kept.

    When this answers, the message is stored. The job is pending then, and in the answer to a repeat, too.
    """
    request = validated(SendMessageRequest, body)
    receipt = (await messages.send_message(baton, who, task, translate.draft(request, options))).receipt
    job = translate.job_ref(receipt.message_id, ErrandState.PENDING)
    return JsonResponse({"job": job}, headers=receipt_headers(receipt))
