"""Where the scripted model is in its script: recomputed for each step from the messages alone."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart

from baton.agents.notes import Lost, Read, Source, begun_in, notes_of
from baton.agents.script import directive_lines, ends_response, fails_by_intent
from baton.domain.conversation import DependencyResult


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """To be said about a text without directives."""

    read: Read


Item: TypeAlias = "str | Acknowledge"
"""A line that begins with `!`, or a text without such lines. Both are consumed as one directive."""


@dataclass(slots=True)
class ScriptState:
    """What is left to do, in order, and what the last request brought.

    ``consumed`` counts all items done before; ``words`` those of the texts read since the last response.
    """

    title: str = ""
    dependencies: Sequence[DependencyResult] = ()
    items: deque[Item] = field(default_factory=deque["Item"])
    consumed: int = 0
    words: int = 0
    returns: tuple[ToolReturnPart, ...] = ()

    def read(self, read: Read) -> None:
        """Queue what ``read`` asks for: at the end, or at the place of the `!ask` that it answers."""
        items: list[Item] = [*directive_lines(read.text)] or [Acknowledge(read)]
        if read.source is Source.ANSWER:
            self.items.extendleft(reversed(items))
        else:
            self.items.extend(items)
        self.words += len(read.text.split())

    def lose(self, lost: Lost) -> None:
        """Consume what a step without an answer has used up.

        Where that is not known, a `!fail` within the step's reach counts as begun: the step may have been between two
        attempts, and an interrupt must get past it. A step that failed for another reason uses up one item.
        """
        if lost.begun is None:
            self.consume(max(self._failure_within_reach(), 1 if lost.failed else 0))
        else:
            self.consume(lost.begun)

    def consume(self, count: int) -> None:
        """Drop the next ``count`` items."""
        for _ in range(min(count, len(self.items))):
            self.items.popleft()
            self.consumed += 1

    def _failure_within_reach(self) -> int:
        for position, item in enumerate(self.items, start=1):
            if isinstance(item, str):
                if fails_by_intent(item):
                    return position
                if ends_response(item):
                    return 0
        return 0


def script_state(messages: Sequence[ModelMessage]) -> ScriptState:
    """The state that ``messages`` lead to. Linear in their length."""
    state = ScriptState()
    for message in messages:
        if not isinstance(message, ModelRequest):
            state.consume(begun_in(message))
            state.words = 0
            continue
        state.returns = tuple(part for part in message.parts if isinstance(part, ToolReturnPart))
        notes = notes_of(message)
        if notes is None:
            continue
        state.title, state.dependencies = notes.title, notes.dependencies
        for entry in notes.entries:
            if isinstance(entry, Read):
                state.read(entry)
            else:
                state.lose(entry)
    return state
