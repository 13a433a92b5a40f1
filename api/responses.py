"""Responses in JSON, and the headers that every dialect's send returns."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.responses import Response

from baton.domain.messages import Receipt
from baton.service.starts import StartResult

#: What JSON may hold as it is, but many clients take for the end of a line.
_LINE_ENDS: Final = tuple((end.encode(), f"\\u{ord(end):04x}".encode()) for end in "\u0085\u2028\u2029")
#: Ids that a header lists at most: proxies take some 4 KiB of headers.
_LISTED: Final = 16


def to_json(content: Any) -> bytes:
    """JSON by orjson: uuids as text, times as RFC 3339 with their offset."""
    return orjson.dumps(content, default=_text_of_uuid)


def to_json_line(content: Any) -> bytes:
    """The same without anything that a client takes for the end of a line, and without that end."""
    line = to_json(content)
    for end, escaped in _LINE_ENDS:
        line = line.replace(end, escaped)
    return line


def _text_of_uuid(value: object) -> str:
    """asyncpg has a uuid type of its own, which orjson does not know."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


class JsonResponse(Response):
    """A response in JSON, see `to_json`."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(to_json(content), status_code, headers)


def etag(version: int) -> str:
    """A task's version as an entity tag."""
    return f'"{version}"'


def receipt_headers(receipt: Receipt) -> dict[str, str]:
    """What tells the sender of one message, in any dialect, which it was."""
    headers = {
        "Baton-Message-Id": str(receipt.message_id),
        "Baton-Execution-Id": str(receipt.execution_id),
        "ETag": etag(receipt.version),
    }
    return headers | replayed_header(replayed=receipt.replayed)


def receipts_headers(receipts: Sequence[Receipt]) -> dict[str, str]:
    """What tells the sender of several messages to one execution which they were; of many, the first few."""
    headers = receipt_headers(receipts[-1])
    headers["Baton-Message-Id"] = ", ".join(str(receipt.message_id) for receipt in receipts[:_LISTED])
    if not all(receipt.replayed for receipt in receipts):
        headers.pop("Idempotent-Replayed", None)
    return headers


def execution_headers(execution_id: UUID) -> dict[str, str]:
    """What tells, in any dialect, which execution a response is about."""
    return {"Baton-Execution-Id": str(execution_id)}


def started_headers(started: StartResult) -> dict[str, str]:
    """What tells who has started an execution, in any dialect, which it was, whether it was before, and whether anybody
    will work on it."""
    unserved = {"Baton-Warning": started.unserved} if started.unserved else {}
    return execution_headers(started.execution_id) | replayed_header(replayed=started.replayed) | unserved


def replayed_header(*, replayed: bool) -> dict[str, str]:
    """What says that a response is the first one again, to a repeat under the same Idempotency-Key."""
    return {"Idempotent-Replayed": "true"} if replayed else {}
