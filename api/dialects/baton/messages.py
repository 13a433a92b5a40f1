"""`/baton/v1/tasks/{id}/messages`: sending, and what was sent."""

from typing import Annotated, cast

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import CanRead, CanSend, Service
from api.body import JsonBody
from api.dialects.baton import translate
from api.dialects.baton.problems import PREFIX, PROBLEMS, SEND_PROBLEMS
from api.ids import WholeNumber
from api.ids import task_id as parse_task_id
from api.openapi import body_of
from api.options import OPTION_PARAMETERS, Options
from api.query import STRICT_QUERY
from api.responses import JsonResponse, receipt_headers
from api.routing import DirectRoute
from api.validate import validated
from baton.client.schemas.messages import Accepted, Messages, SendMessage
from baton.domain.conversation import Attachment
from baton.domain.ids import TaskById
from baton.domain.json import JsonObject
from baton.domain.messages import Draft
from baton.domain.states import MessageState
from baton.service import messages

router = APIRouter(prefix=PREFIX, tags=["messages"], responses=PROBLEMS, route_class=DirectRoute)

_ORIGIN = "baton"


@router.post(
    "/tasks/{task_id}/messages",
    status_code=202,
    openapi_extra=body_of(SendMessage, OPTION_PARAMETERS),
    responses=SEND_PROBLEMS | {202: {"model": Accepted}},
)
async def send_message(task_id: str, who: CanSend, body: JsonBody, options: Options, baton: Service) -> Response:
    """Send a message to a task in any state; a waiting task continues with it.

    When this answers, the message is stored and will reach the agent, in order.
    """
    request = validated(SendMessage, body)
    draft = Draft(
        text=request.text,
        origin=_ORIGIN,
        attachments=tuple(Attachment(a.filename, a.media_type, a.url) for a in request.attachments),
        metadata=cast("JsonObject", request.metadata),
        mode=options.mode,
        idempotency_key=options.idempotency_key,
        question=options.question,
        if_versions=options.if_versions,
        grants=tuple(request.grants),
        plan_only=request.plan_only,
        pinned=request.pinned,
    )
    sent = await messages.send_message(baton, who, TaskById(parse_task_id(task_id)), draft)
    receipt = sent.receipt
    headers = receipt_headers(receipt) | {"Location": f"{PREFIX}/messages/{receipt.message_id}"}
    return JsonResponse(translate.accepted(receipt) | translate.warned(sent.warnings), 202, headers)


@router.get("/tasks/{task_id}/messages", dependencies=STRICT_QUERY, responses={200: {"model": Messages}})
async def list_messages(
    task_id: str,
    who: CanRead,
    baton: Service,
    state: Annotated[list[MessageState] | None, Query()] = None,
    cursor: str | None = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=200)] = 50,
) -> Response:
    """A task's messages in delivery order, each with its state."""
    page = await messages.list_messages(
        baton, who, TaskById(parse_task_id(task_id)), limit=limit, states=state, cursor=cursor
    )
    return JsonResponse(translate.page(page, translate.message))
