"""`/baton/v1/messages`: what becomes of a message. Edited or withdrawn until a turn reads it, redriven when dead."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import CanRead, CanSend, Service
from api.body import JsonBody
from api.dialects.baton import translate
from api.dialects.baton.problems import CHANGE_PROBLEMS, PREFIX, PROBLEMS
from api.ids import WholeNumber
from api.ids import message_id as parse_id
from api.openapi import body_of
from api.options import IF_MATCH_PARAMETER, Options
from api.query import STRICT_QUERY
from api.responses import JsonResponse, etag
from api.routing import DirectRoute
from api.validate import validated
from baton.client.schemas.messages import ChangedMessage, EditMessage, MessageOut, Messages
from baton.domain.agents import Principal
from baton.domain.conversation import Attachment
from baton.domain.messages import Edit
from baton.domain.states import MessageState
from baton.domain.views import MessageView
from baton.service import messages, receipts
from baton.service.receipts import Settled

router = APIRouter(prefix=f"{PREFIX}/messages", tags=["messages"], responses=PROBLEMS, route_class=DirectRoute)

_CHANGED = {**CHANGE_PROBLEMS, 200: {"model": ChangedMessage}}


@router.get("", dependencies=STRICT_QUERY, responses={200: {"model": Messages}})
async def list_dead_messages(
    who: CanRead,
    baton: Service,
    state: Annotated[Literal[MessageState.DEAD], Query(description="Only dead messages are listed across tasks.")],
    cursor: str | None = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=200)] = 50,
) -> Response:
    """Dead messages across all tasks, each with its reason, oldest first."""
    page = await messages.list_dead_messages(baton, who, limit=limit, cursor=cursor)
    return JsonResponse(translate.page(page, translate.message))


@router.get("/{message_id}", responses={200: {"model": MessageOut}})
async def get_message(message_id: str, who: CanRead, baton: Service) -> Response:
    """A message's receipt: its state, timestamps and turn; with its task's `ETag`."""
    message = await messages.get_message(baton, who, parse_id(message_id))
    return JsonResponse(translate.message(message), headers=_headers(message))


@router.patch("/{message_id}", openapi_extra=body_of(EditMessage, (IF_MATCH_PARAMETER,)), responses=_CHANGED)
async def edit_message(message_id: str, who: CanSend, body: JsonBody, options: Options, baton: Service) -> Response:
    """Edit a message that no turn has read yet. It keeps its position and the questions it answers.

    If a turn was faster the answer is 409 with the state that the message is in. Safe to repeat.
    """
    request = validated(EditMessage, body)
    attachments = request.attachments
    edit = Edit(
        request.text,
        None if attachments is None else tuple(Attachment(a.filename, a.media_type, a.url) for a in attachments),
    )
    settled = await receipts.edit_message(baton, who, parse_id(message_id), edit, if_versions=options.if_versions)
    return _changed(who, settled)


@router.delete("/{message_id}", openapi_extra={"parameters": [IF_MATCH_PARAMETER]}, responses=_CHANGED)
async def withdraw_message(message_id: str, who: CanSend, options: Options, baton: Service) -> Response:
    """Withdraw a message that no turn has read yet. The task is then what it would be without it: what the message
    answered is asked again, unless a later message is waiting, too.

    If a turn was faster the answer is 409 with the state that the message is in. Safe to repeat.
    """
    settled = await receipts.withdraw_message(baton, who, parse_id(message_id), if_versions=options.if_versions)
    return _changed(who, settled)


@router.put("/{message_id}/pin", responses=_CHANGED)
async def pin_message(message_id: str, who: CanSend, baton: Service) -> Response:
    """Pin a message: from the next step on the agent reads it word for word, also where a summary stands for its turn.
    Safe to repeat."""
    return _changed(who, await receipts.pin_message(baton, who, parse_id(message_id), pinned=True))


@router.delete("/{message_id}/pin", responses=_CHANGED)
async def unpin_message(message_id: str, who: CanSend, baton: Service) -> Response:
    """Take a message's pin off: a summary may stand for it again. Safe to repeat."""
    return _changed(who, await receipts.pin_message(baton, who, parse_id(message_id), pinned=False))


@router.post("/{message_id}/redrive", openapi_extra={"parameters": [IF_MATCH_PARAMETER]}, responses=_CHANGED)
async def redrive_message(message_id: str, who: CanSend, options: Options, baton: Service) -> Response:
    """Redrive a dead message under its own id: it joins the end of its task's queue, and the task runs.

    A message that is not dead stays as it is, so that this is safe to repeat. One of a cancelled task stays dead.
    """
    settled = await receipts.redrive_message(baton, who, parse_id(message_id), if_versions=options.if_versions)
    return _changed(who, settled)


def _changed(who: Principal, settled: Settled) -> Response:
    message = settled.message
    task = {"state": settled.task_state, "version": message.task_version}
    shown = translate.told(who, "message", translate.message(message) | {"task": task})
    return JsonResponse(shown, headers=_headers(message))


def _headers(message: MessageView) -> dict[str, str]:
    return {
        "Baton-Message-Id": str(message.id),
        "Baton-Execution-Id": str(message.execution_id),
        "ETag": etag(message.task_version),
    }
