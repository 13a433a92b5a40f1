"""Shapes of errors that several dialects share: what a client can rely on when all else goes wrong."""

from typing import Any

from tests.hostile.wire import Reply


def is_problem(error: Any, reply: Reply) -> bool:
    """RFC 9457."""
    return (
        reply.headers["content-type"] == "application/problem+json"
        and {"type", "title", "status", "detail"} <= error.keys()
        and error["status"] == reply.status
        and all(isinstance(error[name], str) for name in ("type", "title", "detail"))
    )


def is_detail(error: Any, reply: Reply) -> bool:
    """FastAPI's."""
    detail = error["detail"]
    if reply.status == 422:
        return bool(detail) and all(item.keys() == {"loc", "msg", "type"} and item["msg"] for item in detail)
    return list(error) == ["detail"] and isinstance(detail, str) and bool(detail)


def is_coded(error: Any, _: Reply) -> bool:
    """A code and a message in `error`."""
    inner = error["error"]
    return list(error) == ["error"] and isinstance(inner["code"], str) and isinstance(inner["message"], str)
