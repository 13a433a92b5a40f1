"""Do streams say everything once, in order, wherever they are cut?"""

import asyncio
import socket
from datetime import timedelta
from urllib.parse import urlparse
from uuid import UUID

import pytest

from baton.client.http import Client
from baton.client.server import Server
from baton.client.stream import follow
from baton.domain.events import (
    MessageAccepted,
    NewEvent,
    StepCompleted,
    StepVoided,
    TasksStarted,
    TaskStarted,
    TurnStarted,
)
from baton.domain.events.parts import AskedQuestion
from baton.domain.states import ExecutionState, TaskState
from baton.service.pruning import Keep, Pruner
from baton.service.tenants import operator
from baton.service.visibility import find_execution
from tests.dialects.requests import kubiya_task, start_plan, start_task, task_ids
from tests.support.api import RunningApi, delta, ended, running_api
from tests.support.frames import Seen, everything, frames


async def finished_plan(api: RunningApi) -> tuple[str, dict[int, str]]:
    """A plan of two tasks whose log has events of most kinds, and that is over."""
    execution = await start_plan(api.http, kubiya_task(1), kubiya_task(2))
    ids = await task_ids(api.http, execution)
    one, two = UUID(ids[1]), UUID(ids[2])
    positions: dict[object, int] = {one: 1, two: 2}
    running, waiting = TaskState.RUNNING, TaskState.WAITING
    asked = (AskedQuestion(question_id="q1", text="Which?"),)

    async def say(*new: NewEvent, state: ExecutionState | None = None) -> None:
        await api.append(execution, *new, positions=positions, state=state)

    await say(
        NewEvent(TaskStarted(title="Task 1"), one, running),
        NewEvent(TaskStarted(title="Task 2"), two, running),
        NewEvent(TasksStarted(tasks=(1, 2))),
        state=ExecutionState.RUNNING,
    )
    await say(NewEvent(TurnStarted(turn=1), one), delta("Hel", one), delta("lo", one))
    await say(NewEvent(StepVoided(turn=1, step=0, attempt=1), one), delta("Hallo", one, attempt=2))
    await say(NewEvent(StepCompleted(turn=1, step=0, text="Hallo"), one))
    await say(ended(two, TaskState.SUCCEEDED, result="two"))
    await say(ended(one, waiting, questions=asked), state=ExecutionState.WAITING)
    await say(
        NewEvent(MessageAccepted(message_id=UUID(int=1), seq=1, text="Blue", origin="x", sender="me"), one, running),
        state=ExecutionState.RUNNING,
    )
    await say(ended(one, TaskState.SUCCEEDED, result="one"), state=ExecutionState.SUCCEEDED)
    for task in ids.values():
        await api.set_task(task, state="succeeded")
    return execution, ids


KUBIYA = [
    "plan_started",
    "task_started",
    "task_started",
    "tasks_parallel",
    "plan_status_update",
    "task_running",
    "message_chunk",
    "message_chunk",
    "message_void",
    "message_chunk",
    "task_completed",
    "task_waiting_for_input",
    "plan_status_update",
    "plan_waiting_for_input",
    "message",
    "plan_status_update",
    "task_completed",
    "plan_status_update",
    "plan_completed",
    "done",
]


async def test_a_finished_plan_in_kubiyas_words(api: RunningApi) -> None:
    execution, ids = await finished_plan(api)
    path = f"/api/v1/tasks/plan/{execution}/stream"
    seen = await everything(api.http, path)
    assert [frame.event for frame in seen] == KUBIYA
    assert {"execution_id": execution, "status": "completed"}.items() <= seen[-1].data.items()
    assert [frame.data["content"] for frame in seen if frame.event == "message"] == ["Blue"]
    (asks,) = [frame.data for frame in seen if frame.event == "task_waiting_for_input"]
    assert (asks["task_id"], asks["question"], asks["task_execution_id"]) == (1, "Which?", ids[1])
    (waits,) = [frame.data for frame in seen if frame.event == "plan_waiting_for_input"]
    assert (waits["status"], waits["waiting_tasks"][0]["execution_id"]) == ("pending_user_input", ids[1])
    assert all("timestamp" in frame.data for frame in seen)
    assert seen[-1].data["timestamp"] == seen[-2].data["timestamp"]


