"""`/baton/v1/tasks/{id}/compactions`: summaries that the agent reads instead of what was said before."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import CanRead, CanWrite, Service
from api.dialects.baton import translate
from api.dialects.baton.problems import CHANGE_PROBLEMS, PREFIX, PROBLEMS
from api.ids import WholeNumber
from api.ids import task_id as parse_id
from api.query import STRICT_QUERY
from api.responses import JsonResponse
from api.routing import DirectRoute
from baton.client.schemas.compactions import ChangedCompaction, Compactions, RequestedCompaction
from baton.domain.ids import TaskById
from baton.service import compactions

router = APIRouter(
    prefix=f"{PREFIX}/tasks/{{task_id}}/compactions", tags=["tasks"], responses=PROBLEMS, route_class=DirectRoute
)


@router.get("", dependencies=STRICT_QUERY, responses={200: {"model": Compactions}})
async def list_compactions(
    task_id: str,
    who: CanRead,
    baton: Service,
    cursor: str | None = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=200)] = 50,
) -> Response:
    """A task's compactions, newest first. The first that is not undone is the one that the agent reads."""
    page = await compactions.list_compactions(baton, who, TaskById(parse_id(task_id)), limit=limit, cursor=cursor)
    return JsonResponse(translate.page(page, translate.compaction))


@router.post("", status_code=202, responses={202: {"model": RequestedCompaction}, **CHANGE_PROBLEMS})
async def ask_for_compaction(task_id: str, who: CanWrite, baton: Service) -> Response:
    """Have the agent read a summary of what was said so far, before its model's window is full: the next step of the
    task, of this turn or of the next, makes one.

    Where nothing can be left out the answer is 409 with `nothing_to_compact`. Safe to repeat: until there is the
    summary, that asks for no other.
    """
    address = TaskById(parse_id(task_id))
    asked = await compactions.ask_for_compaction(baton, who, address)
    return JsonResponse({"task_id": address.task, "requested_at": asked.at}, 202)


@router.delete("/{number}", responses={200: {"model": ChangedCompaction}})
async def undo_compaction(task_id: str, number: WholeNumber, who: CanWrite, baton: Service) -> Response:
    """Undo a compaction: from its next step on the agent reads what the summary stands for.

    Where that does not fit the model's window, another summary is made. Nothing is lost: it can be redone. Safe to
    repeat.
    """
    done = await compactions.undo_compaction(baton, who, TaskById(parse_id(task_id)), number)
    return JsonResponse(translate.told(who, "compaction", translate.compaction(done)))


@router.post("/{number}/redo", responses={200: {"model": ChangedCompaction}})
async def redo_compaction(task_id: str, number: WholeNumber, who: CanWrite, baton: Service) -> Response:
    """Redo a compaction that was undone: the agent reads its summary again, unless there is a newer one. Safe to
    repeat."""
    done = await compactions.redo_compaction(baton, who, TaskById(parse_id(task_id)), number)
    return JsonResponse(translate.told(who, "compaction", translate.compaction(done)))
