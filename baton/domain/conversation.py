"""What an agent reads: a task's transcript, turn by turn.

Stored as rows in PostgreSQL, read by `baton.store.transcripts`, turned into a model's own messages by
`baton.agents.transcript`.
"""

from dataclasses import dataclass, field
from uuid import UUID

from baton.domain.agents import Agent
from baton.domain.artifacts import NewArtifact
from baton.domain.compactions import Compaction
from baton.domain.json import JsonObject, JsonValue
from baton.domain.states import StepState


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message: ``url`` is http(s) or `data:`."""

    filename: str
    media_type: str
    url: str


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A message as the agent reads it. ``answers``: ids of the questions that it answered when it was accepted."""

    id: UUID
    seq: int
    text: str
    answers: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that the model asked for. ``id`` is unique within its step."""

    id: str
    name: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call gave; ``failed`` tells the model that ``content`` is an error.

    ``edited``: the arguments that it was made with, where an approver had changed them. ``artifact``: where the whole
    is kept of a result that was just made, and of which ``content`` is a preview.
    """

    call_id: str
    content: JsonValue
    failed: bool = False
    edited: JsonObject | None = None
    artifact: NewArtifact | None = None


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """A model step that is over.

    ``text`` is all text of the reply (the part that was streamed, where it was interrupted), ``response`` the model's
    reply in full as `agents` encoded it (None for a step that failed for good). ``questions`` maps the id of an
    `ask_user` call to the id of the question it raised. ``refused``: why the text is not a valid result.
    """

    number: int
    state: StepState
    text: str
    response: JsonObject | None
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    questions: tuple[tuple[str, str], ...] = ()
    error: str | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """A turn: the messages that it claimed, in order, then its steps, in order."""

    number: int
    messages: tuple[ReadMessage, ...]
    steps: tuple[RecordedStep, ...]


@dataclass(frozen=True, slots=True)
class DependencyResult:
    """What a task that this one depends on came to."""

    position: int
    title: str
    result: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that an agent needs to take its next step. The last turn is the one under way.

    ``attachments`` came with the description. ``closed``: the ids of questions that nobody answered and nobody is asked
    any more: an answer was taken back after another message had come, or the turn that was to ask them failed.
    ``remaining``: what the model is told of its limits, "" for nothing.
    ``compaction``: what is read instead of the turns before the first of these, and of that one's first steps;
    ``pinned``: messages of those turns that are read all the same. ``result_schema``: what the answer that ends the
    task must obey, empty for nothing. ``is_beginning``: there are more turns than these, which cannot be loaded before
    a summary stands for some. ``may_shorten``: long texts may be cut, somebody has said. ``asks_for_summary``: so has
    somebody who wants one as soon as possible.
    """

    agent: Agent
    title: str
    description: str
    dependencies: tuple[DependencyResult, ...]
    turns: tuple[RecordedTurn, ...]
    attachments: tuple[Attachment, ...] = ()
    closed: frozenset[str] = frozenset()
    remaining: str = ""
    compaction: Compaction | None = None
    pinned: tuple[ReadMessage, ...] = ()
    result_schema: JsonObject = field(default_factory=dict[str, JsonValue])
    is_beginning: bool = False
    may_shorten: bool = False
    asks_for_summary: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used: tokens, with the cached ones among those of the input and those of reasoning among those of the
    output; what they cost in US dollars as far as prices are known (None: not known); and requests to models."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    usd: float | None = None
    calls: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Both together; the cost is that which is known."""
        known = [usd for usd in (self.usd, other.usd) if usd is not None]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            sum(known) if known else None,
            self.calls + other.calls,
        )


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What a model step came to: its text, the tool calls it asks for, and the reply in full for the record (None: the
    model was not reached).

    ``finish_reason`` is the provider's word for why the reply ended, ``model`` which of the agent's models made it.
    ``is_cut``: the text is not whole, and the next step goes on with it.
    """

    text: str
    calls: tuple[ToolCall, ...]
    response: JsonObject | None
    usage: Usage = Usage()
    finish_reason: str = ""
    model: str = ""
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What a waiting task asks. ``choices`` are offers, ``schema`` a rule that an answer must obey.

    Times are RFC 3339 in UTC, "" for never. At `deadline_at` the ``default`` is taken for an answer; `remind_at` and
    `escalate_at` are emptied when their event was written.
    """

    id: str
    text: str
    choices: tuple[str, ...] = ()
    schema: JsonObject | None = None
    call_id: str = ""
    turn: int = 0
    asked_at: str = ""
    deadline_at: str = ""
    default: str = ""
    remind_at: str = ""
    escalate_at: str = ""

    @property
    def next_timer(self) -> str:
        """The earliest of its times, "" if it has none."""
        return min((at for at in (self.deadline_at, self.remind_at, self.escalate_at) if at), default="")
