"""Why is it waiting? Each cause is named."""

import re
from uuid import UUID

from baton.domain.ids import TaskById
from baton.service import control
from baton.service.explain import explain_task
from tests.support.system import System, eventually, running_system
from tests.support.temporal import RunningTemporal


async def codes(system: System, task: UUID) -> list[str]:
    return [reason.code for reason in (await explain_task(system.baton, system.who, TaskById(task))).reasons]


async def test_a_question_and_the_time_that_comes(system: System) -> None:
    task = await system.start('!ask {"question": "Which?", "deadline_seconds": 600, "default": "this"}')
    await system.until(task, "waiting")

    async def asks_and_waits() -> bool:  # Temporal hears of the step's end a moment after PostgreSQL
        return await codes(system, task) == ["asks", "timer"]

    await eventually(asks_and_waits)
    why = await explain_task(system.baton, system.who, TaskById(task))
    assert why.reasons[0].text == "Which?"
    assert why.reasons[0].since is not None


async def test_a_turn_at_work_and_what_waits_behind_it(system: System) -> None:
    task = await system.start("!sleep 30")

    async def at_work() -> bool:
        return {"turn", "activity"} <= set(await codes(system, task))

    await eventually(at_work)
    await system.send(task, "later")
    why = await explain_task(system.baton, system.who, TaskById(task))
    queued = next(reason for reason in why.reasons if reason.code == "queued")
    assert queued.data == {"messages": 1}

    async def heard_of() -> bool:
        reasons = (await explain_task(system.baton, system.who, TaskById(task))).reasons
        return any(reason.code == "activity" and reason.data["last_heartbeat"] for reason in reasons)

    await eventually(heard_of)
    await control.cancel(system.baton, system.who, TaskById(task))
    assert await codes(system, task) == ["cancelled"]


async def test_a_model_that_says_nothing(system: System) -> None:
    task = await system.start("!stream 3\n!sleep 30")
    said: list[str] = []

    async def is_silent() -> bool:
        reasons = (await explain_task(system.baton, system.who, TaskById(task))).reasons
        said.extend(reason.text for reason in reasons if reason.code == "model_silent")
        return bool(said)

    await eventually(is_silent)
    assert re.fullmatch(r"the model has been silent for [2-9] s", said[0])
    await control.cancel(system.baton, system.who, TaskById(task))


async def test_a_failing_model(system: System) -> None:
    task = await system.start("!fail 5 not now")

    async def told() -> bool:
        reasons = (await explain_task(system.baton, system.who, TaskById(task))).reasons
        return any(reason.code == "activity" and reason.data["next_attempt_at"] for reason in reasons)

    await eventually(told)
    assert "model_failing" in await codes(system, task)
    await control.cancel(system.baton, system.who, TaskById(task))


async def test_a_task_that_others_must_finish_first(system: System) -> None:
    execution = await system.start_plan(("!ask go?", ()), ("!finish", (1,)))
    tasks = await system.tasks_of(execution)

    async def told() -> bool:
        why = await explain_task(system.baton, system.who, TaskById(UUID(str(tasks[2]["id"]))))
        return [(reason.code, reason.data["state"]) for reason in why.reasons] == [("needs_task", "waiting")]

    await eventually(told)


async def test_no_worker_and_no_temporal(database_url: str, temporal_server: RunningTemporal) -> None:
    async with running_system(database_url, temporal_server, workers=False) as alone:
        task = await alone.start("!say hello")
        assert set(await codes(alone, task)) >= {"no_worker", "due"}
    away = RunningTemporal("127.0.0.1:1", "", temporal_server.client)
    async with running_system(database_url, away, workers=False) as alone:
        assert "temporal_away" in await codes(alone, task)
