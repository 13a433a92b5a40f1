"""What a user says to an execution."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from api.access import CanSend, Service
from api.body import JsonBody
from api.dialects.asteroid import translate
from api.dialects.asteroid.paths import EXECUTION_ID, ExecutionInPath
from api.dialects.asteroid.schemas import PREFIX, SEND_ERRORS, UserMessage, plain, reference
from api.openapi import with_body
from api.options import Options
from api.responses import receipt_headers
from api.routing import DirectRoute
from api.validate import validated
from baton.domain.ids import Addressee
from baton.service import messages

ADDED: Final = "User message added."
_BODY: Final[dict[str, Any]] = with_body(reference("Agents.Execution.UserMessagesAddTextBody"), [EXECUTION_ID])

router = APIRouter(prefix=PREFIX, tags=["Execution"], route_class=DirectRoute)


@router.post(
    "/executions/{executionId}/user-messages",
    operation_id="ExecutionUserMessagesAdd",
    summary="Send user message to execution",
    status_code=201,
    response_class=PlainTextResponse,
    response_description="Stored; the agent will receive it",
    responses=SEND_ERRORS | {201: plain(ADDED)},
    openapi_extra=_BODY,
)
async def add_user_message(
    who: CanSend, execution_id: ExecutionInPath, body: JsonBody, options: Options, baton: Service
) -> Response:
    """Send a message to an execution in any state.

    In a plan it is for the task that has waited longest, else for the only one that is open, else for the one that
    ended last. When this answers, the message is stored and will reach the agent, in order.
    """
    request = validated(UserMessage, body)
    draft = translate.draft(request.message, options)
    sent = await messages.send_message(baton, who, Addressee(execution_id), draft)
    return PlainTextResponse(ADDED, 201, receipt_headers(sent.receipt))
