"""The faults, one after the other, and how long the stack takes to get over each."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from baton.client.errors import Unreachable
from baton.verify.door import Door
from baton.verify.injection import Outage, inject
from baton.verify.ledger import Ledger, Outgoing
from baton.verify.options import Fault
from baton.verify.pace import Pace
from baton.verify.sending import Post
from baton.verify.target import Target

_LOOK_SECONDS = 0.05
_REPEATED = 20
#: So far into the messages that are released with it comes a fault: under load.
_INTO_THE_PART = 0.3


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a fault was got over. Seconds from when the part was back to when a message that was sent then was accepted,
    and to when its turn had ended; None: not while we had patience."""

    outage: Outage
    accepted_seconds: float | None
    worked_seconds: float | None


class Chaos:
    """Injects faults and measures. ``probed`` is a task that nobody else sends to."""

    def __init__(
        self,
        target: Target,
        door: Door,
        post: Post,
        ledger: Ledger,
        probed: str,
        *,
        pause_seconds: float,
        seed: int,
        say: Callable[[str], None],
    ) -> None:
        self._target = target
        self._door = door
        self._post = post
        self._ledger = ledger
        self._probed = probed
        self._pause_seconds = pause_seconds
        self._dice = random.Random(f"{seed}/chaos")  # noqa: S311 (no secret)
        self._say = say

    async def run(self, faults: Sequence[Fault], every_seconds: float, pace: Pace) -> list[Recovery]:
        """Each fault in turn. The messages of part n are released shortly before fault n, those of part 0 at once."""
        pace.release(0)
        recoveries: list[Recovery] = []
        for n, fault in enumerate(faults, 1):
            await asyncio.sleep(every_seconds * (1 - _INTO_THE_PART))
            pace.release(n)
            await asyncio.sleep(every_seconds * _INTO_THE_PART)
            self._say(f"{fault} …")
            recovery = await self._probe(n, await inject(fault, self._target, self._pause_seconds))
            self._say(f"{fault}: {_in_words(recovery)}")
            recoveries.append(recovery)
            await self._repeat_some(recovery.outage.began)
        return recoveries

    async def _probe(self, n: int, outage: Outage) -> Recovery:
        token = f"probe-{n}"
        outgoing = Outgoing(token, "probe", n, self._probed, token, f"{self._probed}/{token}")
        if not await self._post.deliver(outgoing):
            return Recovery(outage, None, None)
        accepted = self._ledger.acknowledged_under(outgoing.key)
        deadline = time.monotonic() + self._door.patience_seconds
        worked = None
        while worked is None and time.monotonic() < deadline:
            try:
                receipt = await self._door.read(f"/messages/{accepted.message_id}")
            except Unreachable:
                break
            if receipt["ended_at"]:
                worked = time.time()
            else:
                await asyncio.sleep(_LOOK_SECONDS)
        return Recovery(outage, accepted.acknowledged_at - outage.back, worked and worked - outage.back)

    async def _repeat_some(self, before: float) -> None:
        """Send some messages again that were acknowledged before the fault: they must be remembered."""
        known = [entry.outgoing for entry in self._ledger.acknowledged if entry.acknowledged_at < before]
        chosen = self._dice.sample(known, min(_REPEATED, len(known)))
        await asyncio.gather(*(self._post.deliver(outgoing) for outgoing in chosen))


def _in_words(recovery: Recovery) -> str:
    if recovery.worked_seconds is None:
        return "not got over"
    down = recovery.outage.back - recovery.outage.began
    return f"down for {down:.1f} s, a message was accepted and worked off {recovery.worked_seconds:.1f} s after that"
