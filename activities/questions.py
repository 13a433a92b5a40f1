"""What happens to a question that nobody answers."""

from collections.abc import Callable
from uuid import UUID

from temporalio import activity

from activities.encoding import outcome
from baton.domain.ids import TaskById, whole_tenant
from baton.store import questions, routes
from baton.store.pool import Pool
from workflows.contracts import Outcome, TaskRef


class QuestionActivities:
    """Reminders, escalations and default answers, when a workflow's timer says that it is time."""

    def __init__(self, pool: Pool, notify: Callable[[UUID], None], *, words: bool = True) -> None:
        self._pool = pool
        self._notify = notify
        self._words = words

    @activity.defn(name="tick")
    async def tick(self, task: TaskRef) -> Outcome:
        """See `workflows.contracts.tick`."""
        async with self._pool.connection() as connection:
            route = await routes.route(connection, whole_tenant(UUID(task.tenant)), TaskById(UUID(task.task)))
        async with self._pool.transaction(route.execution_id) as connection:
            standing = await questions.tick(connection, route)
        self._notify(route.execution_id)
        return outcome(standing, words=self._words)
