"""What every send takes in its headers, whatever the dialect."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request

from baton.domain.errors import InvalidInput
from baton.domain.json import INT64_MAX
from baton.domain.states import SendMode

_LONGEST_KEY: Final = 255
_PRINTABLE: Final = re.compile(r"[\x20-\x7e\xa0-\xff]+")
_VERSION: Final = re.compile(r'(?:W/)?"(\d+)"|(\d+)')
#: A version that no task has: what no version can be equal to is outdated.
_NEVER: Final = -1


@dataclass(frozen=True, slots=True)
class SendOptions:
    """`Idempotency-Key`, `Baton-Mode`, `Baton-Question` and `If-Match`; None for what was not sent."""

    idempotency_key: str | None = None
    mode: SendMode | None = None
    question: str | None = None
    if_version: int | None = None


async def send_options(request: Request) -> SendOptions:
    """The options of a send. Raises `InvalidInput` that names the header."""
    key = mode = question = version = None
    for raw_name, raw in request.headers.raw:
        match raw_name:
            case b"idempotency-key":
                key = _plain("Idempotency-Key", raw.decode("latin-1"))
            case b"baton-question":
                question = _plain("Baton-Question", raw.decode("latin-1"))
            case b"baton-mode":
                mode = _mode(raw.decode("latin-1"))
            case b"if-match":
                version = _version(raw.decode("latin-1").strip())
            case _:
                pass
    return SendOptions(key, mode, question, version)


Options = Annotated[SendOptions, Depends(send_options)]


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


def _version(value: str) -> int | None:
    """The version that an `If-Match` names; `*` matches any."""
    if value == "*":
        return None
    found = _VERSION.fullmatch(value)
    if found is None:
        return _NEVER
    digits = found[1] or found[2]
    return int(digits) if len(digits) <= 19 and int(digits) <= INT64_MAX else _NEVER


#: What the OpenAPI document says of `If-Match`, for routes that change something of a task.
IF_MATCH_PARAMETER: Final[dict[str, Any]] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The task's version that the caller saw: refused with 412 if it is not current any more.",
    "schema": {"type": "string"},
}

#: What the OpenAPI document says of them, for routes that send.
OPTION_PARAMETERS: Final[list[dict[str, Any]]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A repeat under the same key gives the receipt of the first, and stores nothing.",
        "schema": {"type": "string", "maxLength": _LONGEST_KEY},
    },
    {
        "name": "Baton-Mode",
        "in": "header",
        "required": False,
        "description": "What the message does to a task at work.",
        "schema": {"type": "string", "enum": [*SendMode]},
    },
    {
        "name": "Baton-Question",
        "in": "header",
        "required": False,
        "description": "The id of the question that this answers; without it, all open ones.",
        "schema": {"type": "string", "maxLength": _LONGEST_KEY},
    },
    IF_MATCH_PARAMETER,
]
