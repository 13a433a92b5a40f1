"""Does every event come back from the log as it was written, and what other code wrote without harm?"""

from dataclasses import replace
from typing import Any, get_args

import orjson
import pytest

from baton.domain.events import Body, EventType, KnownBody, NewEvent, TurnEnded, Unknown
from baton.domain.events.codec import CLASSES, decode, encode
from baton.domain.events.outcomes import open_ids, outcome_of
from baton.domain.events.parts import AskedQuestion
from baton.domain.json import JsonObject
from baton.domain.mailbox import Ending
from tests.support.events import MESSAGE, SAMPLES, event

M = str(MESSAGE)
QUESTION = {"question_id": "q1", "text": "Which?", "choices": ["a"], "schema": None}

#: What logs hold that were written before events had classes: (type, data), the first versions as well as the last.
USAGE = {
    "input_tokens": 3,
    "output_tokens": 2,
    "cached_tokens": 1,
    "reasoning_tokens": 0,
    "usd": 0.5,
    "calls": 1,
}
STORED: list[tuple[str, dict[str, Any]]] = [
    ("execution.created", {"title": "T", "tasks": [{"id": M, "position": 1, "title": "One"}]}),
    ("task.started", {}),
    ("task.started", {"title": "One"}),
    ("tasks.started", {"tasks": [1, 2]}),
    ("task.failed", {"code": "dependency_failed"}),
    ("task.reset", {}),
    ("message.accepted", {"message_id": M, "seq": 1, "text": "x", "origin": "o", "sender": "s", "answers": ["q"]}),
    ("message.edited", {"message_id": M, "seq": 1, "text": "x"}),
    ("message.withdrawn", {"message_id": M, "seq": 1}),
    ("message.withdrawn", {"message_id": M, "seq": 1, "questions": [QUESTION], "result": None, "waiting": []}),
    (
        "message.redriven",
        {"message_id": M, "seq": 2, "was_seq": 1, "text": "x", "origin": "o", "sender": "s", "answers": []},
    ),
    ("message.pinned", {"message_id": M, "seq": 1, "pinned": True, "by": "s"}),
    ("messages.dead", {"messages": [{"message_id": M, "seq": 1}], "reason": "task_cancelled"}),
    ("turn.started", {"turn": 1, "messages": [{"message_id": M, "seq": 1}]}),
    ("step.started", {"turn": 1, "step": 0}),
    ("step.voided", {"turn": 1, "step": 0, "attempt": 1}),
    ("text.delta", {"turn": 1, "step": 0, "attempt": 1, "text": "x"}),
    ("step.completed", {"turn": 1, "step": 0, "text": "", "calls": [{"id": "c", "name": "n", "arguments": {}}]}),
    ("step.failed", {"turn": 1, "step": 0, "attempt": 1, "code": "x", "retrying": True}),
    ("reasoning.delta", {"turn": 1, "step": 0, "attempt": 1, "text": "x"}),
    ("step.used", {"turn": 1, "step": 0, "attempt": 1, "usage": USAGE}),
    ("tool.started", {"turn": 1, "step": 0, "call_id": "c", "name": "n", "arguments": {"a": [1, {"b": None}]}}),
    ("tool.completed", {"turn": 1, "step": 0, "call_id": "c", "name": "n", "content": None, "failed": False}),
    ("question.asked", QUESTION),
    ("question.reminded", {"question_id": "q1", "text": "Which?"}),
    ("question.escalated", QUESTION),
    (
        "approval.asked",
        {"approval_id": "a", "turn": 1, "step": 0, "call_id": "c", "tool": "n", "arguments": {}, "digest": "d"},
    ),
    (
        "approval.decided",
        {"approval_id": "a", "turn": 1, "step": 0, "call_id": "c", "tool": "n", "decision": "declined", "by": "me"}
        | {"reason": "no", "arguments": None, "digest": None},
    ),
    ("note.written", {"turn": 1, "step": 0, "call_id": "c", "name": "n", "text": "x"}),
    (
        "context.compacted",
        {"turn": 3, "step": 0, "number": 1, "reason": "overflow", "kept_turn": 2, "kept_step": 0}
        | {"left_out": {"last_turn": 1, "messages": 1, "steps": 1, "calls": 0}},
    ),
    ("context.restored", {"turn": 3, "step": 0, "number": 1, "by": "me"}),
    ("turn.ended", {"turn": 1, "outcome": "answered", "result": "x", "error": None, "messages": [], "waiting": []}),
    ("turn.ended", {"turn": 1, "outcome": "answered", "questions": [QUESTION], "approvals": []}),
    ("message.withdrawn", {"message_id": M, "seq": 1, "questions": [QUESTION], "approvals": []}),
    ("task.paused", {"by": "me"}),
    ("task.resumed", {"by": "me"}),
    ("task.resumed", {"by": "me", "questions": [QUESTION], "approvals": []}),
    ("task.cancelled", {"by": "me", "reason": ""}),
    ("workflow.lost", {"status": "terminated"}),
    ("workflow.replaced", {"cause": "NonDeterministicError", "error": "", "failures": 3, "run_id": "r"}),
    ("task.repaired", {"what": "unclaimed"}),
    ("execution.changed", {"was": "running"}),
]


