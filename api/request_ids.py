"""The id by which the lines of a request are found in the log."""

import re
from itertools import count
from secrets import token_hex
from typing import Final

from starlette.types import Scope

#: What a caller, or a proxy, may have named it: nothing that would say more than a name does.
_NAME: Final = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_PROCESS: Final = token_hex(4)
_numbers: Final = count(1)


def request_id(scope: Scope) -> str:
    """The request's `X-Request-Id` if that is a plain name, else one that no other process gives."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _NAME.fullmatch(value):
            return value.decode()
    return f"{_PROCESS}-{next(_numbers)}"
