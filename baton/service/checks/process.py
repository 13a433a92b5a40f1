"""A process by itself: its environment, what it uses beside PostgreSQL and Temporal, and its work in the background."""

import asyncio
import os
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Final

from baton.domain.errors import Unavailable
from baton.domain.health import Check, failed, warning
from baton.runtime.environment import unknown_settings
from baton.runtime.installation import missing
from baton.runtime.loop import Loop
from baton.service.jwks import read_keys
from baton.service.windows import SharedWindows
from baton.settings import Settings

_REDIS_SECONDS: Final = 2.0


def settings_check() -> Check:
    """``settings``: whether every `BATON_*` variable of this process is one that something reads."""
    wrong = unknown_settings(os.environ)
    return warning("settings", "setting_unknown", "; ".join(wrong)) if wrong else Check("settings")


async def redis_checks(settings: Settings) -> list[Check]:
    """``redis``, if one is to count requests."""
    if settings.redis_url is None:
        return []
    if line := missing("redis", "redis"):
        return [failed("redis", "extra_missing", f"BATON_REDIS_URL is set, and {line}")]
    shared = SharedWindows(settings.redis_url.get_secret_value(), _REDIS_SECONDS)
    try:
        async with asyncio.timeout(_REDIS_SECONDS):
            await shared.ping()
    except Unavailable as error:
        return [failed("redis", error.fault, error.message)]
    except TimeoutError:
        return [failed("redis", "redis_away", "Redis does not answer in time")]
    finally:
        await shared.close()
    return [Check("redis")]


async def jwks_checks(settings: Settings) -> list[Check]:
    """``jwks``, if tokens are verified by keys that somebody publishes."""
    if settings.jwt_jwks_url is None:
        return []
    try:
        await read_keys(settings.jwt_jwks_url)
    except Unavailable as error:
        return [failed("jwks", error.fault, error.message)]
    return [Check("jwks")]


def tools_checks(settings: Settings) -> list[Check]:
    """``tools``, if there are modules of one's own: whether they are installed here. They are not imported."""
    if not settings.tools_modules:
        return []
    gone = [name for name in settings.tools_modules if not _is_installed(name)]
    if gone:
        return [failed("tools", "tools_unusable", f"the module {gone[0]} is not installed here")]
    return [Check("tools")]


def progress_check(loops: Iterable[Loop]) -> Check:
    """``progress``: whether work in the background comes to an end now and then."""
    late = [f"{loop.name}: nothing done for {seconds:.0f} s" for loop in loops if (seconds := loop.late_seconds)]
    return failed("progress", "late", "; ".join(late)) if late else Check("progress")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False
