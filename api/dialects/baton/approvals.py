"""`/baton/v1/approvals`: tool calls that wait for consent, and what was decided about them."""

from typing import cast

from fastapi import APIRouter
from starlette.responses import Response

from api.access import CanRead, CanSend, Service
from api.body import JsonBody
from api.dialects.baton import translate
from api.dialects.baton.problems import DECIDE_PROBLEMS, PREFIX, PROBLEMS
from api.ids import approval_id as parse_id
from api.openapi import body_of
from api.responses import JsonResponse, etag
from api.routing import DirectRoute
from api.validate import validated
from baton.client.schemas.approvals import ApprovalOut, DecideApproval, DecidedApproval
from baton.domain.approvals import Decision
from baton.domain.json import JsonObject
from baton.domain.views import ApprovalView
from baton.service import approvals

router = APIRouter(prefix=f"{PREFIX}/approvals", tags=["approvals"], responses=PROBLEMS, route_class=DirectRoute)


@router.get("/{approval_id}", responses={200: {"model": ApprovalOut}})
async def get_approval(approval_id: str, who: CanRead, baton: Service) -> Response:
    """An approval: the call, its state, and any decision; with its task's `ETag`.

    A task that waits shows the open ones, and so does the inbox.
    """
    approval = await approvals.get_approval(baton, who, parse_id(approval_id))
    return JsonResponse(translate.approval(approval), headers=_headers(approval))


@router.post(
    "/{approval_id}",
    openapi_extra=body_of(DecideApproval),
    responses=DECIDE_PROBLEMS | {200: {"model": DecidedApproval}},
)
async def decide_approval(approval_id: str, who: CanSend, body: JsonBody, baton: Service) -> Response:
    """Approve a call, optionally with edited arguments, or decline it with a reason for the agent.

    The task goes on as soon as it waits for nothing else. The first decision counts: another one is answered with 409
    and what became of the approval; the same one again changes nothing, so that this is safe to repeat.
    """
    request = validated(DecideApproval, body)
    digest = request.digest and request.digest.lower()  # hex in any case
    decision = Decision(request.decision, request.reason, cast("JsonObject | None", request.arguments), digest)
    approval = await approvals.decide(baton, who, parse_id(approval_id), decision)
    task = {"state": approval.task_state, "version": approval.task_version}
    shown = translate.told(who, "approval", translate.approval(approval) | {"task": task})
    return JsonResponse(shown, headers=_headers(approval))


def _headers(approval: ApprovalView) -> dict[str, str]:
    return {"Baton-Execution-Id": str(approval.execution_id), "ETag": etag(approval.task_version)}
