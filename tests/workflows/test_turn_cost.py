"""What a simple turn asks of PostgreSQL: whoever adds a statement to every turn decides that here."""

from typing import Any

from temporalio.testing import ActivityEnvironment

from baton.store.queries import all_queries
from tests.store.world import World
from tests.workflows.test_given_up_steps import activities_of
from workflows.contracts import StepRef, TaskRef

SIMPLE_TURN = [
    *("BEGIN;", "lock_task", "begin_turn", "save_mailbox", "COMMIT;"),
    *("step_budget", "transcript_task", "transcript_messages", "transcript_steps"),
    *("BEGIN;", "lock_task", "end_step", "end_turn", "save_mailbox", "COMMIT;"),
]


async def test_a_turn_after_an_answer_takes_so_many_statements(database_url: str) -> None:
    names = {query.text: query.name for query in all_queries().values()}
    asked: list[str] = []

    def log(record: Any) -> None:
        asked.append(names.get(record.query) or str(record.query))

    async with World.open(database_url, connections=1) as world:
        route = await world.task()
        await world.execute("UPDATE tasks SET description = '!ask first?' WHERE tenant_id = $1")
        steps, environment = activities_of(world), ActivityEnvironment()
        ref = TaskRef(str(route.tenant_id), str(route.execution_id), str(route.task_id))
        await environment.run(steps.model_step, StepRef(ref, 1, 0))
        await world.send(route, "!ask second?")
        async with world.pool.connection() as connection:
            connection.add_query_logger(log)
        await environment.run(steps.model_step, StepRef(ref, 2, 0))
        assert asked == SIMPLE_TURN
        assert [question.text for question in (await world.box(route)).questions] == ["second?"]
