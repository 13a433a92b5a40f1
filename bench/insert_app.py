"""The API that accept is compared with: Baton's own application, and in it a route that commits one INSERT.

`python -m bench.insert_app FD` serves on an inherited socket, just as `baton api --fd FD` does: the same server, the
same authentication, the same reading of the body, the same pool.
"""

import socket
import sys
from typing import Final
from uuid import uuid4

from starlette.responses import Response

from api import serving
from api.access import CanSend, Service
from api.app import BatonApp, create_app
from api.body import JsonBody
from api.responses import JsonResponse
from baton.runtime.process import leave
from baton.settings import Settings, load_settings

PATH: Final = "/baton/v1/bench"
TABLE: Final = "CREATE TABLE bench (tenant_id uuid NOT NULL, id uuid PRIMARY KEY, text text NOT NULL)"
_INSERT: Final = "INSERT INTO bench (tenant_id, id, text) VALUES ($1, $2, $3)"


def create_bench_app(settings: Settings) -> BatonApp:
    """The application, with one route more in the dialect whose sends are measured."""
    app = create_app(settings)

    async def insert(who: CanSend, body: JsonBody, baton: Service) -> Response:
        message_id = uuid4()
        async with baton.pool.connection() as connection:
            await connection.execute(_INSERT, who.tenant_id, message_id, str(body["text"]))
        return JsonResponse({"id": message_id}, 202)

    app.find(PATH).post(PATH, status_code=202)(insert)
    return app


if __name__ == "__main__":
    serving.create_app = create_bench_app  # type: ignore[assignment]
    leave(serving.serve(load_settings(), socket.socket(fileno=int(sys.argv[1]))))
