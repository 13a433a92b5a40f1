"""The senders: each one message after the other, in its own order."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from baton.client.errors import Unreachable
from baton.client.schemas.tasks import TaskOut
from baton.domain.states import TaskState
from baton.verify.door import Door
from baton.verify.ledger import Ledger, Outgoing
from baton.verify.pace import Pace
from baton.verify.sending import Post
from baton.verify.workload import Kind, Line, Twice

_LOOK_SECONDS = 0.1


class Sender:
    """Sends its lines. ``tasks`` and ``kinds`` are those of the load, by index."""

    def __init__(
        self, name: str, door: Door, post: Post, ledger: Ledger, tasks: Sequence[str], kinds: Sequence[Kind]
    ) -> None:
        self.name = name
        self._door = door
        self._post = post
        self._ledger = ledger
        self._tasks = tasks
        self._kinds = kinds

    async def run(self, lines: Sequence[Line], pace: Pace) -> None:
        """Send everything, each message after the one before was answered."""
        for n, line in enumerate(lines):
            await pace.wait(n, len(lines))
            await self._say(n, line)

    async def _say(self, n: int, line: Line) -> None:
        task_id = self._tasks[line.task]
        outgoing = Outgoing(line.token, self.name, n, task_id, line.text, f"{task_id}/{line.token}", line.mode)
        if self._kinds[line.task] is Kind.INTERVIEW:
            try:
                outgoing = replace(outgoing, question=await self._asked(task_id))
            except (Unreachable, TimeoutError):
                self._ledger.give_up(outgoing, "the task did not come to ask")
                return
        if line.twice is Twice.TOGETHER:
            await self._post.deliver_together(outgoing)
        elif await self._post.deliver(outgoing) and line.twice is Twice.AFTERWARDS:
            await self._post.deliver(outgoing)

    async def _asked(self, task_id: str) -> str:
        """The id of what the task asks. Raises Unreachable, and TimeoutError if it asks nothing for too long."""
        async with asyncio.timeout(self._door.patience_seconds):
            while True:
                task = TaskOut.model_validate(await self._door.read(f"/tasks/{task_id}"), extra="ignore")
                if task.state is TaskState.WAITING and task.questions:
                    return task.questions[-1].id
                await asyncio.sleep(_LOOK_SECONDS)
