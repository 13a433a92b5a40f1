"""A task's conversation as the store and the activities keep it, in memory."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from baton.agents.errors import ModelFailed
from baton.agents.models import Models
from baton.agents.steps import PartialReply, take_step
from baton.agents.tools import ASK_USER, ToolFailed, call_tool, question_of
from baton.domain.agents import Agent
from baton.domain.conversation import (
    Attachment,
    DependencyResult,
    ModelReply,
    ReadMessage,
    RecordedStep,
    RecordedTurn,
    ToolResult,
    Transcript,
)
from baton.domain.json import JsonObject
from baton.domain.states import StepState

MAX_ATTEMPTS = 3


def an_agent(model: str = "scripted", tools: tuple[str, ...] = ("clock",)) -> Agent:
    """An agent with instructions."""
    return Agent(uuid4(), uuid4(), 1, "ada", model, instructions="Be brief.", tools=tools)


@dataclass
class Talk:
    """One task. ``answers`` has what its steps came to, ``partials`` what was streamed by each attempt, in order."""

    models: Models
    description: str = ""
    title: str = "The task"
    model: str = "scripted"
    dependencies: tuple[DependencyResult, ...] = ()
    turns: list[RecordedTurn] = field(default_factory=list[RecordedTurn])
    waiting: list[ReadMessage] = field(default_factory=list[ReadMessage])
    open_questions: list[str] = field(default_factory=list[str])
    answers: list[ModelReply] = field(default_factory=list[ModelReply])
    partials: list[PartialReply] = field(default_factory=list[PartialReply])
    agent: Agent = field(default_factory=an_agent)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.agent = replace(self.agent, model=self.model)

    def send(
        self, text: str, *, answers: tuple[str, ...] | None = None, attachments: tuple[Attachment, ...] = ()
    ) -> ReadMessage:
        """Accept a message; it answers all open questions unless ``answers`` says which."""
        if answers is None:
            answers = tuple(self.open_questions)
        self.open_questions = [question for question in self.open_questions if question not in answers]
        message = ReadMessage(uuid4(), next(self._numbers), text, answers, attachments)
        self.waiting.append(message)
        return message

    @property
    def transcript(self) -> Transcript:
        """What the next step reads."""
        return Transcript(self.agent, self.title, self.description, self.dependencies, tuple(self.turns))

    @property
    def steps(self) -> tuple[RecordedStep, ...]:
        """The steps of the turn under way."""
        return self.turns[-1].steps

    def begin_turn(self) -> None:
        """Claim all messages accepted so far."""
        self.turns.append(RecordedTurn(len(self.turns) + 1, tuple(self.waiting), ()))
        self.waiting = []

    async def turn(self) -> str:
        """A whole turn. Gives the text of its last step; raises ModelFailed where it failed for good."""
        self.begin_turn()
        while True:
            answer = await self.step()
            if not answer.calls or self.steps[-1].questions:
                return answer.text

    async def step(self, on_text: Callable[[str], None] = lambda _: None) -> ModelReply:
        """One step of the turn under way, with attempts as Temporal makes them, and its tool calls."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            partial = PartialReply()
            self.partials.append(partial)
            try:
                answer = await take_step(self.models, self.transcript, attempt, partial, on_text)
            except asyncio.CancelledError:
                self.record(StepState.INTERRUPTED, partial.text, partial.response())
                raise
            except ModelFailed as failure:
                if failure.retryable and attempt < MAX_ATTEMPTS:
                    continue
                self.record(StepState.FAILED, partial.text, None, error=failure.code)
                raise
            self.answers.append(answer)
            await self._record_answer(answer)
            return answer
        raise AssertionError("unreachable")

    def record(self, state: StepState, text: str, response: JsonObject | None, error: str | None = None) -> None:
        """Record a step that is over."""
        step = RecordedStep(len(self.steps) + 1, state, text, response, error=error)
        self._append(step)

    async def _record_answer(self, answer: ModelReply) -> None:
        results: list[ToolResult] = []
        questions: list[tuple[str, str]] = []
        for call in answer.calls:
            try:
                if call.name == ASK_USER:
                    question_of(call)
                    questions.append((call.id, f"question-{next(self._numbers)}"))
                else:
                    results.append(ToolResult(call.id, await call_tool(call.name, call.arguments)))
            except ToolFailed as failure:
                results.append(ToolResult(call.id, failure.message, failed=True))
        self.open_questions += [question for _, question in questions]
        self._append(
            RecordedStep(
                len(self.steps) + 1,
                StepState.RECORDED,
                answer.text,
                answer.response,
                answer.calls,
                tuple(results),
                tuple(questions),
            )
        )

    def _append(self, step: RecordedStep) -> None:
        turn = self.turns[-1]
        self.turns[-1] = replace(turn, steps=(*turn.steps, step))


def message(text: str, *answers: str, attachments: tuple[Attachment, ...] = ()) -> ReadMessage:
    """A message by itself."""
    return ReadMessage(UUID(int=0), 1, text, answers, attachments)
