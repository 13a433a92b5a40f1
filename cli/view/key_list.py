"""Keys as a table, and as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from rich import box
from rich.table import Table

from cli.view.texts import ago, one_line, printable_json
from domain.keys import Key
from domain.quota import UNLIMITED


def key_table(keys: Sequence[Key]) -> Table:
    """Each key with what it may do and whether it counts."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("Id", "Name", "Scopes", "Agent", "A minute", "Last used", "Counts"):
        table.add_column(column, overflow="fold", no_wrap=column == "Id")
    now = datetime.now(UTC)
    for key in keys:
        table.add_row(
            str(key.id),
            one_line(key.name),
            " ".join(sorted(key.scopes)),
            "any" if key.agent_number is None else str(key.agent_number),
            {None: "default", UNLIMITED: "any"}.get(key.per_minute, str(key.per_minute)),
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
    return printable_json(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())


def _counts(key: Key, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "yes"
    return f"for {ago(key.expires_at - now)}" if key.expires_at > now else "expired"
