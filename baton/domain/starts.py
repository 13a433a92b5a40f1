"""Starts: requests to start or to make something, and what tells a repeat from another one."""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import orjson

from baton.domain.agents import AgentReference, Principal, parse_reference
from baton.domain.ids import TenantId


@dataclass(frozen=True, slots=True)
class Start:
    """A request to start something under an Idempotency-Key.

    ``scope``: within it, and its tenant, the key counts once. It is the agent that the caller's credentials are for,
    else the tenant: nobody learns of another agent's starts by trying keys. ``digest``: SHA-256 of what is asked for,
    normalised (NFC, members in any order): equal for a repeat of the same.
    """

    tenant_id: TenantId
    scope: UUID
    key: str
    digest: bytes


def keyed(
    who: Principal, key: str | None, kind: str, request: Mapping[str, object], agent: AgentReference = None
) -> Start | None:
    """A request to start a ``kind`` of thing, with or for an ``agent``, under a key; None without a key."""
    if key is None:
        return None
    named = None if agent is None else str(parse_reference(str(agent)))
    text = orjson.dumps([kind, named, request], option=orjson.OPT_SORT_KEYS).decode()
    digest = hashlib.sha256(unicodedata.normalize("NFC", text).encode()).digest()
    return Start(who.tenant_id, who.agent_id or who.tenant_id, key, digest)
