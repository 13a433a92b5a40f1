"""What answers say of the caller's quota: `RateLimit` and `RateLimit-Policy`, as the IETF's draft has them
(draft-ietf-httpapi-ratelimit-headers-11)."""

from typing import Final

from starlette.types import Message, Scope, Send

from baton.domain.quota import WINDOW_SECONDS, Quota

#: Where a request's quota is kept, once it was counted.
QUOTA: Final = "baton.quota"
_POLICY: Final = '"requests"'


def quota_headers(quota: Quota) -> list[tuple[bytes, bytes]]:
    """The policy (``q`` requests in ``w`` seconds), and what is left of it (``r``) for the next ``t`` seconds."""
    return [
        (b"ratelimit-policy", f"{_POLICY};q={quota.limit};w={WINDOW_SECONDS}".encode()),
        (b"ratelimit", f"{_POLICY};r={quota.remaining};t={quota.reset_seconds}".encode()),
    ]


def telling_quota(scope: Scope, send: Send) -> Send:
    """``send``, with these headers on the answer if the request was counted."""

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start" and (quota := scope.get(QUOTA)) is not None:
            message["headers"] = [*message["headers"], *quota_headers(quota)]
        await send(message)

    return tell
