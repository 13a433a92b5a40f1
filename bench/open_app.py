"""The API that knowing and counting the caller is compared with: Baton's own application, in which everybody is known.

`python -m bench.open_app FD` serves on an inherited socket, just as `baton api --fd FD` does. No setting of Baton's
does this: who calls is replaced in this process alone, by the principal of the key in `BENCH_KEY`.
"""

import os
import socket
import sys
from typing import Final

from starlette.requests import Request

from api import access, body
from api.serving import serve
from baton.domain.agents import Principal
from baton.runtime.process import leave
from baton.settings import load_settings

VARIABLE: Final = "BENCH_KEY"

_known: list[Principal] = []


async def everybody(request: Request) -> Principal:
    """The one principal, whoever calls; nothing is looked at, and nobody is counted."""
    if not _known:
        baton = await access.service(request)
        _known.append(await baton.authenticator.authenticate(os.environ[VARIABLE]))
    return _known[0]


if __name__ == "__main__":
    access.authenticate = everybody
    body.authenticate = everybody
    leave(serve(load_settings(), socket.socket(fileno=int(sys.argv[1]))))
