"""The scripted model and a real provider's, told to do the same."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from baton.agents.models import Models
from baton.domain.json import JsonObject
from tests.support.openai_server import Called, OpenAIServer, Reply
from tests.unit.agents.talk import Talk


@dataclass(frozen=True)
class Wanted:
    """What a step shall come to: text, and one tool call at most."""

    text: str = ""
    tool: str | None = None
    arguments: JsonObject | None = None


@dataclass(frozen=True)
class ScriptedBackend:
    """The model that obeys."""

    models: Models
    name: str = "scripted"

    def talk(self, *steps: Wanted) -> Talk:
        """A talk whose steps come to ``steps``."""
        return Talk(self.models, "\n".join(line for step in steps for line in self._lines(step)), model=self.name)

    def slow_talk(self) -> Talk:
        """A talk whose first step streams for long."""
        return Talk(self.models, "!stream 100000", model=self.name)

    def _lines(self, step: Wanted) -> Sequence[str]:
        said = [f"!say {step.text}"] if step.text else []
        if step.tool is None:
            return [*said, "!finish"]
        return [*said, f"!tool {step.tool} {orjson.dumps(step.arguments or {}).decode()}"]


@dataclass(frozen=True)
class OpenAIBackend:
    """A real provider's model, on the local server."""

    models: Models
    name: str
    server: OpenAIServer

    def talk(self, *steps: Wanted) -> Talk:
        """A talk whose steps come to ``steps``."""
        for number, step in enumerate(steps):
            arguments = orjson.dumps(step.arguments or {}).decode()
            calls = (Called(step.tool, arguments, f"call_{number}"),) if step.tool else ()
            first, space, rest = step.text.partition(" ")
            self.server.reply(Reply((first + space, rest) if step.text else (), calls))
        return Talk(self.models, "Do as you like.", model=self.name)

    def slow_talk(self) -> Talk:
        """A talk whose first step streams for long."""
        self.server.reply(Reply(tuple(f"t{number} " for number in range(10_000)), token_seconds=0.005))
        return Talk(self.models, "Take your time.", model=self.name)


Backend = ScriptedBackend | OpenAIBackend
