"""Who may call the local stack: a tenant, its default agent, and a key that may do everything."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from baton.domain.agents import Scope
from baton.domain.keys import digest_of
from baton.domain.quota import UNLIMITED
from baton.service.keys import Beside, NewKey, create_key
from baton.service.tenants import change_model, default_agent, operator
from baton.store import keys
from baton.store.pool import Pool, open_pool

TENANT: Final = "dev"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller needs. ``agent_id`` is the default agent's integer."""

    tenant: str
    agent_id: int
    api_key: str


async def ensure_credentials(dsn: str, file: Path, tenant: str = TENANT, *, model: str | None = None) -> Credentials:
    """The credentials kept in ``file`` (only its user may read it) if they still count; else new ones, kept there.

    The database must be migrated. The key has all scopes and no rate limit. ``model``: what the default agent's is to
    be, None: what it is.
    """
    pool = await open_pool(dsn, min_size=0, max_size=1, application="baton dev")
    try:
        agent = await default_agent(pool, tenant)
        if model is not None:
            await change_model(pool, agent, model)
        key = await _kept_key(pool, file, tenant)
        if key is None:
            new = NewKey(tuple(Scope), "baton dev", per_minute=UNLIMITED)
            _, key = await create_key(Beside(pool), await operator(pool, tenant), new)
    finally:
        await pool.close()
    credentials = Credentials(tenant, agent.number, key)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(asdict(credentials), out)
    return credentials


async def _kept_key(pool: Pool, file: Path, tenant: str) -> str | None:
    text = _read(file)
    if text is None:
        return None
    async with pool.connection() as connection:
        key = await keys.by_digest(connection, digest_of(text))
    return text if key is not None and key.tenant == tenant else None


def _read(file: Path) -> str | None:
    return str(json.loads(file.read_text())["api_key"]) if file.exists() else None
