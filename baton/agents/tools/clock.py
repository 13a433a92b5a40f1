"""The time."""

from datetime import UTC, datetime

from baton.agents.tools.marks import tool


@tool(changes_things=False)
def clock() -> str:
    """The current time, in UTC, as ISO 8601 with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
