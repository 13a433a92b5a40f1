"""A transcript as the messages that a model reads.

Providers accept the result: it begins and ends with a request, every tool call has exactly one return in the request
right after it, and no message is empty. The same transcript always gives the same messages, so that provider's caches
and the scripted model see what they saw before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from baton.agents.attachments import content_of, mention_of
from baton.agents.notes import Lost, Read, RequestNotes, Source, begun_in, request_metadata
from baton.agents.replies import leaves_off
from baton.agents.responses import decoded
from baton.domain.compactions import Compaction
from baton.domain.conversation import (
    Attachment,
    DependencyResult,
    ReadMessage,
    RecordedStep,
    RecordedTurn,
    ToolResult,
    Transcript,
)
from baton.domain.json import JsonValue
from baton.domain.results import asked_of_model, told_of
from baton.domain.states import StepState

INTERRUPTED_MARK: Final = "[Interrupted here.]"
NO_ANSWER: Final = "No answer yet; the question stays open. What follows was sent without regard to it."
NEVER_ANSWERED: Final = "No answer, and the question is not open any more. What follows was sent without regard to it."
NO_RESULT: Final = "Interrupted before it gave a result."
NO_TEXT: Final = "[No text.]"
GO_ON: Final = "Go on."
CONTINUE: Final = "Your answer reached the token limit. Continue exactly where it ended, and repeat nothing."
PINNED: Final = "[Of these turns, this was pinned and is kept word for word:]"
EDITED: Final = "called_with_changed_arguments"

_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)  # parts want a time; no provider gets to see it


def model_messages(transcript: Transcript) -> list[ModelMessage]:
    """What the model is to answer: the whole conversation, up to and including what the turn under way claimed."""
    conversation = _Conversation(transcript)
    for number, turn in enumerate(transcript.turns, start=1):
        conversation.add_turn(turn, is_over=number < len(transcript.turns))
    return conversation.finished()


def instructions_of(transcript: Transcript) -> str | None:
    """The agent's instructions, what the result must be, and what the task's dependencies came to."""
    results = [f"## {item.title}\n\n{item.result}" for item in transcript.dependencies]
    if results:
        results.insert(0, "# Results of the tasks that this one depends on")
    wanted = asked_of_model(transcript.result_schema)
    return "\n\n".join(filter(None, (transcript.agent.instructions, wanted, *results))) or None


def _task_prompt(title: str, description: str) -> str:
    return "\n\n".join(filter(None, (title, description if description != title else ""))) or GO_ON


@dataclass(slots=True)
class _Pending:
    """A tool call that has no return yet. ``question``: the id of the question that it raised."""

    call: ToolCallPart
    question: str | None
    result: ToolReturnPart | None


@dataclass(slots=True)
class _Conversation:
    """Builds the messages, in order: parts gather in the request under way until a response closes it."""

    transcript: Transcript
    instructions: str | None = None
    dependencies: Sequence[DependencyResult] = ()
    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    parts: list[ModelRequestPart] = field(default_factory=list[ModelRequestPart])
    entries: list[Read | Lost] = field(default_factory=list["Read | Lost"])
    pending: list[_Pending] = field(default_factory=list[_Pending])
    open_questions: dict[str, str] = field(default_factory=dict[str, str])
    is_cut: bool = False
    """The last answer is not whole: what comes next goes on with it."""

    def __post_init__(self) -> None:
        self.instructions = instructions_of(self.transcript)
        self.dependencies = sorted(self.transcript.dependencies, key=lambda item: item.position)
        text = _task_prompt(self.transcript.title, self.transcript.description)
        first = self.transcript.turns[0] if self.transcript.turns else None
        self._say(
            [
                text,
                *_files(
                    self.transcript.attachments, readable=first is None or first.number > 1 or not _has_failed(first)
                ),
            ]
        )
        self.entries.append(Read(Source.DESCRIPTION, self.transcript.description))
        if (compaction := self.transcript.compaction) is not None:
            self.open_questions.update(compaction.questions)
            self._say([_instead(compaction)])
            if self.transcript.pinned:
                self._say([PINNED, *(part for message in self.transcript.pinned for part in _whole(message))])

    def add_turn(self, turn: RecordedTurn, *, is_over: bool) -> None:
        """Add what ``turn`` claimed, and its steps: all but the one under way."""
        used = self._return_all(turn.messages)
        for message in turn.messages:
            self._prompt(message, message in used, files=not _has_failed(turn))
        for step in turn.steps:
            if is_over or step.state is not StepState.RUNNING:
                self._return_all(())
                self._add_step(step)

    def finished(self) -> list[ModelMessage]:
        """The messages; the last is a request. It ends with what no later one says again, so that all before that stays
        as it was, and in providers' caches."""
        self._return_all(())
        self._continue()
        if self.transcript.remaining:
            self.parts.append(UserPromptPart(self.transcript.remaining, timestamp=_NO_TIME))
        self._close_request()
        return self.messages

    def _add_step(self, step: RecordedStep) -> None:
        """Add a step that is over. One that a turn's end left running was interrupted between two attempts."""
        if step.response is None and step.state is StepState.RECORDED:
            return  # Baton asked, not the model: the answer is a message like any other
        response = None if step.response is None else decoded(step.response)
        if response is not None and step.state is StepState.INTERRUPTED and not step.calls:
            response.parts = [TextPart(f"{step.text}\n\n{INTERRUPTED_MARK}")] if step.text else []
        if response is None or not any(isinstance(part, TextPart | ToolCallPart) for part in response.parts):
            begun = None if response is None else begun_in(response)
            self.entries.append(Lost(failed=step.state is StepState.FAILED, begun=begun))
            self.is_cut = False
            return
        self._close_request()
        self.messages.append(response)
        self.is_cut = leaves_off(step)
        self._expect_returns(step, response)
        if step.refused:
            self.parts.append(_prompt(told_of(step.refused)))

    def _expect_returns(self, step: RecordedStep, response: ModelResponse) -> None:
        questions = dict(step.questions)
        results = {result.call_id: result for result in step.results}
        for call in response.tool_calls:
            result = results.get(call.tool_call_id)
            question = questions.get(call.tool_call_id)
            returned = result and _return(call, _content(result), failed=result.failed)
            self.pending.append(_Pending(call, question, returned))

    def _return_all(self, messages: Sequence[ReadMessage]) -> list[ReadMessage]:
        """Give every pending call its return; those of ``messages`` that became one are given back."""
        used: list[ReadMessage] = []
        for pending in self.pending:
            answer = next((item for item in messages if pending.question in item.answers), None)
            if pending.result is not None:
                self.parts.append(pending.result)
            elif pending.question is None:
                self.parts.append(_return(pending.call, NO_RESULT, interrupted=True))
            elif answer is None:
                self.open_questions[pending.question] = str(pending.call.args_as_dict().get("question", ""))
                told = NEVER_ANSWERED if pending.question in self.transcript.closed else NO_ANSWER
                self.parts.append(_return(pending.call, told, interrupted=True))
            else:
                self.parts.append(_return(pending.call, answer.text or NO_TEXT))
                if answer not in used:
                    self.entries.append(Read(Source.ANSWER, answer.text))
                    used.append(answer)
        self.pending.clear()
        return used

    def _prompt(self, message: ReadMessage, used: bool, *, files: bool) -> None:
        late = [self.open_questions.pop(id) for id in message.answers if id in self.open_questions]
        content: list[UserContent] = [f'[This answers your question "{question}"]' for question in late]
        if not used:
            content.append(message.text or NO_TEXT)
            self.entries.append(Read(Source.MESSAGE, message.text))
        self._say([*content, *_files(message.attachments, readable=files)])

    def _say(self, content: Sequence[UserContent]) -> None:
        """Add what the user says, as one text where it is nothing but text."""
        if all(isinstance(item, str) for item in content):
            if content:
                self.parts.append(_prompt("\n\n".join(map(str, content))))
        else:
            self.parts.append(UserPromptPart(content, timestamp=_NO_TIME))

    def _continue(self) -> None:
        if self.is_cut:
            self.parts.append(_prompt(CONTINUE))
            self.is_cut = False

    def _close_request(self) -> None:
        self._continue()
        if not self.parts:
            self.parts.append(_prompt(GO_ON))
        notes = RequestNotes(self.transcript.title, self.dependencies, self.entries)
        self.messages.append(ModelRequest(self.parts, instructions=self.instructions, metadata=request_metadata(notes)))
        self.parts, self.entries = [], []


