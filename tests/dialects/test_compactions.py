"""Compactions over HTTP: listed, undone, redone, and said in the log."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from baton.client.schemas.compactions import ChangedCompaction, Compactions
from baton.client.schemas.messages import ChangedMessage
from baton.domain.agents import Agent
from baton.domain.compactions import Compaction, CompactionReason, Cut, LeftOut
from baton.domain.conversation import ModelReply, Usage
from baton.domain.events import EventType
from baton.domain.ids import StepKey
from baton.store import agents, compactions, events, steps
from baton.store.steps import StepAttempt
from tests.dialects.commands import commands
from tests.dialects.requests import start_task
from tests.dialects.test_approvals import key_of
from tests.dialects.test_baton import V1, problem
from tests.support.api import RunningApi


async def compact(api: RunningApi, task_id: str, step: int = 0) -> StepKey:
    """Have a worker make a summary in a task's first turn, at that step."""
    first = await key_of(api, task_id)
    key = StepKey(first.tenant_id, first.execution_id, first.task_id, 1, step)
    async with api.pool.connection() as connection:
        last = await compactions.read(connection, key.tenant_id, key.task_id)
    made = Compaction(
        Cut(1, step),
        f"Summary {step}.",
        LeftOut(1, 1, step, 0),
        CompactionReason.WINDOW,
        1,
        step,
        last=0 if last is None else last.number,
        model="test:small",
    )
    async with api.pool.transaction() as connection:
        assert isinstance(await steps.start_step(connection, key), StepAttempt)
    async with api.pool.transaction() as connection:
        await compactions.record(connection, key, 1, made, Usage(7, 3, calls=1))
    return key


async def talk(api: RunningApi, task_id: str) -> None:
    """Have a worker answer a task's first message, with a model that has a window."""
    key = await key_of(api, task_id)
    async with api.pool.connection() as connection:
        new = Agent(key.tenant_id, uuid4(), 0, f"agent-{uuid4()}", "openai-chat:gpt-5-mini")
        agent = await agents.insert(connection, new)
        await connection.execute("UPDATE tasks SET agent_id = $2 WHERE id = $1", key.task_id, agent.id)
    async with api.pool.transaction() as connection:
        assert isinstance(await steps.start_step(connection, key), StepAttempt)
    async with api.pool.transaction() as connection:
        await steps.record_step(connection, key, 1, ModelReply("Yes.", (), {"parts": []}), (), (), ())


async def read(api: RunningApi, key: StepKey) -> int | None:
    """The number of the compaction that the model reads."""
    async with api.pool.connection() as connection:
        found = await compactions.read(connection, key.tenant_id, key.task_id)
    return found and found.number


async def said(api: RunningApi, key: StepKey) -> list[tuple[str, Any]]:
    async with api.pool.connection() as connection:
        log = await events.after(connection, key.tenant_id, key.execution_id, 0, 1000)
    kinds = (EventType.CONTEXT_COMPACTED, EventType.CONTEXT_RESTORED)
    return [(event.type, event.data) for event in log if event.type in kinds]