def test_every_type_has_one_class() -> None:
    assert list(CLASSES.values()) == list(get_args(KnownBody))
    assert sorted(CLASSES) == sorted(EventType)
    assert all(name == body.type for name, body in CLASSES.items())
    assert get_args(Body) == (*get_args(KnownBody), Unknown)


@pytest.mark.parametrize("body", SAMPLES, ids=lambda body: body.type)
def test_it_comes_back_as_it_was(body: KnownBody) -> None:
    stored = encode(NewEvent(body))
    assert orjson.loads(orjson.dumps(stored)) == stored
    assert decode(body.type, stored) == body
    newer: JsonObject = stored | {"cost": 1}
    assert decode(body.type, newer) == body


def test_every_type_was_written_before() -> None:
    assert {name for name, _ in STORED} == set(EventType)


@pytest.mark.parametrize(("name", "data"), STORED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_was_written_before_is_still_read(name: str, data: JsonObject) -> None:
    """And what is written of it now says at least what was said then, but for what other events say."""
    body = decode(name, data)
    assert type(body) is CLASSES[name]
    assert not isinstance(body, Unknown)
    again = encode(NewEvent(body))
    assert again.items() >= {key: value for key, value in data.items() if key not in ("waiting", "approvals")}.items()


def test_what_older_code_wrote_in_full_is_told_and_not_written_again() -> None:
    asked = AskedQuestion(question_id="q1", text="Which?")
    older = TurnEnded(turn=1, outcome=Ending.ANSWERED, questions=(asked,))
    assert outcome_of(event(older)).questions == (asked,)
    now = TurnEnded(turn=1, outcome=Ending.ANSWERED, open_questions=("q1",))
    assert encode(NewEvent(now)).keys() & {"questions", "approvals", "open_questions"} == {"open_questions"}
    assert open_ids(now) == ("q1",)
    assert outcome_of(event(now)).questions == ()
    assert outcome_of(replace(event(now), questions=(asked,))).questions == (asked,)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cost.estimated", {"usd": 1}),
        ("text.delta", {"turn": 1, "step": 0, "attempt": 1}),
        ("text.delta", {"turn": "first", "step": 0, "attempt": 1, "text": "x"}),
        ("turn.ended", {"turn": 1, "outcome": "postponed"}),
        ("message.edited", {"message_id": "m", "seq": 1, "text": "x"}),
        ("", {}),
    ],
)
def test_what_this_code_cannot_read_stays_as_it_is(name: str, data: JsonObject) -> None:
    body = decode(name, data)
    assert body == Unknown(name, data)
    assert body.type == name


def test_json_of_any_depth_is_left_alone() -> None:
    content: Any = "x"
    for _ in range(5000):
        content = [content]
    data: JsonObject = {"turn": 1, "step": 0, "call_id": "c", "name": "n", "content": content}
    body = decode("tool.completed", data)
    assert not isinstance(body, Unknown)
    assert getattr(body, "content", None) is content
