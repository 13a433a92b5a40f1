"""An execution as JSON lines, to be kept elsewhere."""

from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any, Final
from uuid import UUID

import httpx
import orjson

from baton.client.errors import Unreachable
from baton.client.http import Client
from baton.client.responses import refusal

#: The server writes as fast as its database reads; one that is silent for longer is gone.
_TIMEOUT: Final = httpx.Timeout(45.0, connect=5.0)
_COUNTED: Final = ("task", "message", "event")


async def export(client: Client, execution_id: UUID | str) -> AsyncGenerator[bytes]:
    """The lines of an execution's export, as the server wrote them, each with its end.

    Raises Refused, and Unreachable, also after the last line that came, where others are missing.
    """
    counts = Counter[str]()
    end: dict[str, Any] | None = None
    try:
        async with client.http.stream(
            "GET", f"/baton/v1/executions/{execution_id}/export", timeout=_TIMEOUT
        ) as response:
            if not response.is_success:
                await response.aread()
                raise refusal(response)
            async for line in _lines(response):
                said = orjson.loads(line)
                counts[said["kind"]] += 1
                end = said if said["kind"] == "end" else None
                yield line
    except httpx.TransportError as error:
        raise client.unreachable(error) from error
    except (ValueError, TypeError, KeyError) as error:
        raise Unreachable(f"the server sent a line that is none of an export ({type(error).__name__})") from error
    if end is None or any(end.get(f"{kind}s") != counts[kind] for kind in _COUNTED):
        raise Unreachable("the export was cut: lines are missing. Try again.")


async def _lines(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Whole lines, with their ends. What comes after the last end is the beginning of one that was cut."""
    kept: list[bytes] = []
    async for piece in response.aiter_bytes():
        *ended, rest = piece.split(b"\n")
        for line in ended:
            yield b"".join((*kept, line, b"\n"))
            kept = []
        kept.append(rest)
