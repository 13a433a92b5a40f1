"""Does the client read what the API writes?"""

from uuid import uuid4

import pytest

from api.dialects.baton.stream import execution_encoder
from api.frames import encode_event
from baton.client.log import read_entry
from baton.domain.events import Body, Unknown
from baton.domain.states import ExecutionState, TaskState
from tests.support.events import SAMPLES, TASK, event


@pytest.mark.parametrize("body", [*SAMPLES, Unknown("task.teleported", {"to": "moon"})], ids=lambda body: body.type)
@pytest.mark.parametrize("of_task", [True, False])
def test_every_event_comes_as_it_was_written(body: Body, of_task: bool) -> None:
    states = (TaskState.WAITING, ExecutionState.WAITING) if of_task else (None, None)
    written = event(
        body,
        task=TASK if of_task else None,
        state=states[0],
        execution=states[1],
    )
    frame = encode_event(execution_encoder(), uuid4(), written).decode()
    (raw,) = (line.removeprefix("data: ") for line in frame.splitlines() if line.startswith("data: "))
    entry = read_entry(raw)
    assert entry.event == written
    assert entry.raw == raw
