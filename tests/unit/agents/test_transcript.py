"""Do the messages say what happened, and does every provider accept them?"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_ai.messages import (
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from baton.agents.responses import encoded
from baton.agents.transcript import GO_ON, INTERRUPTED_MARK, NEVER_ANSWERED, NO_ANSWER, NO_RESULT, model_messages
from baton.domain.conversation import (
    Attachment,
    DependencyResult,
    RecordedStep,
    RecordedTurn,
    ToolResult,
    Transcript,
)
from baton.domain.states import StepState
from tests.unit.agents.talk import an_agent, message

ASK = ToolCallPart("ask_user", {"question": "Which colour?"}, "ask-1")
ASK_TOO = ToolCallPart("ask_user", '{"question": "Which size?"}', "ask-2")
CLOCK = ToolCallPart("clock", {}, "clock-1")


def a_step(
    *parts: TextPart | ToolCallPart,
    state: StepState = StepState.RECORDED,
    results: tuple[ToolResult, ...] = (),
    questions: tuple[tuple[str, str], ...] = (),
) -> RecordedStep:
    text = "".join(part.content for part in parts if isinstance(part, TextPart))
    response = None if state is StepState.FAILED else encoded(ModelResponse(list(parts)))
    return RecordedStep(1, state, text, response, (), results, questions)


def a_transcript(*turns: RecordedTurn, **fields: Any) -> Transcript:
    given: dict[str, Any] = {"title": "Title", "description": "Description", "dependencies": ()}
    return Transcript(agent=an_agent(), turns=turns, **(given | fields))


def a_turn(*steps: RecordedStep, messages: tuple[Any, ...] = ()) -> RecordedTurn:
    return RecordedTurn(1, messages, steps)


def parts_of(message: ModelMessage) -> list[tuple[str, object]]:
    """The parts of a message in short."""
    short: list[tuple[str, object]] = []
    for part in message.parts:
        match part:
            case ToolReturnPart():
                short.append((part.tool_call_id, part.content))
            case ToolCallPart():
                short.append(("call", part.tool_call_id))
            case UserPromptPart():
                short.append(("user", part.content))
            case TextPart():
                short.append(("text", part.content))
            case _:
                raise AssertionError(part)
    return short


def test_the_task_comes_first() -> None:
    (request,) = model_messages(a_transcript(a_turn()))
    assert parts_of(request) == [("user", "Title\n\nDescription")]


def test_instructions_hold_the_results_of_dependencies() -> None:
    results = (DependencyResult(1, "First", "red"), DependencyResult(2, "Second", "blue"))
    (request,) = model_messages(a_transcript(a_turn(), dependencies=results))
    assert isinstance(request, ModelRequest)
    assert request.instructions == (
        "Be brief.\n\n# Results of the tasks that this one depends on\n\n## First\n\nred\n\n## Second\n\nblue"
    )


def test_messages_of_the_first_turn_follow_the_task() -> None:
    (request,) = model_messages(a_transcript(a_turn(messages=(message("one"), message("two")))))
    assert parts_of(request) == [("user", "Title\n\nDescription"), ("user", "one"), ("user", "two")]


def test_what_was_called_with_other_arguments_says_so() -> None:
    write = ToolCallPart("write", {"path": "a"}, "write-1")
    results = (ToolResult("clock-1", "noon"), ToolResult("write-1", "written", edited={"path": "b"}))
    messages = model_messages(a_transcript(a_turn(a_step(CLOCK, write, results=results)), a_turn()))
    assert parts_of(messages[2]) == [
        ("clock-1", "noon"),
        ("write-1", {"called_with_changed_arguments": {"path": "b"}, "result": "written"}),
    ]


def test_an_answer_is_the_return_of_the_call_that_asked() -> None:
    asked = a_turn(a_step(TextPart("Hm."), ASK, questions=(("ask-1", "q1"),)))
    answered = a_turn(messages=(message("hi"), message("blue", "q1"), message("bye")))
    messages = model_messages(a_transcript(asked, answered))
    assert parts_of(messages[1]) == [("text", "Hm."), ("call", "ask-1")]
    assert parts_of(messages[2]) == [("ask-1", "blue"), ("user", "hi"), ("user", "bye")]


def test_questions_and_answers_pair_one_by_one() -> None:
    asked = a_turn(a_step(ASK, CLOCK, ASK_TOO, questions=(("ask-1", "q1"), ("ask-2", "q2"))))
    answered = a_turn(messages=(message("large", "q2"), message("blue", "q1")))
    (*_, last) = model_messages(a_transcript(asked, answered))
    assert parts_of(last) == [("ask-1", "blue"), ("clock-1", NO_RESULT), ("ask-2", "large")]


def test_one_message_may_answer_two_questions() -> None:
    asked = a_turn(a_step(ASK, ASK_TOO, questions=(("ask-1", "q1"), ("ask-2", "q2"))))
    (*_, last) = model_messages(a_transcript(asked, a_turn(messages=(message("blue, large", "q1", "q2"),))))
    assert parts_of(last) == [("ask-1", "blue, large"), ("ask-2", "blue, large")]


def test_a_late_answer_names_its_question() -> None:
    asked = a_turn(a_step(ASK, questions=(("ask-1", "q1"),)))
    meanwhile = a_turn(a_step(TextPart("I see.")), messages=(message("wait"),))
    answered = a_turn(messages=(message("blue", "q1"),))
    messages = model_messages(a_transcript(asked, meanwhile, answered))
    assert parts_of(messages[2]) == [("ask-1", NO_ANSWER), ("user", "wait")]
    assert parts_of(messages[4]) == [("user", '[This answers your question "Which colour?"]\n\nblue')]


def test_a_question_that_is_not_open_any_more_is_not_said_to_be() -> None:
    asked = a_turn(a_step(ASK, ASK_TOO, questions=(("ask-1", "q1"), ("ask-2", "q2"))))
    transcript = a_transcript(asked, a_turn(messages=(message("wait"),)), closed=frozenset({"q1"}))
    (*_, last) = model_messages(transcript)
    assert parts_of(last) == [("ask-1", NEVER_ANSWERED), ("ask-2", NO_ANSWER), ("user", "wait")]


def test_an_answer_may_answer_an_earlier_question_too() -> None:
    asked = a_turn(a_step(ASK, questions=(("ask-1", "q1"),)))
    again = a_turn(a_step(ASK_TOO, questions=(("ask-2", "q2"),)), messages=(message("wait"),))
    answered = a_turn(messages=(message("blue, large", "q1", "q2"),))
    (*_, last) = model_messages(a_transcript(asked, again, answered))
    assert parts_of(last) == [
        ("ask-2", "blue, large"),
        ("user", '[This answers your question "Which colour?"]'),
    ]


def test_tool_results_come_right_after_their_step() -> None:
    results = (ToolResult("clock-1", {"now": 1}),)
    (*_, last) = model_messages(a_transcript(a_turn(a_step(CLOCK, results=results))))
    assert parts_of(last) == [("clock-1", {"now": 1})]


def test_failed_results_are_marked() -> None:
    results = (ToolResult("clock-1", "no such tool", failed=True),)
    (*_, last) = model_messages(a_transcript(a_turn(a_step(CLOCK, results=results))))
    assert isinstance(last.parts[0], ToolReturnPart)
    assert last.parts[0].outcome == "failed"


def test_an_interrupted_step_keeps_its_part_and_loses_its_calls() -> None:
    interrupted = a_turn(a_step(TextPart("I thi"), CLOCK, state=StepState.INTERRUPTED))
    messages = model_messages(a_transcript(interrupted, a_turn(messages=(message("stop"),))))
    assert parts_of(messages[1]) == [("text", f"I thi\n\n{INTERRUPTED_MARK}")]
    assert parts_of(messages[2]) == [("user", "stop")]


def test_failed_steps_and_steps_without_text_leave_no_message() -> None:
    turns = (
        a_turn(a_step(state=StepState.FAILED)),
        a_turn(a_step(state=StepState.INTERRUPTED), messages=(message("one"),)),
        a_turn(messages=(message("two"),)),
    )
    (request,) = model_messages(a_transcript(*turns))
    assert parts_of(request) == [("user", "Title\n\nDescription"), ("user", "one"), ("user", "two")]


def test_a_turn_with_nothing_to_read_is_asked_to_go_on() -> None:
    (*_, last) = model_messages(a_transcript(a_turn(a_step(TextPart("Done."))), a_turn()))
    assert parts_of(last) == [("user", GO_ON)]


def test_files_of_a_turn_that_failed_are_only_mentioned_from_then_on() -> None:
    picture = Attachment("cat.png", "image/png", "https://example.com/cat.png")
    sent = message("look", attachments=(picture,))
    (fresh,) = model_messages(a_transcript(a_turn(messages=(sent,))))
    assert isinstance(fresh.parts[1], UserPromptPart)
    assert not isinstance(fresh.parts[1].content, str)
    (after,) = model_messages(a_transcript(a_turn(a_step(state=StepState.FAILED), messages=(sent,)), a_turn()))
    assert parts_of(after)[1] == ("user", "look\n\n[Attachment: cat.png (image/png): it could not be read.]")


def test_files_of_the_description_come_with_it() -> None:
    picture = Attachment("cat.png", "image/png", "https://example.com/cat.png")
    note = Attachment("a.txt", "text/plain", "data:,meow")
    (fresh,) = model_messages(a_transcript(a_turn(), attachments=(picture, note)))
    (part,) = fresh.parts
    assert isinstance(part, UserPromptPart)
    text, linked, embedded = part.content
    assert (text, embedded) == ("Title\n\nDescription", "[Attachment: a.txt (text/plain)]\nmeow")
    assert isinstance(linked, ImageUrl)
    failed = a_turn(a_step(state=StepState.FAILED))
    (after,) = model_messages(a_transcript(failed, a_turn(), attachments=(picture,)))
    mention = "[Attachment: cat.png (image/png): it could not be read.]"
    assert parts_of(after)[0] == ("user", f"Title\n\nDescription\n\n{mention}")


# Any transcript at all.

TEXT = st.sampled_from(["", "yes", "!say x"])
QUESTION = st.sampled_from(["q1", "q2", "q3"])
MESSAGE = st.tuples(TEXT, st.lists(QUESTION, max_size=2, unique=True)).map(lambda drawn: message(drawn[0], *drawn[1]))
CALL = st.sampled_from([ASK, ASK_TOO, CLOCK])
CALLS = st.lists(CALL, max_size=3, unique_by=lambda call: call.tool_call_id)
RESULTS = st.lists(st.builds(ToolResult, st.sampled_from(["clock-1", "ask-1"]), st.none()), max_size=2)
ASKED = st.lists(st.tuples(st.sampled_from(["ask-1", "ask-2"]), QUESTION), max_size=2)


@st.composite
def a_drawn_step(draw: st.DrawFn) -> RecordedStep:
    parts = TextPart(draw(TEXT)), *draw(CALLS)
    state = draw(st.sampled_from(StepState))
    return a_step(*parts, state=state, results=tuple(draw(RESULTS)), questions=tuple(draw(ASKED)))


@st.composite
def a_drawn_turn(draw: st.DrawFn) -> RecordedTurn:
    messages = draw(st.lists(MESSAGE, max_size=3))
    return a_turn(*draw(st.lists(a_drawn_step(), max_size=3)), messages=tuple(messages))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(a_drawn_turn(), max_size=5), TEXT, TEXT)
def test_providers_accept_any_transcript(turns: list[RecordedTurn], title: str, description: str) -> None:
    messages = model_messages(a_transcript(*turns, title=title, description=description))

    assert isinstance(messages[0], ModelRequest)
    assert isinstance(messages[-1], ModelRequest)
    due: list[str] = []
    for before, current in zip([None, *messages], messages, strict=False):
        assert type(before) is not type(current)
        assert current.parts
        short = parts_of(current)
        if isinstance(current, ModelRequest):
            returned = [name for name, _ in short if name not in ("user",)]
            assert returned == due
            assert [name for name, _ in short[: len(due)]] == due
            assert all(content for name, content in short if name == "user")
        else:
            due = [str(name) for kind, name in short if kind == "call"]
            assert all(content for kind, content in short if kind == "text")