async def test_a_compaction_is_undone_and_redone(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    key = await compact(api, task)
    await compact(api, task, 1)
    path = f"{V1}/tasks/{task}/compactions"
    listed = Compactions.model_validate((await api.http.get(path)).json())
    assert [(one.number, one.summary, one.undone_at) for one in listed.items] == [
        (2, "Summary 1.", None),
        (1, "Summary 0.", None),
    ]
    assert await read(api, key) == 2
    for _ in range(2):  # again changes nothing
        undone = await api.http.delete(f"{path}/2")
        assert ChangedCompaction.model_validate(undone.json()).undone_at is not None
        assert await read(api, key) == 1
    await api.http.delete(f"{path}/1")
    assert await read(api, key) is None
    for _ in range(2):
        redone = await api.http.post(f"{path}/2/redo")
        assert ChangedCompaction.model_validate(redone.json()).undone_at is None
        assert await read(api, key) == 2
    log = await said(api, key)
    assert [(type, data["number"]) for type, data in log] == [
        ("context.compacted", 1),
        ("context.compacted", 2),
        ("context.restored", 2),
        ("context.restored", 1),
        ("context.compacted", 2),
    ]
    assert (log[1][1]["summary"], log[1][1]["usage"]["input_tokens"], log[1][1]["by"]) == ("Summary 1.", 7, "")
    assert (log[4][1]["summary"], log[4][1]["usage"]) == ("", None)
    assert log[4][1]["by"] == log[2][1]["by"] != ""


async def test_one_is_asked_for_once_and_where_there_is_something_to_leave_out(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    path = f"{V1}/tasks/{task}/compactions"
    problem(await api.http.post(path), 409, "nothing_to_compact")  # the scripted model has no window
    await talk(api, task)
    first, again = [await api.http.post(path) for _ in range(2)]
    assert (first.status_code, first.json()["task_id"]) == (202, task)
    assert again.json() == first.json(), "until there is a summary, no other is asked for"
    problem(await api.client(api.other_key).post(path), 404, "task_not_found")
    await api.set_task(task, compaction_asked=None, turn_open=True)  # a first turn is under way: its message stays
    problem(await api.http.post(path), 409, "nothing_to_compact")
    await api.set_task(task, state="cancelled", turn_open=False)
    problem(await api.http.post(path), 409, "task_closed")


async def test_what_there_is_not_is_not_found(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    for number in ("1", "0", "-3", str(2**40)):
        problem(await api.http.delete(f"{V1}/tasks/{task}/compactions/{number}"), 404, "compaction_not_found")
    problem(await api.http.post(f"{V1}/tasks/{task}/compactions/x/redo"), 422, "invalid_input")
    await compact(api, task)
    problem(await api.client(api.other_key).get(f"{V1}/tasks/{task}/compactions"), 404, "task_not_found")
    problem(await api.client(api.other_key).delete(f"{V1}/tasks/{task}/compactions/1"), 404, "task_not_found")


async def test_a_pinned_message_says_so(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    for pinned in (True, False):
        sent = await api.http.post(f"{V1}/tasks/{task}/messages", json={"text": "blue", "pinned": pinned})
        assert sent.status_code == 202, sent.text
        assert (await api.http.get(f"{V1}/messages/{UUID(sent.json()['id'])}")).json()["pinned"] is pinned


async def test_a_message_is_pinned_after_it_was_sent(api: RunningApi, tmp_path: Path) -> None:
    task, baton = (await start_task(api.http))["tasks"][0]["id"], commands(api, tmp_path)
    sent = (await api.http.post(f"{V1}/tasks/{task}/messages", json={"text": "blue"})).json()["id"]
    path = f"{V1}/messages/{sent}/pin"
    for method, pinned in (("PUT", True), ("PUT", True), ("DELETE", False)):
        changed = await api.http.request(method, path)
        assert (changed.status_code, ChangedMessage.model_validate(changed.json()).pinned) == (200, pinned)
        assert (await api.http.get(f"{V1}/messages/{sent}")).json()["pinned"] is pinned
    assert (await baton("pin", sent)).out.startswith("Pinned: message 1")
    assert '"pinned":false' in (await baton("pin", sent, "--off", "--json")).out.replace(" ", "")
    problem(await api.client(api.other_key).put(path), 404, "message_not_found")
    await api.http.delete(f"{V1}/messages/{sent}")
    problem(await api.http.put(path), 409, "conflict")


async def test_the_command_lists_undoes_and_redoes(api: RunningApi, tmp_path: Path) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    key, baton = await compact(api, task), commands(api, tmp_path)
    listed = await baton("compactions", task)
    assert (listed.code, listed.out) == (0, "1  turns 1 to 1\nSummary 0.\n\n")
    assert "undone" in (await baton("compactions", task, "--undo", "1")).out
    assert await read(api, key) is None
    again = await baton("compactions", task, "--redo", "1", "--json")
    assert ('"number": 1' in again.out, await read(api, key)) == (True, 1)
    assert (await baton("compactions", task, "--undo", "9")).code == 4


async def test_the_command_asks_for_one(api: RunningApi, tmp_path: Path) -> None:
    task, baton = (await start_task(api.http))["tasks"][0]["id"], commands(api, tmp_path)
    refused = await baton("compactions", task, "--now")
    assert (refused.code, "scripted" in refused.err) == (4, True)
    await talk(api, task)
    asked = await baton("compactions", task, "--now")
    assert (asked.code, "next step makes one" in asked.out) == (0, True)
