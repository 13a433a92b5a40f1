"""Request bodies: read within a limit, parsed strictly, for all dialects at this one place."""

import json
import re
from typing import Annotated, Final, cast

import orjson
from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from api.access import authenticate, service
from domain.errors import InvalidInput, TooLarge
from domain.json import INT64_MAX, INT64_MIN, JsonObject, JsonValue, unstorable

#: orjson reads an integer that is too large for it as a float; only texts with so many digits in a row can have one.
_MANY_DIGITS: Final = re.compile(rb"\d{19}")
_INVALID_JSON: Final = "json_invalid"


async def json_object(request: Request) -> JsonObject:
    """The body, which must be a JSON object. It is read only once the caller is known.

    Raises `TooLarge`, before all of it was read, `InvalidInput`, and 415 for another content type.
    """
    await authenticate(request)
    _check_type(request)
    limit = (await service(request)).settings.max_body_bytes
    value = parse_json(await read_body(request, limit))
    if not isinstance(value, dict):
        raise InvalidInput("the body must be a JSON object", kind="dict_type")
    return value


JsonBody = Annotated[JsonObject, Depends(json_object)]


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body. Raises `TooLarge` as soon as it is known to be longer than ``limit_bytes``."""
    too_large = TooLarge(f"the body is larger than {limit_bytes} bytes", limit_bytes)
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdecimal() and int(declared[:20]) > limit_bytes:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit_bytes:
                raise too_large
            chunks.append(chunk)
    except ClientDisconnect as error:
        raise HTTPException(400, "the body ended early") from error
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def parse_json(body: bytes) -> JsonValue:
    """Parse strictly: UTF-8, no NaN, no integer beyond 64 bits, no NUL, no lone surrogate, at most 1,024 levels deep.

    Raises `InvalidInput`.
    """
    if not body:
        raise InvalidInput("the body is missing", kind="missing")
    try:
        value = cast("JsonValue", orjson.loads(body))
        if _MANY_DIGITS.search(body):
            json.loads(body, parse_int=_small_integer)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not valid JSON: {_reason(error)}", kind=_INVALID_JSON) from error
    if reason := unstorable(value):
        raise InvalidInput(reason)
    return value


def _small_integer(digits: str) -> int:
    if len(digits) > 20 or not INT64_MIN <= (value := int(digits)) <= INT64_MAX:
        raise ValueError("a number is outside 64 bits")
    return value


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _check_type(request: Request) -> None:
    """Only JSON, not compressed. No content type at all is taken for JSON."""
    declared = request.headers.get("content-type")
    if declared is not None:
        media_type = declared.partition(";")[0].strip().lower()
        if media_type != "application/json" and not (
            media_type.startswith("application/") and media_type.endswith("+json")
        ):
            raise HTTPException(415, "the body must be application/json")
    encoding = request.headers.get("content-encoding")
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        raise HTTPException(415, "the body must not be compressed")
