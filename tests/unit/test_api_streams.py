"""Are a dialect's frames a pure function of the event, and can a stream be cut anywhere?"""

import itertools
import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
import pytest
from starlette.requests import Request

from api.dialects.baton import stream as baton
from api.dialects.kubiya import stream as kubiya
from api.frames import Cursor, Encoder, cursor_of, encode_event, encode_frame
from baton.domain import events
from baton.domain.errors import InvalidInput
from baton.domain.events import Event
from baton.domain.events.parts import AskedApproval, AskedQuestion, WaitingTask
from baton.domain.json import JsonObject
from baton.domain.mailbox import Ending
from baton.domain.states import ExecutionState, TaskState
from tests.support.events import AT, BODIES, MESSAGE, TASK, UNKNOWN, delta, ended, event

EXECUTION = UUID(int=1)
OTHER = UUID(int=3)

ENCODERS = {
    "baton": baton.execution_encoder(),
    "baton task": baton.task_encoder(TASK, with_executions=True),
    "baton own": baton.task_encoder(TASK, with_executions=False),
    "kubiya plan": kubiya.plan_encoder(),
    "kubiya task": kubiya.task_encoder(EXECUTION, TASK),
    "kubiya plan as execution": kubiya.plan_as_execution_encoder(),
}


def frames(encoder: Encoder, one: Event) -> list[tuple[str, dict[str, Any]]]:
    """An event's frames as a client reads them."""
    wire = encode_event(encoder, EXECUTION, one).decode()
    return [(field("event", frame), orjson.loads(field("data", frame))) for frame in wire.split("\n\n") if frame]


def field(name: str, frame: str) -> str:
    """What a frame says in a field."""
    found = re.search(f"^{name}: (.*)$", frame, re.M)
    assert found is not None, frame
    return found[1]


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
def test_every_event_can_be_written_also_of_newer_code(encoder: Encoder) -> None:
    for body, state, execution in itertools.product(
        BODIES, [None, *TaskState], [None, ExecutionState.WAITING, ExecutionState.SUCCEEDED]
    ):
        one = event(body, state=state, execution=execution)
        wire = encode_event(encoder, EXECUTION, one)
        ids = re.findall(rb"^id: (.*)$", wire, re.M)
        assert ids == [b"7" if n == 0 else f"7.{n}".encode() for n in range(len(ids))]
        assert wire.count(b"\n\n") == wire.count(b"event: ") == wire.count(b"data: ") == len(ids)
        assert wire == encode_event(encoder, EXECUTION, one)
        for seen in range(len(ids)):
            assert wire.endswith(encode_event(encoder, EXECUTION, one, skip=seen + 1))
        if encoder.name == "baton.execution":
            assert len(ids) == 1
        if encoder.name.startswith("kubiya"):
            assert all(data["timestamp"] == "2026-01-02T03:04:05+00:00" for _, data in frames(encoder, one))


def test_text_with_newlines_stays_in_one_line_of_data() -> None:
    wire = encode_frame("1", ("message", {"content": "a\n\nid: 9\r\nevent: x\u2028"}))
    assert wire.count(b"\n") == 4
    assert orjson.loads(wire.split(b"data: ")[1])["content"] == "a\n\nid: 9\r\nevent: x\u2028"


def test_no_line_of_a_frame_ends_where_unicode_ends_one() -> None:
    text = "".join(map(chr, [*range(0x20), 0x7F, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0xC2, 0xE2])) + "â\x80¨ é 日本"
    for named in (True, False):
        wire = encode_frame("1", ("message", {text: [text]}), named=named)
        lines = wire.decode().splitlines()
        assert lines == wire.decode().split("\n")[:-1]
        (data,) = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        assert orjson.loads(data) == ({text: [text]} if named else {"type": "message", text: [text]})


def test_batons_frame_is_the_event() -> None:
    """With all that the log has of it, also what only newer code knows."""
    one = replace(
        event(ended(), state=TaskState.WAITING, execution=ExecutionState.WAITING), data={"turn": 1, "of newer code": 2}
    )
    assert frames(ENCODERS["baton"], one) == [
        (
            "turn.ended",
            {
                "seq": 7,
                "type": "turn.ended",
                "at": "2026-01-02T03:04:05+00:00",
                "execution_id": str(EXECUTION),
                "task_id": str(TASK),
                "position": 4,
                "task_state": "waiting",
                "execution_state": "waiting",
                "data": {"turn": 1, "of newer code": 2},
            },
        )
    ]


