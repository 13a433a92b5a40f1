"""Results that have to be JSON: validated, asked for again, asked about, and read by dependents and callers."""

from typing import Any
from uuid import UUID

import pytest

from baton.domain.events import EventType, StepCompleted, TurnEnded
from baton.domain.ids import TaskById
from baton.domain.json import JsonObject
from baton.domain.plans import parse_plan
from baton.domain.results import AS_TEXT, CHOICES, GIVE_UP, TRIES
from baton.service import tasks
from baton.service.agents import AgentChange, change_agent
from baton.service.starts import start_plan
from tests.support.system import System, eventually

COUNT: JsonObject = {
    "type": "object",
    "properties": {"count": {"type": "integer"}},
    "required": ["count"],
}
NAME: JsonObject = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


async def output(system: System, task: UUID) -> Any:
    """A task's result as callers get it."""
    return (await tasks.get_task(system.baton, system.who, TaskById(task))).output


async def answers(system: System, task: UUID) -> list[tuple[str, bool]]:
    """What the model said, step by step, and whether it was refused."""
    log = await system.log(await system.execution_of(task))
    return [(event.body.text, bool(event.body.refused)) for event in log if isinstance(event.body, StepCompleted)]


async def started(system: System, prompt: str, schema: JsonObject | None = COUNT, **options: Any) -> UUID:
    return await system.start(prompt, result_schema=schema, **options)


async def test_a_valid_answer_is_the_result_as_json(system: System) -> None:
    task = await started(system, '!finish {"count": 3}')
    row = await system.until(task, "succeeded")
    assert (row["result"], row["result_json"], row["model_calls"]) == ('{"count": 3}', True, 1)
    assert await output(system, task) == {"count": 3}
    log = await system.log(await system.execution_of(task))
    assert [event.data["result"] for event in log if isinstance(event.body, TurnEnded)] == [{"count": 3}]


async def test_an_invalid_one_is_asked_for_again(system: System) -> None:
    """As steps of the same turn, each a call of the model."""
    task = await started(system, '!finish three\n!finish {"count": "3"}\n!finish {"count": 3}')
    row = await system.until(task, "succeeded")
    assert (row["turn"], row["model_calls"]) == (1, 3)
    assert await output(system, task) == {"count": 3}
    assert [refused for _, refused in await answers(system, task)] == [True, True, False]
    log = await system.log(await system.execution_of(task))
    told = [event.data["refused"] for event in log if event.type is EventType.STEP_COMPLETED]
    assert told[0] == "it is not JSON"
    assert str(told[1]).startswith("count: ")


async def asked(system: System, task: UUID) -> Any:
    """What the task asks once its tries are used up."""
    (question,) = (await system.until(task, "waiting"))["open_questions"]
    return question


async def test_after_some_tries_the_task_asks_and_goes_on(system: System) -> None:
    task = await started(system, "!say one\n!finish\n!finish two\n!finish three")
    question = await asked(system, task)
    assert tuple(question["choices"]) == CHOICES
    assert "it is not JSON" in question["text"]
    assert len(await answers(system, task)) == TRIES
    await system.send(task, 'Count them.\n!finish {"count": 4}')
    row = await system.until(task, "succeeded")
    assert (row["turn"], await output(system, task)) == (2, {"count": 4})


async def test_the_answer_may_be_taken_as_text(system: System) -> None:
    task = await started(system, "!finish one\n!finish two\n!finish three")
    await asked(system, task)
    before = (await system.row(task))["model_calls"]
    await system.send(task, AS_TEXT)
    row = await system.until(task, "succeeded")
    assert (row["result"], row["result_json"], row["model_calls"]) == ("three", False, before)
    assert await output(system, task) == "three"


async def test_or_the_task_given_up(system: System) -> None:
    task = await started(system, "!finish one\n!finish two\n!finish three")
    await asked(system, task)
    await system.send(task, GIVE_UP)
    row = await system.until(task, "failed")
    assert (row["error_code"], row["result_json"]) == ("result_invalid", False)
    await system.send(task, '!finish {"count": 1}')
    await system.until(task, "succeeded")
    assert await output(system, task) == {"count": 1}


async def test_questions_and_calls_are_no_results(system: System) -> None:
    task = await started(system, '!say let me see\n!ask How many?\n!finish {"count": 2}')
    await system.until(task, "waiting")
    assert await answers(system, task) == [("let me see", False)]
    await system.send(task, "!finish")
    await system.until(task, "succeeded")
    assert await output(system, task) == {"count": 2}


async def test_a_message_that_reopens_it_is_answered_as_json_again(system: System) -> None:
    task = await started(system, '!finish {"count": 1}')
    await system.until(task, "succeeded")
    await system.send(task, 'one more\n!finish two\n!finish {"count": 2}')
    await eventually(lambda: _has(system, task, {"count": 2}))
    assert [refused for _, refused in await answers(system, task)] == [False, True, False]


async def _has(system: System, task: UUID, result: Any) -> bool:
    view = await tasks.get_task(system.baton, system.who, TaskById(task))
    return view.state.is_over and view.output == result


async def test_a_limit_counts_each_try(system: System) -> None:
    task = await started(system, "!finish one\n!finish two\n!finish three", limits={"max_calls": 2})
    question = await asked(system, task)
    assert question["text"].startswith("Used 2 of 2 model calls")
    assert len(await answers(system, task)) == 2


@pytest.mark.parametrize("own", [True, False])
async def test_an_agents_schema_is_its_tasks_unless_they_have_their_own(system: System, own: bool) -> None:
    agent = await system.agent("look")
    await change_agent(system.baton, system.who, agent, AgentChange(result_schema=NAME))
    task = await started(system, '!finish {"name": "x"}\n!finish {"count": 1}', COUNT if own else None, agent=agent)
    await system.until(task, "succeeded")
    assert await output(system, task) == ({"count": 1} if own else {"name": "x"})
    text = await started(system, "!finish just text", {}, agent=agent)
    assert (await system.until(text, "succeeded"))["result"] == "just text"


async def test_dependents_read_json(system: System) -> None:
    agent = await system.agent("look")
    plan = parse_plan(
        {
            "title": "P",
            "tasks": [
                {
                    "id": 1,
                    "title": "Count",
                    "description": '!finish ```\n!finish {"count":   3}',
                    "result_schema": COUNT,
                },
                {"id": 2, "title": "Tell", "description": "!results", "depends_on": [1], "agent": str(agent)},
            ],
        }
    )
    execution = (await start_plan(system.baton, system.who, plan, queue=system.queue)).execution_id
    await eventually(lambda: _succeeded(system, execution, 2))
    rows = await system.tasks_of(execution)
    assert rows[2]["result"] == 'Count: {"count": 3}'
    assert rows[2]["result_json"] is False


async def _succeeded(system: System, execution: UUID, position: int) -> bool:
    return (await system.tasks_of(execution))[position]["state"] == "succeeded"
