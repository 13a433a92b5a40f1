"""How each dialect words its errors: what a client can rely on when all else goes wrong."""

import json
from collections.abc import Callable
from typing import Any, Final

from tests.hostile.wire import Reply


def _problem(error: Any, reply: Reply) -> bool:
    return (
        reply.headers["content-type"] == "application/problem+json"
        and {"type", "title", "status", "detail"} <= error.keys()
        and error["status"] == reply.status
        and all(isinstance(error[name], str) for name in ("type", "title", "detail"))
    )


def _baton(error: Any, reply: Reply) -> bool:
    return _problem(error, reply) and isinstance(error["code"], str)


def _detail(error: Any, reply: Reply) -> bool:
    detail = error["detail"]
    if reply.status == 422:
        return bool(detail) and all(item.keys() == {"loc", "msg", "type"} and item["msg"] for item in detail)
    return list(error) == ["detail"] and isinstance(detail, str) and bool(detail)


def _coded(error: Any, _: Reply) -> bool:
    inner = error["error"]
    return list(error) == ["error"] and isinstance(inner["code"], str) and isinstance(inner["message"], str)


def _numbered(error: Any, reply: Reply) -> bool:
    return error.keys() == {"code", "message"} and error["code"] == reply.status and isinstance(error["message"], str)


#: By dialect; a dialect without an entry fails the test. "" is for paths that are no dialect's.
SHAPES: Final[dict[str, Callable[[Any, Reply], bool]]] = {
    "": _detail,
    "asteroid": _numbered,
    "baton": _baton,
    "chat_tasks": _coded,
    "kubiya": _detail,
    "maia": _problem,
    "twill": _coded,
}


def is_in_shape(dialect: str, reply: Reply) -> bool:
    """Whether an error is worded as the dialect words its errors."""
    if reply.headers.get("content-type", "").partition(";")[0] not in ("application/json", "application/problem+json"):
        return False
    try:
        return SHAPES[dialect](json.loads(reply.body), reply)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