def test_batons_frame_names_what_newer_code_wrote() -> None:
    ((name, frame),) = frames(ENCODERS["baton"], event(UNKNOWN))
    assert (name, frame["type"], frame["data"]) == (UNKNOWN.type, UNKNOWN.type, UNKNOWN.data)


def test_a_tasks_stream_leaves_other_tasks_out() -> None:
    assert frames(ENCODERS["baton task"], event(delta(), task=OTHER)) == []
    assert frames(ENCODERS["kubiya task"], event(delta(), task=OTHER)) == []
    assert len(frames(ENCODERS["baton task"], event(events.ExecutionChanged(), task=None))) == 1


WAITS = events.TurnEnded(
    turn=1,
    outcome=Ending.ANSWERED,
    questions=(
        AskedQuestion(question_id="q1", text="Which?", choices=("a", "b")),
        AskedQuestion(question_id="q2", text="When?", schema={"type": "string"}),
    ),
)
WAITING = (WaitingTask(task_id=TASK, position=4, question="Which?\nWhen?", waiting_since=AT),)
QUESTIONS: list[JsonObject] = [
    {"question_id": "q1", "text": "Which?", "choices": ["a", "b"], "schema": None},
    {"question_id": "q2", "text": "When?", "choices": [], "schema": {"type": "string"}},
]
COMMON = {
    "execution_id": str(EXECUTION),
    "timestamp": "2026-01-02T03:04:05+00:00",
    "task_id": 4,
    "task_execution_id": str(TASK),
}


def test_kubiya_is_told_what_the_plan_waits_for() -> None:
    one = event(WAITS, state=TaskState.WAITING, execution=ExecutionState.WAITING, waiting=WAITING)
    asked, status, waits = frames(ENCODERS["kubiya plan"], one)
    assert asked == (
        "task_waiting_for_input",
        COMMON | {"status": "waiting_for_input", "question": "Which?\nWhen?", "questions": QUESTIONS},
    )
    assert status == ("plan_status_update", COMMON | {"status": "pending_user_input"})
    assert waits[0] == "plan_waiting_for_input"
    assert waits[1]["waiting_tasks"] == [
        {
            "task_id": 4,
            "execution_id": str(TASK),
            "question": "Which?\nWhen?",
            "waiting_since": "2026-01-02T03:04:05+00:00",
        }
    ]


HEARD = events.MessageAccepted(message_id=MESSAGE, seq=1, text="do", origin="kubiya", sender="me", queued=True)


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (event(events.ExecutionCreated(title="P"), task=None), ["plan_started"]),
        (
            event(events.TaskStarted(title="T"), state=TaskState.RUNNING, execution=ExecutionState.RUNNING),
            ["task_started", "plan_status_update"],
        ),
        (event(events.TasksStarted(tasks=(1, 2)), task=None), ["tasks_parallel"]),
        (event(events.TurnStarted(turn=1)), ["task_running"]),
        (event(HEARD), ["message"]),
        (event(delta()), ["message_chunk"]),
        (event(events.StepVoided(turn=1, step=1, attempt=1)), ["message_void"]),
        (event(events.StepCompleted(turn=1, step=1, text="x")), []),
        (event(events.StepCompleted(turn=1, step=1, text="")), []),
        (event(events.StepFailed(turn=1, step=1, attempt=1, code="x", retrying=True)), []),
        (event(events.StepFailed(turn=1, step=1, attempt=1, code="x", retrying=False)), []),
        (
            event(ended(), state=TaskState.SUCCEEDED, execution=ExecutionState.SUCCEEDED),
            ["task_completed", "plan_status_update", "plan_completed"],
        ),
        (event(events.TaskFailed(code="dependency_failed"), state=TaskState.FAILED), ["task_completed"]),
        (event(events.TaskPaused(by="me"), state=TaskState.PAUSED), ["task_waiting_for_input"]),
        (event(UNKNOWN), []),
        (event(UNKNOWN, state=TaskState.FAILED), ["task_completed"]),
    ],
)
def test_kubiyas_words(one: Event, names: list[str]) -> None:
    assert [name for name, _ in frames(ENCODERS["kubiya plan"], one)] == names


KUBIYA = ("kubiya plan", "kubiya task", "kubiya plan as execution")


def test_kubiya_tells_the_agents_text_from_the_users() -> None:
    for name in KUBIYA:
        (said,), (heard,) = frames(ENCODERS[name], event(delta("of it"))), frames(ENCODERS[name], event(HEARD))
        assert said[1].items() >= {"role": "assistant", "content": "of it", "task_id": 4}.items()
        assert heard[1].items() >= {"role": "user", "content": "do", "task_id": 4}.items()
        assert said[1]["message_id"] != heard[1]["message_id"]


