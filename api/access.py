"""Who may call a route, and what a route may ask of Baton: said in its signature."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, cast

from fastapi import Depends
from starlette.requests import Request

from api.quotas import QUOTA
from baton.domain.agents import Principal, Scope
from baton.domain.errors import Forbidden, InvalidInput, RateLimited, Unauthenticated, Unavailable
from baton.domain.quota import Quota
from baton.service.auth import token_of
from baton.service.context import Baton

_KNOWN: Final = "baton.principal"
#: What a caller who is known presented; a stream goes on only while it counts.
CREDENTIALS: Final = "baton.credentials"


async def service(request: Request) -> Baton:
    """The use cases' context of this process."""
    return cast("Baton", request.app.state.baton)


async def authenticate(request: Request) -> Principal:
    """Who calls, found out and counted once per request. Raises `Unauthenticated`, `RateLimited`."""
    known = request.scope.get(_KNOWN)
    if known is None:
        baton = await service(request)
        token = token_of(request.headers)
        known = await baton.authenticator.authenticate(token)
        await _count(request, known, 1)
        request.scope[_KNOWN] = known
        request.scope[CREDENTIALS] = token
    return cast("Principal", known)


async def still_counts(baton: Baton, token: str) -> bool:
    """Whether who has presented ``token`` may read on: a key may have been revoked since, a token have expired."""
    try:
        await baton.authenticator.authenticate(token)
    except Unauthenticated:
        return False
    except Unavailable:
        return True  # nobody is sent away because the database is; it is asked again
    return True


async def count_messages(request: Request, messages: int) -> None:
    """Count a request that sends several messages as that many. Raises `RateLimited`, and `InvalidInput` for more than
    the caller may ever send at once."""
    quota = cast("Quota | None", request.scope[QUOTA])
    if quota is not None and messages > quota.limit:
        raise InvalidInput(f"at most {quota.limit} messages at once: each counts against the rate limit")
    if messages > 1:
        await _count(request, await authenticate(request), messages - 1)


async def _count(request: Request, who: Principal, requests: int) -> None:
    quota = request.scope[QUOTA] = await (await service(request)).quotas.count(who, requests)
    if quota is not None and quota.exceeded:
        raise RateLimited(f"rate limit exceeded: {quota.limit} requests a minute", quota.reset_seconds)


def require(scope: Scope) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency: the caller, who must have ``scope``. Raises `Unauthenticated`, `Forbidden`."""

    async def principal(request: Request) -> Principal:
        who = await authenticate(request)
        if not who.may(scope):
            raise Forbidden(f"the credentials lack the scope {scope}")
        return who

    return principal


Service = Annotated[Baton, Depends(service)]
CanRead = Annotated[Principal, Depends(require(Scope.READ))]
CanSend = Annotated[Principal, Depends(require(Scope.SEND))]
CanWrite = Annotated[Principal, Depends(require(Scope.WRITE))]
CanChangeAgents = Annotated[Principal, Depends(require(Scope.AGENTS))]
IsAdmin = Annotated[Principal, Depends(require(Scope.ADMIN))]
