"""Sending one message so that it is surely accepted, once, and writing down what was promised."""

import asyncio
import time
from itertools import count

import httpx

from baton.client.errors import Unreachable
from baton.domain.states import SendMode
from baton.verify.door import Door
from baton.verify.ledger import Ledger, Outgoing


class Post:
    """Sends messages through a door, and keeps the ledger."""

    def __init__(self, door: Door, ledger: Ledger) -> None:
        self._door = door
        self._ledger = ledger
        self._turn = count()

    async def deliver(self, outgoing: Outgoing) -> bool:
        """Send until it is answered; a refused `reject` is sent again as `queue`. Whether it was accepted."""
        began = time.time()
        try:
            answer = await self._send(outgoing, outgoing.mode)
            if answer.status_code == 409 and outgoing.mode is SendMode.REJECT:
                answer = await self._send(outgoing, SendMode.QUEUE)
        except Unreachable as error:
            self._ledger.give_up(outgoing, error.message)
            return False
        if answer.status_code != 202:
            code = answer.json().get("code", "") if answer.content else ""
            self._ledger.give_up(outgoing, f"refused with {answer.status_code} {code}".strip())
            return False
        self._ledger.acknowledge(outgoing, answer.json(), began)
        return True

    async def deliver_together(self, outgoing: Outgoing) -> bool:
        """Send it twice at the same time, through different processes if there are several."""
        return all(await asyncio.gather(self.deliver(outgoing), self.deliver(outgoing)))

    async def _send(self, outgoing: Outgoing, mode: SendMode) -> httpx.Response:
        headers = {"Idempotency-Key": outgoing.key}
        if mode is not SendMode.QUEUE:
            headers["Baton-Mode"] = mode.value
        if outgoing.question is not None:
            headers["Baton-Question"] = outgoing.question
        path = f"/tasks/{outgoing.task_id}/messages"
        return await self._door.call("POST", path, json={"text": outgoing.text}, headers=headers, via=next(self._turn))