def test_kubiya_says_every_text_once_and_that_it_says_so_of_one_attempt() -> None:
    """Clients append chunks and messages alike: a finished text, which chunks have said, comes in no other way."""
    for name in KUBIYA:
        one, same, again, void = (
            frames(ENCODERS[name], event(body))
            for body in (
                delta("a", attempt=1),
                delta("b", attempt=1),
                delta("a", attempt=2),
                events.StepVoided(turn=1, step=0, attempt=1),
            )
        )
        ids = [found[0][1]["message_id"] for found in (one, same, again, void)]
        assert ids[0] == ids[1] == ids[3] != ids[2]
        assert frames(ENCODERS[name], event(events.StepCompleted(turn=1, step=0, text="all of it"))) == []


@pytest.mark.parametrize("name", ["kubiya task", "kubiya plan as execution"])
def test_a_single_tasks_stream_says_what_is_asked_before_it_waits(name: str) -> None:
    """In words of the agent's: its clients read no field of a status but the status."""
    waits = replace(
        WAITS,
        approvals=(
            AskedApproval(
                turn=1, step=0, call_id="c", approval_id="a", tool="drop", arguments={"table": "t"}, digest="d"
            ),
        ),
    )
    asks, status = frames(
        ENCODERS[name], event(waits, state=TaskState.WAITING, execution=ExecutionState.WAITING, waiting=WAITING)
    )
    assert (asks[0], asks[1]["role"], asks[1]["task_id"]) == ("message", "assistant", 4)
    assert asks[1]["content"].startswith("Which?\nWhen?\n")
    assert "drop" in asks[1]["content"]
    assert (status[0], status[1]["status"]) == ("status", "waiting_for_input")


def test_kubiyas_clients_are_told_of_a_failure_by_a_status() -> None:
    """They stop at `error`; the last attempt's failure ends nothing by itself."""
    failed = events.TurnEnded(turn=1, outcome=Ending.FAILED, error="rate_limited", error_message="Too many requests.")
    one = event(failed, state=TaskState.FAILED, execution=ExecutionState.FAILED)
    assert [name for name, _ in frames(ENCODERS["kubiya task"], one)] == ["status"]
    assert frames(ENCODERS["kubiya task"], one)[0][1]["error_message"] == "Too many requests."
    assert frames(ENCODERS["kubiya plan"], one)[0][1]["error"] == "Too many requests."


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (TaskState.PENDING, "pending"),
        (TaskState.RUNNING, "running"),
        (TaskState.WAITING, "waiting_for_input"),
        (TaskState.PAUSED, "paused"),
        (TaskState.SUCCEEDED, "completed"),
        (TaskState.FAILED, "failed"),
        (TaskState.CANCELLED, "cancelled"),
    ],
)
def test_a_single_tasks_stream_says_every_status(state: TaskState, status: str) -> None:
    name, data = frames(ENCODERS["kubiya task"], event(WAITS, state=state))[-1]
    assert (name, data["status"], data["execution_id"]) == ("status", status, str(EXECUTION))
    assert ("question" in data) == (state is TaskState.WAITING)


def request(query: str = "", *headers: tuple[str, str]) -> Request:
    """A request."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return Request({"type": "http", "headers": raw, "query_string": query.encode()})


@pytest.mark.parametrize(
    ("given", "cursor", "after"),
    [
        ("", Cursor(), 0),
        ("0", Cursor(0, 0), 0),
        ("1", Cursor(1, 0), 0),
        ("7", Cursor(7, 0), 6),
        ("7.2", Cursor(7, 2), 6),
        (" 7 ", Cursor(7, 0), 6),
        ("7.9999", Cursor(7, 9999), 6),
        ("9223372036854775807", Cursor(2**63 - 1, 0), 2**63 - 2),
    ],
)
def test_cursors(given: str, cursor: Cursor, after: int) -> None:
    for one in (
        request("", ("last-event-id", given)),
        request(f"after={given.strip()}"),
        request("after=99", ("last-event-id", given)) if given else request(),
    ):
        assert cursor_of(one, "after") == cursor
    assert cursor.after == after


@pytest.mark.parametrize(
    "given", ["-1", "x", "1.", ".1", "1.2.3", "9" * 20, "9223372036854775808", "1e3", "٣", "1.99999"]
)
def test_what_is_no_cursor_is_refused(given: str) -> None:
    for one in (request("", ("last-event-id", given)), request(f"after={given}")):
        with pytest.raises(InvalidInput):
            cursor_of(one, "after")
