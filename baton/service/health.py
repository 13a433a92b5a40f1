"""Whether what Baton works with can be reached."""

import asyncio
from dataclasses import dataclass
from typing import Final

from baton.domain.errors import Unavailable
from baton.service.context import Baton
from baton.store import health

_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """What can be reached."""

    postgres: bool
    temporal: bool


async def check_health(baton: Baton) -> Health:
    """What can be reached now; what has not answered within two seconds cannot."""
    postgres, temporal = await asyncio.gather(_postgres(baton), _temporal(baton))
    return Health(postgres, temporal)


async def _postgres(baton: Baton) -> bool:
    try:
        async with asyncio.timeout(_SECONDS), baton.pool.connection() as connection:
            return await health.answers(connection)
    except (Unavailable, TimeoutError):
        return False


async def _temporal(baton: Baton) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            return await baton.temporal.is_well()
    except TimeoutError:
        return False
