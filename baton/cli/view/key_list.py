"""Keys as a table, and as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from rich import box
from rich.table import Table

from baton.cli.view.texts import ago
from baton.domain.agents import Scope
from baton.domain.keys import Key
from baton.domain.quota import UNLIMITED
from baton.runtime.terminal import one_line


def key_table(keys: Sequence[Key]) -> Table:
    """Each key with what it may do and whether it counts."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Id and name", overflow="fold", min_width=36)
    for column in ("Scopes", "Last used", "Valid"):
        table.add_column(column, overflow="fold")
    now = datetime.now(UTC)
    for key in keys:
        table.add_row(
            f"{key.id}\n{_of(key)}",
            "everything" if key.scopes == frozenset(Scope) else "\n".join(sorted(key.scopes)),
            "never" if key.last_used_at is None else f"{ago(now - key.last_used_at)} ago",
            _counts(key, now),
        )
    return table


def keys_json(keys: Sequence[Key]) -> str:
    """The keys as a JSON array."""
    shown = [
        {
            "id": str(key.id),
            "name": key.name,
            "scopes": sorted(key.scopes),
            "agent_id": key.agent_id and str(key.agent_id),
            "agent_number": key.agent_number,
            "per_minute": key.per_minute,
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
            "last_used_at": key.last_used_at,
        }
        for key in keys
    ]
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()


def _of(key: Key) -> str:
    limit = {None: "", UNLIMITED: "any number of requests"}.get(key.per_minute, f"{key.per_minute} a minute")
    agent = "" if key.agent_number is None else f"agent {key.agent_number} alone"
    return " · ".join(part for part in (one_line(key.name), limit, agent) if part)


def _counts(key: Key, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "yes"
    return f"for {ago(key.expires_at - now)}" if key.expires_at > now else "expired"
