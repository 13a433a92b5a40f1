"""What is said to a task, and all that was said and done in it."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import CanRead, CanSend, Service
from api.body import JsonBody
from api.dialects.maia import log, translate
from api.dialects.maia.access import PathTask
from api.dialects.maia.published import READ_ERRORS, SENT, TASK_PARAMETER, WRITE_ERRORS
from api.dialects.maia.schemas import PREFIX, SendMessage
from api.dialects.maia.shapes import TaskMessages
from api.ids import WholeNumber
from api.openapi import with_body
from api.options import Options
from api.query import STRICT_QUERY
from api.responses import JsonResponse, etag, execution_headers, receipt_headers
from api.routing import DirectRoute
from api.validate import validated
from baton.domain.ids import TaskById
from baton.service import messages, tasks
from baton.service.log import list_task_events

router = APIRouter(prefix=PREFIX, tags=["AI Agent Tasks"], route_class=DirectRoute)


@router.post(
    "/{taskId}/messages",
    status_code=202,
    operation_id="sendMessage",
    summary="Send a Message to a Task",
    openapi_extra=with_body({"$ref": "#/components/schemas/SendMessageRequest"}, [TASK_PARAMETER]),
    responses=WRITE_ERRORS | SENT,
)
async def send_message(who: CanSend, task_id: PathTask, body: JsonBody, options: Options, baton: Service) -> Response:
    """Send a message to a task in any state; a waiting or stopped task continues with it.

    Its `agentConfig` may change the mode, not the agent. Calls that wait for permission are made where it grants their
    tools, and declined otherwise. Tools that no worker has are refused; before any worker has been seen, `warnings`
    names them.
    """
    draft = translate.draft(validated(SendMessage, body), options)
    sent = await messages.send_message(baton, who, TaskById(task_id), draft)
    return JsonResponse(translate.warned({"taskId": str(task_id)}, sent.warnings), 202, receipt_headers(sent.receipt))


@router.get(
    "/{taskId}/messages",
    operation_id="getTaskMessages",
    dependencies=STRICT_QUERY,
    openapi_extra={"parameters": [TASK_PARAMETER]},
    responses=READ_ERRORS | {200: {"model": TaskMessages, "description": "A page, in order"}},
)
async def get_task_messages(
    who: CanRead,
    task_id: PathTask,
    baton: Service,
    limit: Annotated[WholeNumber, Query(ge=1, le=1000)] = 25,
    pagination_token: Annotated[str | None, Query(alias="paginationToken")] = None,
) -> Response:
    """A task's messages and actions in order; `more` is the token of the next page, if there is one."""
    found = await tasks.get_task(baton, who, TaskById(task_id))
    page = await list_task_events(
        baton, who, TaskById(task_id), log.SHOWN, limit=limit, cursor=pagination_token, parameter="paginationToken"
    )
    entries = [entry for event in page.items if (entry := log.entry(event, found.description))]
    shown: dict[str, object] = {"results": entries}
    if page.next_cursor is not None:
        shown["more"] = page.next_cursor
    return JsonResponse(shown, headers=execution_headers(found.execution_id) | {"ETag": etag(found.version)})
