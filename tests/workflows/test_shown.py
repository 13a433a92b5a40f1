"""What Temporal's own UI shows of tasks and plans: what they are, what they ask, and what became of them."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from baton.domain.ids import TaskById
from baton.domain.markdown import block, code, plain
from baton.service import control
from baton.service.temporal import AGENT
from tests.support.markdown_attacks import ATTACKS
from tests.support.postgres import PostgresServer
from tests.support.system import System, eventually, running_system
from tests.support.temporal import RunningTemporal
from workflows.contracts import plan_workflow_id, task_workflow_id

ASKS = (
    '!ask {"question": "Which **region**?", "choices": ["eu", "us"], "deadline_seconds": 3600, "default": "eu [x](y)"}'
)
IDS: dict[str, Any] = {"temporal_details": "ids", "tools_modules": ("tests.support.tools",)}


@pytest.fixture(scope="module")
async def terse(postgres: PostgresServer, temporal_server: RunningTemporal) -> AsyncGenerator[System]:
    """A Baton that keeps what people wrote out of Temporal."""
    async with running_system(await postgres.create_database(), temporal_server, **IDS) as running:
        yield running


@pytest.fixture(scope="module")
async def linked(postgres: PostgresServer, temporal_server: RunningTemporal) -> AsyncGenerator[System]:
    """A Baton that people reach, and whose relay does not ring."""
    url, dsn = "https://baton.example", await postgres.create_database()
    async with running_system(dsn, temporal_server, public_url=url, relay_interval_seconds=3600) as running:
        yield running


def workflow(system: System, task: UUID) -> WorkflowHandle[Any, Any]:
    return system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))


async def metadata(handle: WorkflowHandle[Any, Any]) -> WorkflowMetadata:
    return await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)


async def current(handle: WorkflowHandle[Any, Any], *wanted: str) -> str:
    """The current details, once all that is ``wanted`` stands in them."""

    async def there() -> str | None:
        try:
            shown = (await metadata(handle)).current_details
        except RPCError as error:  # nobody has started it yet
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return shown if all(text in shown for text in wanted) else None

    return await eventually(there)


async def static(handle: WorkflowHandle[Any, Any]) -> tuple[str, str]:
    described = await handle.describe()
    return await described.static_summary() or "", await described.static_details() or ""


async def test_a_waiting_task_says_what_it_is_what_it_asks_and_how_to_answer(linked: System) -> None:
    task = await linked.start(ASKS)
    (question,) = (await linked.until(task, "waiting"))["open_questions"]
    handle = workflow(linked, task)
    summary, details = await static(handle)
    assert summary == "a task · task 1 · agent assistant"
    assert f"(https://baton.example/baton/v1/tasks/{task})" in details
    assert f"baton explain {task}\n" in details
    assert "tenant `acme`" in details
    shown = await current(handle, "Asks")
    for text in (
        "```\nWhich **region**?\n```",
        "Choices: `eu`, `us`",
        f"Deadline: {question['deadline_at'][:19]}Z, then the answer is `eu [x](y)`",
        f"`baton send {task} --question {question['id']} 'ANSWER'`",
        "`tasks:send`",
    ):
        assert text in shown


async def test_a_task_runs_whatever_its_agent_is_called(system: System) -> None:
    """Temporal refuses a start whose summary or search attributes are too long."""
    agent, name = await system.agent(), "\N{GRINNING FACE}" * 255
    async with system.baton.pool.connection() as connection:
        await connection.execute("UPDATE agents SET name = $1 WHERE id = $2", name, agent)
    task = await system.start("!say hello", agent=agent, title=name)
    await system.until(task, "succeeded")
    described = await workflow(system, task).describe()
    shown = described.typed_search_attributes.get(AGENT)
    assert shown
    assert name.startswith(shown)


async def test_nothing_is_asked_while_the_agent_works(system: System) -> None:
    """Whoever reads on what was asked would answer twice."""
    task = await system.start("!ask Which region?")
    await system.until(task, "waiting")
    handle = workflow(system, task)
    await current(handle, "Which region?")
    await system.send(task, "!sleep 60")
    shown = await current(handle, "at work on turn 2")
    assert "region" not in shown
    status = await handle.query("status")
    assert (status["state"], status["details"]) == ("running", "")
    await control.pause(system.baton, system.who, TaskById(task))
    assert "paused" in await current(handle, "after a message, or a resume")


async def test_without_words_there_is_no_text(terse: System) -> None:
    agent = await terse.agent("record", policies={"*": "ask"})
    asks = await terse.start(ASKS.replace("region", "xyzzy"), title="xyzzy title")
    calls = await terse.start('!tool record {"text": "xyzzy"}', agent, title="xyzzy")
    execution = await terse.start_plan(("!ask xyzzy?", ()))
    for task in (asks, calls):
        await terse.until(task, "waiting")
    shown = await current(workflow(terse, asks), "Asks", "Deadline: ", "baton send")
    assert "`eu`" not in shown
    called = await current(workflow(terse, calls), "`record` since", "baton approve")
    assert "`text`" not in called
    plan = terse.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    assert "task 1)" not in (await current(plan, "**waiting**", ") waiting\n")).replace("[task 1](", "")
    assert "a plan" not in "".join(await static(plan))
    for handle in (workflow(terse, asks), workflow(terse, calls), plan):
        raw = b"".join(event.SerializeToString() for event in (await handle.fetch_history()).events)
        assert b"xyzzy" not in raw
        assert "xyzzy" not in (await metadata(handle)).current_details


async def test_a_task_that_failed_fails_its_run_and_reopens_in_another(system: System) -> None:
    task = await system.start("!fatal xyzzy")
    await system.until(task, "failed")
    failed = workflow(system, task)
    with pytest.raises(WorkflowFailureError) as error:
        await failed.result()
    assert isinstance(error.value.cause, ApplicationError)
    assert (error.value.cause.type, error.value.cause.message) == ("scripted_fatal", "the task failed")
    described = await failed.describe()
    assert described.status is WorkflowExecutionStatus.FAILED
    assert "failed (scripted_fatal)" in (await metadata(failed)).current_details
    since = described.start_time
    assert described.run_id not in {run.run_id for run in await system.baton.runs.ended_from_outside(since)}

    await system.send(task, "again")
    await system.until(task, "succeeded")
    assert await workflow(system, task).result() == "succeeded"
    one = system.temporal.client.get_workflow_handle(failed.id, run_id=described.run_id)
    assert (await one.describe()).status is WorkflowExecutionStatus.FAILED


async def test_a_plan_shows_where_its_tasks_are_whenever_one_comes_to_rest(linked: System) -> None:
    execution = await linked.start_plan(("!finish one", ()), ("!ask Go?", (1,)), ("!fatal no", (2,)))
    plan = linked.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    shown = await current(plan, "**waiting**: 1 pending, 1 waiting, 1 succeeded")
    tasks = await linked.tasks_of(execution)
    first = f"- [task 2](namespaces/default/workflows/task-{tasks[2]['id']}) waiting: task 2\n"
    assert shown.index(first) < shown.index("[task 3]") < shown.index("[task 1]")
    summary, details = await static(plan)
    assert summary == "a plan · plan"
    assert f"baton watch {execution}\n" in details
    assert f"(namespaces/default/workflows/{plan.id})" in (await static(workflow(linked, tasks[2]["id"])))[1]

    await control.pause(linked.baton, linked.who, TaskById(tasks[2]["id"]))
    await current(plan, "1 pending, 1 paused, 1 succeeded")
    await control.resume(linked.baton, linked.who, TaskById(tasks[2]["id"]))
    await current(plan, "1 pending, 1 waiting, 1 succeeded")
    await control.pause_execution(linked.baton, linked.who, execution)
    await current(plan, "1 pending, 1 paused, 1 succeeded")
    await control.resume_execution(linked.baton, linked.who, execution)
    await current(plan, "1 pending, 1 waiting, 1 succeeded")
    await linked.send((execution, 2), "go")
    with pytest.raises(WorkflowFailureError):
        await plan.result()
    assert "2 succeeded, 1 failed" in (await metadata(plan)).current_details


async def test_signals_and_updates_say_what_they_take(system: System) -> None:
    task = await system.start("!ask Which?")
    execution = await system.start_plan(("!ask Which?", ()))
    await system.until(task, "waiting")
    plan = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    for handle, names in (
        (workflow(system, task), {"answer", "decide", "user_message", "cancel"}),
        (plan, {"continue_task_signal", "cancel"}),
    ):
        definition = (await metadata(handle)).definition
        told = {
            entry.name: entry.description for entry in (*definition.signal_definitions, *definition.update_definitions)
        }
        assert names <= set(told)
        assert told.pop("doorbell").startswith("Not for people")
        assert all(description.endswith(".") for description in told.values())
        assert [name for name in names if not re.search("Input|without input", told[name])] == []
        assert all(entry.description for entry in definition.query_definitions if entry.name == "status")


async def test_a_simple_turn_costs_no_more_than_ten_events_and_1500_bytes(system: System) -> None:
    task = await system.start("!ask next?")
    await system.until(task, "waiting")
    handle = workflow(system, task)
    await current(handle, "next?")
    before = (await handle.fetch_history()).events
    await system.send(task, "!ask next?\n" + "x" * 2000)

    async def asks_again() -> bool:
        row = await system.row(task)
        return row["turn"] == 2 and not row["turn_open"]

    await eventually(asks_again)

    async def rests() -> list[Any] | None:
        events = (await handle.fetch_history()).events[len(before) :]
        return (
            list(events) if sum(e.HasField("workflow_task_completed_event_attributes") for e in events) == 2 else None
        )

    turn = await eventually(rests)
    assert len(turn) <= 10
    raw = b"".join(event.SerializeToString() for event in turn)
    assert len(raw.replace(system.queue.encode(), b"baton")) <= 1500


async def test_the_saved_filter_finds_those_that_wait_and_live(rolling: System) -> None:
    page = (Path(__file__).parents[2] / "docs" / "temporal.md").read_text()
    (saved,) = re.findall(r"^BatonState = .*$", page, re.MULTILINE)
    tasks = [await rolling.start("!ask 0?") for _ in range(2)]
    for task in tasks:
        for n in range(8):  # goes on in other runs
            await rolling.until(task, "waiting")
            await rolling.send(task, f"!ask {n}?")
        await rolling.until(task, "waiting")
    await workflow(rolling, tasks[1]).terminate()
    client, ours = rolling.temporal.client, f"TaskQueue = '{rolling.queue}'"

    async def found() -> bool:
        listed = [run.id async for run in client.list_workflows(f"{saved} AND {ours}")]
        return listed == [task_workflow_id(str(tasks[0]))]

    await eventually(found)
    without = saved.split(" AND ")[0]
    assert len([run async for run in client.list_workflows(f"{without} AND {ours}")]) > 1


@pytest.mark.parametrize("write", [block, code, plain])
async def test_temporals_ui_makes_nothing_of_attacks(temporal_server: RunningTemporal, write: Any) -> None:
    """By the renderer of the server's own UI."""
    async with httpx.AsyncClient(base_url=temporal_server.ui_url, trust_env=False, timeout=20) as http:

        async def rendered(markdown: str) -> list[str]:
            page = (await http.get("/render", params={"content": markdown, "theme": "light"})).text
            (main,) = re.findall(r"<main>(.*)</main>", page, re.DOTALL)
            return re.findall(r"<\s*(/?[^\s>]+)", main)

        assert "a" in await rendered(ATTACKS[7])
        for attack in ATTACKS:
            assert set(await rendered(write(attack, 80))) <= {"p", "/p", "pre", "/pre", "code", "/code"}, attack
