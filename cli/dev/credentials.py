"""Who may call the local stack: a tenant, its default agent, and a key that may do everything."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from cli.credentials import insert_key
from domain.agents import Scope
from domain.keys import digest_of
from store import agents, keys, tenants
from store.pool import Connection, open_pool

_TENANT: Final = "dev"
_AGENT: Final = "assistant"
_MODEL: Final = "scripted"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller needs. ``agent_id`` is the default agent's integer."""

    tenant: str
    agent_id: int
    api_key: str


async def ensure_credentials(dsn: str, file: Path, tenant: str = _TENANT) -> Credentials:
    """The credentials kept in ``file`` (only its user may read it) if they still count; else new ones, kept there.

    The database must be migrated. The key has all scopes and no rate limit.
    """
    pool = await open_pool(dsn, min_size=0, max_size=1, application="baton dev")
    try:
        async with pool.transaction() as connection:
            tenant_id = await tenants.ensure(connection, tenant)
            agent = await agents.ensure_default(connection, tenant_id, _AGENT, _MODEL)
            kept = _read(file)
            if kept is not None and await _counts(connection, kept, tenant):
                key = kept.api_key
            else:
                key = await insert_key(connection, tenant_id, Scope, None, "baton dev", None)
    finally:
        await pool.close()
    credentials = Credentials(tenant, agent.number, key)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(asdict(credentials), out)
    return credentials


async def _counts(connection: Connection, kept: Credentials, tenant: str) -> bool:
    key = await keys.by_digest(connection, digest_of(kept.api_key))
    return key is not None and key.tenant == tenant


def _read(file: Path) -> Credentials | None:
    if not file.exists():
        return None
    return Credentials(**json.loads(file.read_text()))