def _instead(compaction: Compaction) -> str:
    """The summary, with what it stands for."""
    left = compaction.left_out
    in_part = ", the last of them in part" if compaction.cut.turn == left.last_turn else ""
    counted = f"{left.messages} messages, {left.steps} answers, {left.calls} tool calls"
    told = f"[Turns 1 to {left.last_turn}{in_part} are left out here: {counted}. What they came to:]"
    return f"{told}\n\n{compaction.summary}"


def _whole(message: ReadMessage) -> list[UserContent]:
    return [message.text, *_files(message.attachments, readable=True)]


def _has_failed(turn: RecordedTurn) -> bool:
    return any(step.state is StepState.FAILED for step in turn.steps)


def _files(attachments: Sequence[Attachment], *, readable: bool) -> list[UserContent]:
    """Files as parts of a prompt; a line about each where the model could not read them."""
    return list(map(content_of if readable else mention_of, attachments))


def _prompt(text: str) -> UserPromptPart:
    return UserPromptPart(text, timestamp=_NO_TIME)


def _content(result: ToolResult) -> JsonValue:
    """What a call gave; with what it was made with, where that is not what the model wrote."""
    return result.content if result.edited is None else {EDITED: result.edited, "result": result.content}


def _return(call: ToolCallPart, content: object, *, failed: bool = False, interrupted: bool = False) -> ToolReturnPart:
    return ToolReturnPart(
        call.tool_name,
        content,
        call.tool_call_id,
        timestamp=_NO_TIME,
        outcome="failed" if failed else "interrupted" if interrupted else "success",
    )
