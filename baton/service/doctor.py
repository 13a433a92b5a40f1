"""`baton doctor`: the checks of readiness, from any machine, and what only an operator looks at."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any, Final, cast

import httpx

from baton.domain.errors import Unavailable
from baton.domain.faults import FAULTS
from baton.domain.health import Check, CheckStatus, failed, warning
from baton.service.checks.database import database_checks
from baton.service.checks.group import group
from baton.service.checks.process import jwks_checks, redis_checks, settings_check, tools_checks
from baton.service.checks.temporal import temporal_checks
from baton.settings import Settings
from baton.store import catalogs, health
from baton.store.pool import open_pool

_SECONDS: Final = 5.0
#: What model providers' own libraries read.
_PROVIDER_KEYS: Final = (
    "ANTHROPIC_API_KEY",
    "CO_API_KEY",
    "GOOGLE_API_KEY",
    "GROQ_API_KEY",
    "HF_TOKEN",
    "MISTRAL_API_KEY",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
    "XAI_API_KEY",
)


async def diagnose(settings: Settings, api: str | None, workers: Sequence[str]) -> list[Check]:
    """All checks, as this machine sees them. ``api``, ``workers``: the URLs of processes whose own checks are told,
    too."""
    database = await group("database", database_checks(settings.dsn))
    usable = all(check.status is not CheckStatus.FAILED for check in database)
    stored, queues = await _stored(settings) if usable else ([], [])
    found = await asyncio.gather(
        group("temporal", temporal_checks(None, sorted({settings.task_queue, *queues}))),
        group("redis", redis_checks(settings)),
        group("jwks", jwks_checks(settings)),
        *(_told_by(url, "api") for url in filter(None, [api])),
        *(_told_by(url, f"worker {_shown(url)}") for url in workers),
    )
    own = [settings_check(), *tools_checks(settings), *_keys(settings)]
    return [*own, *database, *stored, *(check for checks in found for check in checks)]


async def _stored(settings: Settings) -> tuple[list[Check], list[str]]:
    """The check ``catalog``, and the task queues on which something waits for a worker."""
    try:
        pool = await open_pool(settings.dsn, min_size=0, max_size=1, application="baton doctor")
        try:
            async with pool.connection() as connection:
                catalog = await catalogs.current(connection)
                queues = await health.queues_with_work(connection)
        finally:
            await pool.close()
    except Unavailable as error:
        return [failed("catalog", error.fault or "database_refuses", error.message)], []
    if catalog is None:
        return [warning("catalog", "catalog_missing", "no worker has said in the last minutes what it has")], queues
    reason = f"workers have {len(catalog.tools)} tools and {len(catalog.models)} providers of models"
    return [Check("catalog", reason=reason)], queues


def _keys(settings: Settings) -> list[Check]:
    """``keys``: which of the keys that agents' models may use are set here, by name."""
    there = [name for name in (*_PROVIDER_KEYS, *settings.model_keys) if os.environ.get(name)]
    gone = [name for name in settings.model_keys if not os.environ.get(name)]
    if gone:
        return [warning("keys", "key_missing", f"BATON_MODEL_KEYS names {', '.join(gone)}, not set here")]
    return [Check("keys", reason=f"set here: {', '.join(there) or 'none'}")]


async def _told_by(url: str, name: str) -> list[Check]:
    """What a process says of itself at `/readyz`."""
    try:
        async with httpx.AsyncClient(timeout=_SECONDS) as client:
            answer = await client.get(f"{url.rstrip('/')}/readyz")
        told = cast("dict[str, Any]", answer.json())
        checks = [_told(name, one) for one in told["checks"]]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        return [failed(name, "no_answer", f"no Baton answers at {_shown(url)}/readyz ({type(error).__name__})")]
    return checks


def _shown(url: str) -> str:
    """A URL without what is in front of its host: that may be a password."""
    scheme, found, rest = url.rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{found}{authority.rpartition('@')[2]}{slash}{path}"


def _told(name: str, one: dict[str, Any]) -> Check:
    """A check of a process, maybe of another version: of a fault that is not known here, its own remedy is told."""
    status, fault, reason = CheckStatus(one["status"]), str(one.get("code", "")), str(one.get("reason", ""))
    if fault and fault not in FAULTS:
        reason, fault = "; ".join(filter(None, (reason, str(one.get("remedy", ""))))), "not_ready"
    return Check(f"{name}: {one['name']}", status, reason, fault)
