"""What every send takes in its headers, whatever the dialect."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request

from api.ids import canonical
from baton.domain.errors import InvalidInput
from baton.domain.json import INT64_MAX
from baton.domain.states import SendMode

_LONGEST_KEY: Final = 255
_PRINTABLE: Final = re.compile(r"[\x20-\x7e\xa0-\xff]+")
_TAG: Final = r'(?:W/)?"[^"]*+"|\d++'
_TAGS: Final = re.compile(rf"[\s,]*+(?:(?:{_TAG})(?=[\s,]|\Z)[\s,]*+)++")
#: A tag that is a version's. Weak ones are none: `If-Match` compares strongly (RFC 9110, 13.1.1).
_VERSION: Final = re.compile(rf'"(\d{{1,19}})"|(\d{{1,19}})(?!\d)|{_TAG}')


@dataclass(frozen=True, slots=True)
class SendOptions:
    """`Idempotency-Key`, `Baton-Mode`, `Baton-Question` and `If-Match`; None for what was not sent."""

    idempotency_key: str | None = None
    mode: SendMode | None = None
    question: str | None = None
    if_versions: tuple[int, ...] | None = None


async def send_options(request: Request) -> SendOptions:
    """The options of a send. Raises `InvalidInput` that names the header."""
    key = mode = question = None
    tags: list[str] = []
    for raw_name, raw in request.headers.raw:
        match raw_name:
            case b"idempotency-key":
                key = _plain("Idempotency-Key", raw.decode("latin-1"))
            case b"baton-question":
                question = canonical(_plain("Baton-Question", raw.decode("latin-1")))
            case b"baton-mode":
                mode = _mode(raw.decode("latin-1"))
            case b"if-match":
                tags.append(raw.decode("latin-1"))
            case _:
                pass
    return SendOptions(key, mode, question, _versions(", ".join(tags)) if tags else None)


Options = Annotated[SendOptions, Depends(send_options)]


async def start_key(request: Request) -> str | None:
    """The `Idempotency-Key` of a request that starts or makes something. Raises `InvalidInput`."""
    key = request.headers.get("Idempotency-Key")
    return None if key is None else _plain("Idempotency-Key", key)


StartKey = Annotated[str | None, Depends(start_key)]


def _plain(name: str, value: str) -> str:
    value = value.strip()
    if not 0 < len(value) <= _LONGEST_KEY or not _PRINTABLE.fullmatch(value):
        raise InvalidInput(f"{name} must be 1 to {_LONGEST_KEY} printable characters", ("header", name))
    return value


def _mode(value: str) -> SendMode:
    try:
        return SendMode(value.strip().lower())
    except ValueError:
        modes = ", ".join(SendMode)
        raise InvalidInput(f"Baton-Mode must be one of {modes}", ("header", "Baton-Mode")) from None


def _versions(value: str) -> tuple[int, ...] | None:
    """The versions that an `If-Match` lists, none if it is malformed; `*` matches any."""
    if value.strip() == "*":
        return None
    if not _TAGS.fullmatch(value):
        return ()
    found = (int(tag[1] or tag[2]) for tag in _VERSION.finditer(value) if tag[1] or tag[2])
    return tuple(version for version in found if version <= INT64_MAX)


#: What the OpenAPI document says of `Idempotency-Key`, for routes that start or make something.
START_KEY_PARAMETER: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "For at least a day, a repeat with this key and the same body gets the first response.",
    "schema": {"type": "string", "maxLength": _LONGEST_KEY},
}

#: What the OpenAPI document says of `If-Match`, for routes that change something of a task.
IF_MATCH_PARAMETER: Final[dict[str, Any]] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "Entity tags of the versions that the caller has seen, or `*`; 412 if none is current.",
    "schema": {"type": "string"},
}

#: What the OpenAPI document says of them, for routes that send.
OPTION_PARAMETERS: Final[list[dict[str, Any]]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A repeat with the same key returns the first receipt and stores nothing.",
        "schema": {"type": "string", "maxLength": _LONGEST_KEY},
    },
    {
        "name": "Baton-Mode",
        "in": "header",
        "required": False,
        "description": "How a running task takes the message: queue it, interrupt the turn, or reject it.",
        "schema": {"type": "string", "enum": [*SendMode]},
    },
    {
        "name": "Baton-Question",
        "in": "header",
        "required": False,
        "description": "Id of the question being answered; by default all open questions.",
        "schema": {"type": "string", "maxLength": _LONGEST_KEY},
    },
    IF_MATCH_PARAMETER,
]
