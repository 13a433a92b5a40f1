"""`/baton/v1/keys`: who may call. For those who may do everything in their tenant."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import IsAdmin, Service
from api.body import JsonBody
from api.dialects.baton import translate
from api.dialects.baton.problems import BODY_PROBLEMS, PREFIX, PROBLEMS
from api.ids import WholeNumber, parse_uuid
from api.openapi import body_of
from api.options import START_KEY_PARAMETER, StartKey
from api.query import STRICT_QUERY
from api.responses import JsonResponse, replayed_header
from api.routing import DirectRoute
from api.validate import validated
from baton.client.schemas.keys import CreateKey, KeyOut, Keys, NewKeyOut
from baton.domain.errors import InvalidInput, NotFound
from baton.service import keys
from baton.service.keys import NewKey

router = APIRouter(prefix=f"{PREFIX}/keys", tags=["keys"], responses=PROBLEMS, route_class=DirectRoute)

#: No cache on the way may keep a secret.
_PRIVATE = {"Cache-Control": "no-store"}


@router.get("", dependencies=STRICT_QUERY, responses={200: {"model": Keys}})
async def list_keys(
    who: IsAdmin,
    baton: Service,
    cursor: str | None = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=200)] = 50,
) -> Response:
    """List keys without secrets, oldest first. A key bound to one agent sees that agent's keys."""
    page = await keys.list_keys(baton, who, limit=limit, cursor=cursor)
    return JsonResponse(translate.page(page, translate.key))


@router.post(
    "",
    status_code=201,
    openapi_extra=body_of(CreateKey, (START_KEY_PARAMETER,)),
    responses=BODY_PROBLEMS | {201: {"model": NewKeyOut}},
)
async def create_key(who: IsAdmin, body: JsonBody, idempotency_key: StartKey, baton: Service) -> Response:
    """Create a key. Its secret is shown only in this response. A key bound to one agent creates keys for that agent.

    A repeat under the same `Idempotency-Key` creates nothing and gets the key as it is now, with null for the secret,
    which is not kept: if the first response was lost, revoke the key and create another.
    """
    request = validated(CreateKey, body)
    new = NewKey(request.scopes, request.name, _lasting(request.expires_in_seconds), request.per_minute)
    text: str | None
    if idempotency_key is None:
        key, text = await keys.create_key(baton, who, new, request.agent)
    else:
        key, text = await keys.create_key_once(baton, who, new, request.agent, idempotency_key)
    headers = _PRIVATE | {"Location": f"{PREFIX}/keys/{key.id}"} | replayed_header(replayed=text is None)
    return JsonResponse(translate.key(key) | {"key": text}, 201, headers)


@router.get("/{key_id}", responses={200: {"model": KeyOut}})
async def get_key(key_id: str, who: IsAdmin, baton: Service) -> Response:
    """A key, without its secret."""
    return JsonResponse(translate.key(await keys.get_key(baton, who, _parse(key_id))))


@router.delete("/{key_id}", responses={200: {"model": KeyOut}})
async def revoke_key(key_id: str, who: IsAdmin, baton: Service) -> Response:
    """Revoke a key. It stops working at once in this process, within seconds in others. Safe to repeat."""
    return JsonResponse(translate.key(await keys.revoke_key(baton, who, _parse(key_id))))


def _lasting(seconds: int | None) -> timedelta | None:
    try:
        return None if seconds is None else timedelta(seconds=seconds)
    except OverflowError:
        raise InvalidInput("expires_in_seconds is too large", ("body", "expires_in_seconds")) from None


def _parse(text: str) -> UUID:
    found = parse_uuid(text)
    if found is None:
        raise NotFound("there is no such key")
    return found
