"""What must hold of every request's head, whoever it is for (RFC 9110, 5.3; RFC 9112, 3.2)."""

from typing import Final

from starlette.types import Scope

from baton.service.auth import KEY_HEADERS

#: Headers that have one value each. Given twice with different ones, a proxy in front may have gone by the other.
_SINGLE: Final = frozenset(
    {
        b"authorization",
        b"baton-mode",
        b"baton-question",
        b"content-encoding",
        b"content-type",
        b"idempotency-key",
        b"last-event-id",
        b"origin",
        *(name.encode() for name in KEY_HEADERS),
    }
)


def fault_of(scope: Scope) -> str | None:
    """Why a request is answered with a 400; None where nothing is wrong with its head."""
    values: dict[bytes, bytes] = {}
    hosts = 0
    for name, value in scope["headers"]:
        if name in _SINGLE:
            if values.setdefault(name, value) != value:
                return f"{name.decode().title()} is given more than once, with different values"
        elif name == b"host":
            hosts += 1
    if hosts > 1 or (hosts == 0 and scope["http_version"] == "1.1"):
        return "exactly one Host header is required"
    return None
