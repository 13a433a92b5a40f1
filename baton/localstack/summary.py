"""What `baton dev` tells a person when everything is up."""

import json
from pathlib import Path

from rich.panel import Panel
from rich.table import Table

from baton.localstack.stack import Ready
from baton.runtime.console import console


def print_summary(ready: Ready, directory: Path, *, temporary: bool, model: str | None = None) -> None:
    """Where everything is, and a first call to make. ``model``: the default agent's, where one was asked for."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows = {
        "API": ready.url,
        "Its pages": f"{ready.url}/docs",
        "Temporal": ready.temporal_ui_url or ready.temporal_address,
        "PostgreSQL": ready.postgres_dsn,
        "Key": ready.api_key,
        "Tenant, agent": f"{ready.tenant}, {ready.agent_id}",
        "Data, logs": f"{directory}{' (removed at the end)' if temporary else ''}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    out = console()
    out.print(Panel(table, title="Baton is up", subtitle="Ctrl-C stops it", expand=False))
    out.print("Try this in another terminal; then `baton inbox` shows what the agent asks:\n")
    out.print(_curl(ready, model), soft_wrap=True)
    out.print()


def _curl(ready: Ready, model: str | None) -> str:
    prompt = "!ask Which colour?" if model in (None, "scripted") else "Ask me which colour I like."
    body = json.dumps({"prompt": prompt, "worker_queue_id": ready.task_queue})
    return (
        f"curl {ready.url}/api/v1/agents/{ready.agent_id}/execute \\\n"
        f"  -H 'Authorization: Bearer {ready.api_key}' -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'"
    )
