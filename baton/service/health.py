"""Whether what Baton works with can be reached and used."""

import asyncio
from dataclasses import dataclass
from typing import Final

from baton.domain.errors import Unavailable
from baton.service.context import Baton
from baton.service.temporal import TemporalRefused
from baton.store import health

_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """What can be reached and used. ``reason``: why something cannot, in words for an operator, "" where all can.

    Of Temporal these are its own, where it has some.
    """

    postgres: bool
    temporal: bool
    reason: str = ""


async def check_health(baton: Baton) -> Health:
    """What can be used now; what has not answered within two seconds cannot."""
    postgres, temporal = await asyncio.gather(_postgres(baton), _temporal(baton))
    return Health(not postgres, not temporal, "; ".join(filter(None, (postgres, temporal))))


async def _postgres(baton: Baton) -> str:
    try:
        async with asyncio.timeout(_SECONDS), baton.pool.connection() as connection:
            await health.check(connection)
    except Unavailable as error:
        return error.message
    except TimeoutError:
        return "the database did not answer in time"
    return ""


async def _temporal(baton: Baton) -> str:
    try:
        async with asyncio.timeout(_SECONDS):
            await baton.temporal.check()
    except TimeoutError:
        return "Temporal does not answer"
    except Unavailable as error:
        return error.message
    except TemporalRefused as error:
        return f"Temporal takes no rings: {error.said}"
    return ""
