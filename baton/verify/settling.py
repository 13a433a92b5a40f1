"""Waiting until everything has come to rest, and no longer than there is hope."""

import asyncio
import time
from collections.abc import Sequence

from baton.client.schemas.base import Json
from baton.domain.states import ExecutionState, TaskState
from baton.verify.door import Door
from baton.verify.ledger import Outgoing
from baton.verify.sending import Post

_LOOK_SECONDS = 0.3


class Settling:
    """Answers what is still asked, once nothing else is on its way to who asks."""

    def __init__(self, door: Door, post: Post) -> None:
        self._door = door
        self._post = post
        self._answered = 0

    async def settle(self, executions: Sequence[str]) -> None:
        """Return when all executions are over and no message is queued, or when nothing has happened for as long as
        the door has patience: what is unfinished then is found by the audit. Raises Unreachable."""
        left = list(executions)
        heads: dict[str, int] = {}
        changed = time.monotonic()
        while left and time.monotonic() - changed < self._door.patience_seconds:
            unsettled: list[str] = []
            for execution_id in left:
                execution = await self._door.read(f"/executions/{execution_id}")
                if heads.get(execution_id) != execution["last_event"]:
                    heads[execution_id] = execution["last_event"]
                    changed = time.monotonic()
                if not await self._is_settled(execution):
                    unsettled.append(execution_id)
            left = unsettled
            await asyncio.sleep(_LOOK_SECONDS if left else 0)

    async def _is_settled(self, execution: Json) -> bool:
        queued = 0
        for task in execution["tasks"]:
            queued += task["queued"]
            if task["state"] == TaskState.WAITING and not task["queued"]:
                await self._answer(task["id"])
        return ExecutionState(execution["state"]).is_over and not queued

    async def _answer(self, task_id: str) -> None:
        self._answered += 1
        token = f"end-{self._answered}"
        await self._post.deliver(Outgoing(token, "end", self._answered, task_id, token, f"{task_id}/{token}"))
