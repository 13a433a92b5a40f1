"""Whether what Baton works with can be reached and used."""

import asyncio
from dataclasses import dataclass
from typing import Final

from baton.domain.errors import Unavailable
from baton.service.context import Baton
from baton.store import health

_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """What can be reached and used. ``reason``: why PostgreSQL cannot, in words for an operator, "" where it can."""

    postgres: bool
    temporal: bool
    reason: str = ""


async def check_health(baton: Baton) -> Health:
    """What can be used now; what has not answered within two seconds cannot."""
    reason, temporal = await asyncio.gather(_postgres(baton), _temporal(baton))
    return Health(not reason, temporal, reason)


async def _postgres(baton: Baton) -> str:
    try:
        async with asyncio.timeout(_SECONDS), baton.pool.connection() as connection:
            await health.check(connection)
    except Unavailable as error:
        return error.message
    except TimeoutError:
        return "the database did not answer in time"
    return ""


async def _temporal(baton: Baton) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            return await baton.temporal.is_well()
    except TimeoutError:
        return False
