"""Request bodies: read within a limit, parsed strictly, for all dialects at this one place."""

import asyncio
import json
import re
from typing import Annotated, Final, cast

import orjson
from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from api.access import authenticate, service
from baton.domain.errors import InvalidInput, TooLarge
from baton.domain.json import INT64_MAX, INT64_MIN, JsonObject, JsonValue, deeper_than, unstorable

#: orjson reads an integer that is too large for it as a float; only texts with so many digits in a row can have one.
_MANY_DIGITS: Final = re.compile(rb"\d{19}")
#: What ends a key, and at times a piece of text: where there are more than keys were read, one may be there twice.
_KEY_END: Final = b'":'
_SPACED_KEY_END: Final = re.compile(rb'"[ \t\r\n]+:')
#: PostgreSQL takes more, but who writes it out again (orjson) ends at 254.
_LEVELS: Final = 128
#: Each is looked at more than once on its way, while others wait.
_MAX_VALUES: Final = 100_000
_LARGE_BYTES: Final = 64 * 1024
_INVALID_JSON: Final = "json_invalid"


async def json_object(request: Request) -> JsonObject:
    """The body, which must be a JSON object. It is read only once the caller is known.

    Raises `TooLarge`, before all of it was read, `InvalidInput`, and 415 for another content type.
    """
    await authenticate(request)
    _check_type(request)
    settings = (await service(request)).settings
    body = await read_body(request, settings.max_body_bytes, settings.body_timeout_seconds)
    # What takes a while to parse must not keep others waiting.
    value = parse_json(body) if len(body) < _LARGE_BYTES else await asyncio.to_thread(parse_json, body)
    if not isinstance(value, dict):
        raise InvalidInput("the body must be a JSON object", kind="dict_type")
    return value


JsonBody = Annotated[JsonObject, Depends(json_object)]


async def read_body(request: Request, limit_bytes: int, limit_seconds: float) -> bytes:
    """The whole body. Raises `TooLarge` as soon as it is known to be longer than ``limit_bytes``, and 408 for one that
    takes longer than ``limit_seconds``."""
    too_large = TooLarge(f"the body is larger than {limit_bytes} bytes", limit_bytes)
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdecimal() and int(declared[:20]) > limit_bytes:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limit_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit_bytes:
                    raise too_large
                chunks.append(chunk)
    except ClientDisconnect as error:
        raise HTTPException(400, "the body is incomplete") from error
    except TimeoutError as error:
        raise HTTPException(408, "the body did not arrive in time", {"Connection": "close"}) from error
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def parse_json(body: bytes) -> JsonValue:
    """Parse strictly: UTF-8, no NaN, no integer beyond 64 bits, no NUL, no lone surrogate, no key twice in an object,
    at most 128 levels deep, at most 100,000 values.

    Raises `InvalidInput`.
    """
    if not body:
        raise InvalidInput("the body is missing", kind="missing")
    try:
        value = cast("JsonValue", orjson.loads(body))
        if _MANY_DIGITS.search(body) or _key_ends(body) != _keys(value):
            json.loads(body, parse_int=_small_integer, object_pairs_hook=_with_single_keys)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not valid JSON: {_reason(error)}", kind=_INVALID_JSON) from error
    if body.count(b",") >= _MAX_VALUES and _holds_more(value, _MAX_VALUES):
        raise InvalidInput(f"the body holds more than {_MAX_VALUES} values", kind=_INVALID_JSON)
    if body.count(b"[") + body.count(b"{") > _LEVELS and deeper_than(value, _LEVELS):
        raise InvalidInput(f"the body is nested more than {_LEVELS} levels deep", kind=_INVALID_JSON)
    if reason := unstorable(value):
        raise InvalidInput(reason)
    return value


def _key_ends(body: bytes) -> int:
    return body.count(_KEY_END) + len(_SPACED_KEY_END.findall(body))


def _keys(value: JsonValue) -> int:
    """How many keys the objects in ``value`` have. Walks without recursion."""
    count = 0
    pending: list[JsonValue] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            count += len(item)
            pending.extend(held for held in item.values() if isinstance(held, dict | list))
        elif isinstance(item, list):
            pending.extend(held for held in item if isinstance(held, dict | list))
    return count


def _holds_more(value: JsonValue, limit: int) -> bool:
    """Whether ``value`` has more than ``limit`` values in it. Walks without recursion, and no further than that."""
    count = 0
    pending: list[JsonValue] = [value]
    while pending and count <= limit:
        item = pending.pop()
        held = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        count += len(held)
        pending.extend(one for one in held if isinstance(one, dict | list))
    return count > limit


def _with_single_keys(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found


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
