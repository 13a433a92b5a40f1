"""Small things that are written the same way everywhere: spans of time, and states."""

from datetime import datetime, timedelta
from typing import Final

from baton.domain.allowance import dollars
from baton.domain.conversation import Usage
from baton.domain.states import ExecutionState, TaskState

STYLES: Final[dict[str, str]] = {
    "accepted": "yellow",
    "claimed": "cyan",
    "processed": "green",
    "withdrawn": "dim",
    "dead": "red",
    "pending": "dim",
    "running": "cyan",
    "waiting": "yellow",
    "paused": "magenta",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "dim red",
}

MARKS: Final[dict[str, str]] = {
    "pending": "○",
    "running": "●",
    "waiting": "?",
    "paused": "‖",
    "succeeded": "✔",
    "failed": "✘",
    "cancelled": "⊘",
}


def mark_of(state: TaskState | ExecutionState) -> tuple[str, str]:
    """The mark and the style of a state."""
    return MARKS[state], STYLES[state]


def clock(span: timedelta) -> str:
    """A span as 0:07, 12:34, 1:02:03, as seen on a running clock. A negative one (clocks differ) is 0:00."""
    minutes, seconds = divmod(max(0, int(span.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def ago(span: timedelta) -> str:
    """A span as people say it: 12 s, 4 min, 3 h, 2 days."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 2 * 86400:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} days"


def since(start: datetime | None, end: datetime | None) -> str:
    """The span between two times as a clock; empty where one is unknown."""
    return clock(end - start) if start is not None and end is not None else ""


def cost_of(used: Usage) -> str:
    """What was used, in a word: money if known, else tokens; empty where no model was asked."""
    tokens = f"{used.input_tokens + used.output_tokens:,} tokens" if used.calls else ""
    return tokens if used.usd is None else f"{dollars(used.usd)} USD"


def usage_line(used: Usage) -> str:
    """What was used, in a line; empty where no model was asked."""
    if not used.calls:
        return ""
    calls = f"{used.calls:,} model call{'s' * (used.calls != 1)}"
    read = f"{used.input_tokens:,} tokens in" + (f" ({used.cached_tokens:,} cached)" if used.cached_tokens else "")
    said = f"{used.output_tokens:,} out" + (f" ({used.reasoning_tokens:,} reasoning)" if used.reasoning_tokens else "")
    cost = "" if used.usd is None else f" · {dollars(used.usd)} USD"
    return f"{calls} · {read} · {said}{cost}"
