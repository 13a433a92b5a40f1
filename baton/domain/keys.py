"""API keys: how they look, and what is kept of them."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from baton.domain.agents import Scope
from baton.domain.ids import AgentId, TenantId

PREFIX: Final = "baton_"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. ``per_minute``: requests that it may make a minute, 0 for any number, None for as
    many as any key."""

    tenant_id: TenantId
    tenant: str
    id: UUID
    name: str
    scopes: frozenset[Scope]
    agent_id: AgentId | None
    agent_number: int | None
    per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def new_key() -> str:
    """A fresh key: 256 random bits, URL-safe, recognisable in a log or a repository."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(key: str) -> bytes:
    """What the database keeps of a key. It needs no salt and no slow hash: nobody can try out 256 random bits."""
    return hashlib.sha256(key.encode("utf-8", errors="surrogatepass")).digest()