async def test_cut_and_resumed_after_every_frame(api: RunningApi) -> None:
    execution, ids = await finished_plan(api)
    for path in (
        f"/api/v1/tasks/plan/{execution}/stream",
        f"/api/v1/executions/{ids[1]}/stream",
        f"/api/v1/executions/{execution}/stream",
        f"/baton/v1/executions/{execution}/events",
        f"/baton/v1/tasks/{ids[2]}/events",
    ):
        whole = await everything(api.http, path)
        assert len(whole) >= 5
        for place, frame in enumerate(whole[:-1]):
            rest = whole[place + 1 :]
            assert await everything(api.http, path, frame.id) == rest, (path, frame.id)
        middle = whole[len(whole) // 2]
        rest = whole[len(whole) // 2 + 1 :]
        assert await everything(api.http, path, after=middle.id) == rest
        assert await everything(api.http, path, "0") == whole


async def test_batons_frames_are_the_log(api: RunningApi) -> None:
    execution, ids = await finished_plan(api)
    seen = await everything(api.http, f"/baton/v1/executions/{execution}/events")
    assert [frame.id for frame in seen] == [*map(str, range(1, len(seen))), f"{len(seen) - 1}.9999"]
    assert all(frame.event == frame.data["type"] and str(frame.data["seq"]) == frame.id for frame in seen[:-1])
    assert (seen[-1].event, seen[-1].data) == ("end", {"execution_state": "succeeded"})
    of_task = await everything(api.http, f"/baton/v1/tasks/{ids[2]}/events")
    assert {frame.data.get("task_id") for frame in of_task[:-1]} == {ids[2], None}
    assert of_task[-1].event == "end"


async def test_a_single_tasks_stream(api: RunningApi) -> None:
    execution = await start_task(api.http)
    task = UUID(execution["tasks"][0]["id"])
    async with asyncio.timeout(20), frames(api.http, f"/api/v1/executions/{execution['id']}/stream") as stream:
        first = await anext(stream)
        assert (first.event, first.data["status"], first.data["execution_id"]) == ("status", "running", execution["id"])
        positions: dict[object, int] = {task: 1}
        await api.append(execution["id"], delta("Hi there", task), positions=positions)
        said = await anext(stream)
        assert (said.event, said.data["role"], said.data["content"]) == ("message_chunk", "assistant", "Hi there")
        await api.append(
            execution["id"],
            NewEvent(StepCompleted(turn=1, step=0, text="Hi there"), task),
            ended(task, TaskState.SUCCEEDED, result="Hi there"),
            positions=positions,
            state=ExecutionState.SUCCEEDED,
        )
        status, done = [await anext(stream) for _ in range(2)]
        assert (status.event, status.data["status"]) == ("status", "completed")
        assert (done.event, done.data["status"]) == ("done", "completed")
        assert [frame async for frame in stream] == []


async def test_a_plans_tasks_stream_ends_with_its_task(api: RunningApi) -> None:
    execution = await start_plan(api.http, kubiya_task(1), kubiya_task(2))
    ids = await task_ids(api.http, execution)
    positions: dict[object, int] = {UUID(ids[n]): n for n in ids}
    await api.append(
        execution, ended(UUID(ids[1]), TaskState.SUCCEEDED), positions=positions, state=ExecutionState.RUNNING
    )
    await api.set_task(ids[1], state="succeeded")
    seen = await everything(api.http, f"/api/v1/executions/{ids[1]}/stream")
    assert [frame.event for frame in seen] == ["status", "done"]
    async with asyncio.timeout(20), frames(api.http, f"/api/v1/executions/{ids[2]}/stream") as stream:
        await api.append(execution, ended(UUID(ids[2]), TaskState.FAILED, error="x"), positions=positions)
        assert [frame.data["status"] async for frame in stream] == ["failed", "failed"]


async def test_a_reopened_execution_goes_on_past_its_old_end(api: RunningApi) -> None:
    execution, ids = await finished_plan(api)
    path = f"/baton/v1/executions/{execution}/events"
    before = await everything(api.http, path)
    answer = await api.http.post(f"/baton/v1/tasks/{ids[1]}/messages", json={"text": "and more"})
    assert answer.status_code == 202
    async with asyncio.timeout(20), frames(api.http, path, before[-2].id) as stream:
        reopened = await anext(stream)
        assert (reopened.event, reopened.data["execution_state"]) == ("message.accepted", "running")
        await api.append(
            execution,
            ended(UUID(ids[1]), TaskState.SUCCEEDED),
            positions={UUID(ids[1]): 1},
            state=ExecutionState.SUCCEEDED,
        )
        assert [frame.event async for frame in stream] == ["turn.ended", "end"]
    assert [frame.event for frame in await everything(api.http, path)].count("end") == 1


async def over(api: RunningApi, path: str, cursor: str) -> int:
    """The status of a reconnect, as a browser makes one."""
    async with asyncio.timeout(20), api.http.stream("GET", path, headers={"Last-Event-ID": cursor}) as answer:
        return answer.status_code


async def test_a_browser_is_told_not_to_reconnect_once_it_has_seen_the_end(api: RunningApi) -> None:
    execution, ids = await finished_plan(api)
    paths = (
        f"/api/v1/tasks/plan/{execution}/stream",
        f"/api/v1/executions/{ids[1]}/stream",
        f"/api/v1/executions/{execution}/stream",
        f"/baton/v1/executions/{execution}/events",
        f"/baton/v1/tasks/{ids[2]}/events",
    )
    ends: dict[str, str] = {}
    for path in paths:
        *_, last, end = await everything(api.http, path)
        ends[path] = end.id
        assert await over(api, path, end.id) == 204
        assert await over(api, path, last.id) == 200  # it has not seen the end
        assert (await everything(api.http, path, last.id)) == [end]
    sent = await api.http.post(f"/baton/v1/tasks/{ids[1]}/messages", json={"text": "and more"})
    assert sent.status_code == 202
    for path in (paths[0], paths[1], paths[3]):
        assert await over(api, path, ends[path]) == 200  # it goes on past the old end
    async with asyncio.timeout(20), frames(api.http, paths[3], ends[paths[3]]) as stream:
        assert (await anext(stream)).event == "message.accepted"


async def test_a_plan_that_comes_to_wait_says_for_what_whatever_brought_it_there(api: RunningApi) -> None:
    execution = await start_plan(api.http, kubiya_task(1), kubiya_task(2), kubiya_task(3))
    ids = await task_ids(api.http, execution)
    await api.ask(ids[1], "Which?")
    for task in (ids[2], ids[3]):
        await api.set_task(task, state="running")
    async with api.pool.connection() as connection:
        await connection.execute("UPDATE executions SET state = 'running' WHERE id = $1", UUID(execution))

    async def said(count: int, task: str, verb: str) -> list[Seen]:
        head = (await api.http.get(f"/baton/v1/executions/{execution}")).json()["last_event"]
        assert (await api.http.post(f"/baton/v1/tasks/{task}/{verb}")).status_code == 200
        cursor = f"{head}.99"
        async with asyncio.timeout(20), frames(api.http, f"/api/v1/tasks/plan/{execution}/stream", cursor) as stream:
            return [await anext(stream) for _ in range(count)]

    (paused,) = await said(1, ids[1], "pause")
    assert paused.data["question"] == "The task is paused. A message resumes it."
    (resumed,) = await said(1, ids[1], "resume")
    assert (resumed.event, resumed.data["question"]) == ("task_waiting_for_input", "Which?")
    await said(1, ids[3], "cancel")
    *_, last = await said(3, ids[2], "pause")
    assert (last.event, [task["task_id"] for task in last.data["waiting_tasks"]]) == ("plan_waiting_for_input", [1, 2])
    assert [task["question"] for task in last.data["waiting_tasks"]] == ["Which?", paused.data["question"]]
    *_, last = await said(3, ids[1], "pause")
    assert (last.event, last.data["status"]) == ("plan_waiting_for_input", "pending_user_input")
    assert [task["task_id"] for task in last.data["waiting_tasks"]] == [1, 2]
    assert {task["question"] for task in last.data["waiting_tasks"]} == {paused.data["question"]}


async def test_live_and_replayed_are_the_same(api: RunningApi) -> None:
    execution = await start_plan(api.http, kubiya_task(1))
    task = UUID((await task_ids(api.http, execution))[1])
    path = f"/api/v1/tasks/plan/{execution}/stream"

    async def work() -> None:
        for n in range(60):
            await api.append(execution, *(delta(f"{n}.{m} ", task) for m in range(n % 4 + 1)), positions={task: 1})
        await api.append(
            execution, ended(task, TaskState.SUCCEEDED), positions={task: 1}, state=ExecutionState.SUCCEEDED
        )

    live = [asyncio.create_task(everything(api.http, path)) for _ in range(5)]
    await work()
    replayed = await everything(api.http, path)
    assert all(seen == replayed for seen in await asyncio.gather(*live))
    numbers = list(dict.fromkeys(int(frame.id.split(".")[0]) for frame in replayed if frame.id))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("cursor", ["x", "-1", "1.x", "9" * 30, "99", "9223372036854775808"])
async def test_a_bad_cursor_is_a_real_status(api: RunningApi, cursor: str) -> None:
    execution = await start_plan(api.http)
    for path in (f"/api/v1/tasks/plan/{execution}/stream", f"/baton/v1/executions/{execution}/events"):
        answer = await api.http.get(path, headers={"Last-Event-ID": cursor})
        assert answer.status_code == 422
        assert (await api.http.get(path, params={"after": cursor})).status_code == 422


async def test_events_that_are_gone_leave_a_gap_that_says_so(api: RunningApi) -> None:
    execution, _ = await finished_plan(api)
    path = f"/baton/v1/executions/{execution}/events"
    whole = await everything(api.http, path)
    async with api.pool.connection() as connection:
        await connection.execute("DELETE FROM events WHERE execution_id = $1 AND seq <= 5", UUID(execution))
    for cursor in (None, "2"):
        gap, *rest = await everything(api.http, path, cursor)
        assert (gap.event, gap.id) == ("gap", "")
        assert gap.data == {"oldest": 6, "snapshot": f"/baton/v1/executions/{execution}"}
        assert rest == whole[5:]
    assert await everything(api.http, path, "5") == whole[5:]  # nothing of what comes next is missing
    assert await everything(api.http, path, "7") == whole[7:]


async def prune(api: RunningApi) -> int:
    """Prune the pieces of all finished steps of the tenant. Returns how many."""
    keep = Keep(deltas=timedelta())
    pruner = Pruner(api.pool, keep, pause_seconds=0)
    return sum([pruned.deltas async for pruned in pruner.prune(await api.tenant_id())])


async def test_pruned_text_is_said_as_a_whole_after_a_gap(api: RunningApi) -> None:
    execution, ids = await finished_plan(api)
    path = f"/baton/v1/executions/{execution}/events"
    whole = await everything(api.http, path)
    assert await prune(api) == 3
    (completed,) = [frame for frame in whole if frame.event == "step.completed"]
    left = [frame for frame in whole if frame.event != "text.delta"]
    said = {"oldest": int(completed.id) + 1, "snapshot": f"/baton/v1/executions/{execution}"}
    for cursor in (None, "2", str(int(completed.id) - 1)):
        gap, *rest = await everything(api.http, path, cursor)
        assert (gap.event, gap.id, gap.data) == ("gap", "", said)
        assert rest == [frame for frame in left if not cursor or int(frame.id.split(".")[0]) > int(cursor)]
    after = await everything(api.http, path, completed.id)  # it has seen all of the step: it misses nothing
    assert after == whole[int(completed.id) :]
    plan = await everything(api.http, f"/api/v1/tasks/plan/{execution}/stream")
    spoken = [kind for kind in KUBIYA if kind != "message_chunk"]
    spoken.insert(spoken.index("message_void") + 1, "message")
    assert [frame.event for frame in plan] == ["gap", *spoken]
    texts = [(frame.data["role"], frame.data["content"]) for frame in plan if frame.event == "message"]
    assert texts == [("assistant", "Hallo"), ("user", "Blue")]
    single = await everything(api.http, f"/api/v1/executions/{ids[1]}/stream")
    assert [frame.data["content"] for frame in single if frame.event == "message"] == ["Hallo", "Which?", "Blue"]


async def test_a_reader_who_is_behind_is_told_of_what_is_pruned_meanwhile(api: RunningApi) -> None:
    """It has read a page, with some of a step's pieces, when the rest goes."""
    execution = await start_plan(api.http, kubiya_task(1))
    task = UUID((await task_ids(api.http, execution))[1])
    positions: dict[object, int] = {task: 1}
    await api.append(execution, *(delta(f"{n} ", task) for n in range(300)), positions=positions)
    await api.append(execution, NewEvent(StepCompleted(turn=1, step=0, text="all"), task), positions=positions)
    baton = api.app.state.baton
    seen = await find_execution(baton, await operator(api.pool, api.tenant), UUID(execution))
    subscription = await baton.feed.subscribe(seen, 0)
    try:
        first = await subscription.read(10)
        assert len(first) == 200
        assert subscription.take_gap() is None
        assert await prune(api) == 300
        (last,) = await subscription.read(10)
        assert (last.type, last.pruned, subscription.take_gap()) == ("step.completed", True, last.seq + 1)
        assert subscription.take_gap() is None
    finally:
        subscription.close()


async def test_our_own_client_follows_a_pruned_log(api: RunningApi) -> None:
    execution, _ = await finished_plan(api)
    await prune(api)
    async with asyncio.timeout(20), Client(Server(api.url, api.key)) as client:
        followed = [entry.event async for entry in follow(client, execution)]
    assert "Hallo" in [event.body.text for event in followed if isinstance(event.body, StepCompleted)]
    assert not [event for event in followed if event.type == "text.delta"]


async def test_headers_go_out_at_once_and_a_silent_stream_speaks(shared_database_url: str) -> None:
    async with running_api(shared_database_url, stream_keepalive_seconds=0.2, stream_max_seconds=1) as api:
        execution = await start_task(api.http)
        path = f"/baton/v1/executions/{execution['id']}/events?after=2"
        async with asyncio.timeout(20), api.http.stream("GET", path) as answer:
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert answer.headers["cache-control"] == "no-cache, no-transform"
            assert answer.headers["x-accel-buffering"] == "no"
            lines = [line async for line in answer.aiter_lines() if line]
        assert lines[0] == "retry: 1000"
        assert lines[1:]
        assert set(lines[1:]) == {": keep-alive"}  # and then the server ended it


async def test_a_reader_that_goes_away_is_noticed(api: RunningApi) -> None:
    execution = await start_task(api.http)
    topics = api.app.state.baton.feed._topics
    async with frames(api.http, f"/baton/v1/executions/{execution['id']}/events") as stream:
        await anext(stream)
        assert UUID(execution["id"]) in topics
    async with asyncio.timeout(10):
        while UUID(execution["id"]) in topics:
            await asyncio.sleep(0.02)


async def test_streams_end_when_the_server_is_told_to_stop(shared_database_url: str) -> None:
    async with running_api(shared_database_url) as api:
        execution = await start_task(api.http)
        async with asyncio.timeout(20), frames(api.http, f"/baton/v1/executions/{execution['id']}/events") as stream:
            await anext(stream)
            api.app.state.stopping.set()
            assert "end" not in [frame.event async for frame in stream]


async def test_a_reader_that_does_not_read_holds_up_nobody(api: RunningApi) -> None:
    execution = await start_plan(api.http, kubiya_task(1))
    task = UUID((await task_ids(api.http, execution))[1])
    where = urlparse(api.url)
    path = f"/baton/v1/executions/{execution}/events"
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect((where.hostname, where.port))
    with stuck:
        stuck.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n\r\n".encode())
        reading = asyncio.create_task(everything(api.http, path))
        for n in range(120):
            await api.append(execution, delta(f"{n:05}" * 20_000, task), positions={task: 1})
        await api.append(
            execution, ended(task, TaskState.SUCCEEDED), positions={task: 1}, state=ExecutionState.SUCCEEDED
        )
        seen = await reading
        assert [frame.id for frame in seen[:-1]] == [str(n) for n in range(1, 123)]
        (topic,) = [t for t in api.app.state.baton.feed._topics.values() if str(t.execution_id) == execution]
        assert topic._bytes < 2 * 512 * 1024  # what the stuck one has not read is not kept for it
