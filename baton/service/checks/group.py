"""Groups of checks, each of which stands for itself."""

import logging
from collections.abc import Awaitable

from baton.domain.health import Check, failed
from baton.runtime.logging import whereabouts

_log = logging.getLogger(__name__)


async def group(name: str, checks: Awaitable[list[Check]]) -> list[Check]:
    """What a group of checks finds. One that ends with a bug is a check called ``name`` that failed: what other groups
    find is told all the same."""
    try:
        return await checks
    except Exception as error:  # noqa: BLE001 whatever it is, it is told
        _log.error("health: the checks of %s ended with %s", name, whereabouts(error))
        return [failed(name, "check_broken", f"looking at it ended with an error ({type(error).__name__})")]
