"""Whether an error is worded as its dialect words them."""

import json

from tests.dialects.spoken import SPOKEN
from tests.hostile.wire import Reply
from tests.support.error_shapes import is_detail


def is_in_shape(dialect: str, reply: Reply) -> bool:
    """Whether an error is worded as the dialect words its errors; "" is for paths that are no dialect's."""
    if reply.headers.get("content-type", "").partition(";")[0] not in ("application/json", "application/problem+json"):
        return False
    is_worded = SPOKEN[dialect].is_worded if dialect else is_detail
    try:
        return is_worded(json.loads(reply.body), reply)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
