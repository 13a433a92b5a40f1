"""Compactions: what of a conversation its model reads as a summary, while the log keeps everything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from baton.domain.authors import Author


class CompactionReason(StrEnum):
    """Why a summary was made."""

    WINDOW = "window"  #: the conversation came near the end of the model's window
    OVERFLOW = "overflow"  #: the provider refused it as too long
    REQUESTED = "requested"  #: somebody asked for it


@dataclass(frozen=True, slots=True)
class AskedCompaction:
    """A summary that somebody has asked for and that no step has made yet."""

    at: datetime
    by: Author


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """From where on a conversation is read as it is: the messages of ``turn`` and its steps from ``step`` on."""

    turn: int
    step: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a summary stands for: turns 1 to ``last_turn``, of which the last may be left out in part; the messages,
    answers of the model (``steps``) and tool calls in them."""

    last_turn: int = 0
    messages: int = 0
    steps: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Compaction:
    """A summary that a model reads instead of what comes before ``cut``.

    ``number`` counts those of a task from 1, 0 for one that is not recorded yet, which was made on top of the one of
    number ``last``, 0 for none; ``turn`` and ``step`` name the step that made it. ``questions``: what was asked before
    the cut and not answered there, by id. ``kept_seq``: the first message that is read as it is. ``refused_bytes``: a
    size that the provider has refused, None where it never did. ``model`` made the summary, "" where none could;
    ``agent_model`` was the agent's.
    """

    cut: Cut
    summary: str
    left_out: LeftOut
    reason: CompactionReason
    turn: int
    step: int
    number: int = 0
    last: int = 0
    kept_seq: int = 0
    questions: Mapping[str, str] = field(default_factory=dict[str, str])
    refused_bytes: int | None = None
    model: str = ""
    agent_model: str = ""
