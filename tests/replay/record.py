"""Records the histories that `test_replay.py` replays: `python -m tests.replay.record NAME …`, or all of them.

Record a history once, when the workflow that made it is released, and keep it: it stands for the runs that are under
way somewhere when new code arrives.
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError

from baton.domain.ids import TaskById
from baton.domain.states import SendMode
from baton.runtime.process import leave
from baton.service import control
from tests.support.postgres import running_postgres
from tests.support.system import System, eventually, running_system
from tests.support.temporal import SHORT_HISTORIES, execute_update, running_temporal
from workflows.contracts import plan_workflow_id, task_workflow_id

HISTORIES: Final = Path(__file__).parent / "histories"


def _task(system: System, task: UUID) -> WorkflowHandle[Any, Any]:
    return system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))


async def _asked_and_answered(system: System) -> WorkflowHandle[Any, Any]:
    task = await system.start("!say hello\n!ask Which?\n!tool clock {}\n!finish done")
    await system.until(task, "waiting")
    await system.send(task, "this one")
    await system.until(task, "succeeded")
    return _task(system, task)


async def _waiting(system: System) -> WorkflowHandle[Any, Any]:
    task = await system.start("!ask One?")
    for n in range(3):
        await system.until(task, "waiting")
        await system.send(task, f"!ask {n}?")
    await system.until(task, "waiting")
    return _task(system, task)


async def _interrupted(system: System) -> WorkflowHandle[Any, Any]:
    task = await system.start("!sleep 60")

    async def at_work() -> bool:
        return bool((await system.row(task))["turn_open"])

    await eventually(at_work)
    await system.send(task, "stop", mode=SendMode.INTERRUPT)
    await system.until(task, "succeeded")
    return _task(system, task)


async def _cancelled(system: System) -> WorkflowHandle[Any, Any]:
    task = await system.start("!ask One?")
    await system.until(task, "waiting")
    await control.cancel(system.baton, system.who, TaskById(task))
    handle = _task(system, task)
    await handle.result()
    return handle


async def _failed(system: System) -> WorkflowHandle[Any, Any]:
    task = await system.start("!fail 1 once\n!fatal then")
    await system.until(task, "failed")
    return _task(system, task)


async def _typed(system: System) -> WorkflowHandle[Any, Any]:
    task = await system.start("!ask One?")
    await system.until(task, "waiting")
    await _task(system, task).signal("user_message", "typed")
    await system.until(task, "succeeded")
    return _task(system, task)


async def _updated(system: System) -> WorkflowHandle[Any, Any]:
    """Answered, and decided on, by updates, of which some are refused."""
    agent = await system.agent("clock", policies={"*": "ask"})
    task = await system.start('!ask {"question": "How many?", "schema": {"type": "integer"}}\n!tool clock {}', agent)
    await system.until(task, "waiting")
    handle = _task(system, task)
    for refused in ("many", {"text": "1", "question_id": "another"}):
        with suppress(WorkflowUpdateFailedError):
            await execute_update(handle, "answer", refused)
    await execute_update(handle, "answer", "7")
    await system.until(task, "waiting")
    await execute_update(handle, "decide", {"decision": "approve"})
    await system.until(task, "succeeded")
    return handle


async def _dropped(system: System) -> WorkflowHandle[Any, Any]:
    """Signals that do not fit, and one that is refused."""
    task = await system.start("!ask One?")
    await system.until(task, "waiting")
    handle = _task(system, task)
    for name in ("doorbell", "user_message", "decide", "unknown"):
        for inputs in ([], [None], [1, 2]):
            await handle.signal(name, args=inputs)
    await handle.signal("user_message", " ")
    await system.send(task, "an answer")
    await system.until(task, "succeeded")
    return handle


async def _plan_typed(system: System) -> WorkflowHandle[Any, Any]:
    """A plan whose task is answered by way of its own workflow; one of the messages is to a task that it lacks."""
    execution = await system.start_plan(("!ask a?", ()), ("!finish b", (1,)))

    async def waits() -> bool:
        return (await system.tasks_of(execution))[1]["state"] == "waiting"

    await eventually(waits)
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    for position in (9, 1):
        await handle.signal("continue_task_signal", {"task_id": position, "user_message": "typed"})
    await handle.result()
    return handle


async def _continued(system: System) -> WorkflowHandle[Any, Any]:
    task = await system.start("!ask 0?")
    for n in range(8):
        await system.until(task, "waiting")
        await system.send(task, f"!ask {n}?")
    await system.until(task, "waiting")
    described = await _task(system, task).describe()
    first = described.raw_description.workflow_execution_info.first_run_id
    assert first != described.run_id
    return system.temporal.client.get_workflow_handle(task_workflow_id(str(task)), run_id=first)


async def _approved(system: System) -> WorkflowHandle[Any, Any]:
    """Calls that wait for consent: one is approved, one declined by a message, and then the task waits again."""
    agent = await system.agent("clock", policies={"*": "ask"})
    task = await system.start("!tool clock {}\n!tool clock {}\n!ask And?", agent)
    await system.until(task, "waiting")
    await _task(system, task).signal("decide", {"decision": "approve"})
    await eventually(lambda: _waits_in_turn(system, task, 2))
    await system.send(task, "no")
    await eventually(lambda: _waits_in_turn(system, task, 3))
    return _task(system, task)


async def _waits_in_turn(system: System, task: UUID, turn: int) -> bool:
    row = await system.row(task)
    return row["turn"] == turn and row["state"] == "waiting" and not row["turn_open"]


async def _deadline(system: System) -> WorkflowHandle[Any, Any]:
    """A question whose deadline answers it, and one that is answered before its own."""
    asked = '!ask {{"question": "Which?", "deadline_seconds": {}, "default": "red"}}'
    task = await system.start(f"{asked.format(1)}\n{asked.format(600)}\n!ask And?")
    await eventually(lambda: _waits_in_turn(system, task, 2))
    await system.send(task, "blue")
    await eventually(lambda: _waits_in_turn(system, task, 3))
    return _task(system, task)


async def _plan_cancelled(system: System) -> WorkflowHandle[Any, Any]:
    execution = await system.start_plan(("!ask a?", ()), ("!finish b", (1,)))

    async def waits() -> bool:
        return (await system.tasks_of(execution))[1]["state"] == "waiting"

    await eventually(waits)
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    await handle.signal("cancel")
    await handle.result()
    return handle


async def _plan_continued(system: System) -> WorkflowHandle[Any, Any]:
    """The first run of a plan that continues as new between its tasks."""
    execution = await system.start_plan(*((f"!ask {n}?", (n - 1,) if n > 1 else ()) for n in range(1, 9)))

    async def waits(position: int) -> bool:
        return (await system.tasks_of(execution))[position]["state"] == "waiting"

    for position in range(1, 9):
        await eventually(lambda position=position: waits(position))
        await system.send((execution, position), "go")
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    await handle.result()
    first = (await handle.describe()).raw_description.workflow_execution_info.first_run_id
    return system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)), run_id=first)


async def _plan(system: System) -> WorkflowHandle[Any, Any]:
    execution = await system.start_plan(("!finish a", ()), ("!ask b?", (1,)), ("!fatal c", (1,)), ("!finish d", (3,)))

    async def waits() -> bool:
        return (await system.tasks_of(execution))[2]["state"] == "waiting"

    await eventually(waits)
    await system.send((execution, 2), "go")
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    await handle.result()
    return handle


async def _plan_failed(system: System) -> WorkflowHandle[Any, Any]:
    """A plan whose run fails with it, after it was rung for a task that came to rest."""
    execution = await system.start_plan(("!ask a?", ()), ("!fatal b", (1,)))

    async def waits() -> bool:
        return (await system.tasks_of(execution))[1]["state"] == "waiting"

    await eventually(waits)
    await system.send((execution, 1), "go")
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    with suppress(WorkflowFailureError):
        await handle.result()
    return handle


_SHORT: Final = {"continued", "plan-continued"}
SCENES: Final[dict[str, Callable[[System], Awaitable[WorkflowHandle[Any, Any]]]]] = {
    "asked-and-answered": _asked_and_answered,
    "waiting": _waiting,
    "interrupted": _interrupted,
    "cancelled": _cancelled,
    "failed": _failed,
    "failed-run": _failed,
    "typed": _typed,
    "continued": _continued,
    "plan": _plan,
    "updated": _updated,
    "dropped": _dropped,
    "plan-typed": _plan_typed,
    "plan-failed": _plan_failed,
    "approved": _approved,
    "deadline": _deadline,
    "plan-cancelled": _plan_cancelled,
    "plan-continued": _plan_continued,
}


async def record(names: list[str]) -> None:
    """Play scenes on real servers and keep their histories."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("postgres", "long", "short"):
            Path(directory, name).mkdir()
        async with (
            running_postgres(Path(directory, "postgres")) as postgres,
            running_temporal(Path(directory, "long")) as long,
            running_temporal(Path(directory, "short"), SHORT_HISTORIES) as short,
        ):
            dsn = await postgres.create_database()
            for name in names:
                server = short if name in _SHORT else long
                async with running_system(dsn, server) as system:
                    handle = await SCENES[name](system)
                    await asyncio.sleep(0.5)  # the workflow task after the commit that the scene waited for
                    history = (await handle.fetch_history()).to_json_dict()
                _write(name, history)


def _write(name: str, history: dict[str, Any]) -> None:
    path = HISTORIES / f"{name}.json"
    text = re.sub(r"\d+@[\w.]+", "worker", json.dumps(history, indent=1))  # who recorded it is nobody's business
    text = text.replace(f"{Path.cwd()}/", "")  # and neither is where
    path.write_text(text + "\n", encoding="utf-8")
    print(path, len(history["events"]), "events")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:] or list(SCENES)))
    leave(0)
