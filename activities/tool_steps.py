"""Tool calls: begun once their tool has a slot, made, recorded."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final
from uuid import UUID

from temporalio import activity

from activities.artifacts import set_apart
from activities.calls import another_attempt, endless_call, interrupted_call, make_call, put_off
from activities.encoding import step_key
from activities.heartbeats import heartbeats
from activities.interrupts import Interrupts, Reach, finish
from activities.measures import count_turn
from activities.reading import forbidden_by_limits
from activities.recording import LONGEST_STEP, Recording
from activities.rings import Ringer
from activities.suspects import Suspects
from baton.agents.tools import Begun, Slot, ToolRunner, concurrency_of, unrepeatable_tools
from baton.domain.conversation import ToolResult
from baton.domain.errors import Unavailable
from baton.domain.ids import StepKey
from baton.domain.mailbox import Standing
from baton.metrics import labels
from baton.metrics.series import HANDED_BACK, TOOL_SECONDS, TOOLS
from baton.runtime import faultpoints
from baton.store import tools
from baton.store.pool import Pool
from baton.store.tools import NoSlot, StartedCall
from workflows.contracts import TOOL_BUSY, Outcome, ToolRef

#: How long a call waits in a worker for a slot of its tool, before another worker may have it.
SLOT_SECONDS: Final = 5.0


class ToolActivities(Recording):
    """The calls of `AgentTaskWorkflow`. Each may be retried at any moment, on any worker."""

    def __init__(
        self,
        pool: Pool,
        interrupts: Interrupts,
        suspects: Suspects,
        ringer: Ringer,
        notify: Callable[[UUID], None],
        *,
        words: bool = True,
        result_max_bytes: int = 8 * 1024 * 1024,
        artifact_bytes: int = 16 * 1024,
    ) -> None:
        """See `StepActivities`. ``artifact_bytes``: beyond that a result is kept apart; ``result_max_bytes``: of one
        so much is kept."""
        super().__init__(pool, ringer, notify, words=words)
        self._interrupts = interrupts
        self._suspects = suspects
        self._result_max_bytes = result_max_bytes
        self._artifact_bytes = artifact_bytes
        self._tools = ToolRunner()

    @activity.defn(name="tool_step")
    async def tool_step(self, call: ToolRef) -> Outcome:
        """See `workflows.contracts.tool_step`."""
        key = step_key(call)
        deaths = partial(tools.deaths, key=key, call_id=call.call)
        async with heartbeats(), self._suspects.one_at_a_time(deaths):
            with self._interrupts.reaching(key) as reach:
                slot = self._tools.slot()
                try:
                    started = await self._started(key, call.call, slot, reach)
                    self._notify(key.execution_id)
                    if isinstance(started, Standing):
                        return await finish(self._done(key, started))
                    with TOOL_SECONDS.time():
                        result = await self._called(key, started, slot, reach)
                    name = labels.tool(started.call.name, is_real=not result.failed)
                    TOOLS.labels(name, "failed" if result.failed else "done").inc()
                finally:
                    slot.leave()
                faultpoints.at(faultpoints.TOOL_RETURNED)
            return await finish(self._record_tool(key, started, result))

    async def _started(self, key: StepKey, call_id: str, slot: Slot, reach: Reach) -> StartedCall | Standing:
        """Start a call once its tool has a ``slot``. Raises where that takes too long: nothing has begun."""

        async def admit(tool: str) -> bool:
            # An interrupted call is started without a slot: it is ended before it begins.
            return reach.ends_turn or await slot.take(tool, concurrency_of(tool))

        async def start() -> StartedCall | Standing:
            forbidden = await forbidden_by_limits(self._pool, key)
            once = unrepeatable_tools()
            return await finish(self._in_transaction(tools.start_tool, key, call_id, once, forbidden, admit))

        try:
            return await start()
        except NoSlot as none:
            try:
                async with asyncio.timeout(SLOT_SECONDS):
                    await reach.run(slot.wait(none.tool, concurrency_of(none.tool)))
            except (TimeoutError, asyncio.CancelledError):
                if not reach.ends_turn:
                    HANDED_BACK.labels(TOOL_BUSY).inc()
                    raise put_off(self._tools, none.tool) from None
            return await start()

    async def _called(self, key: StepKey, started: StartedCall, slot: Slot, reach: Reach) -> ToolResult:
        """What a call gives. Raises where another attempt is to be made, or to ask whether this one happened."""
        faultpoints.at(faultpoints.TOOL_STARTED)
        begun = Begun()
        reach.spare(lambda: started.once and begun.yes)
        try:
            async with asyncio.timeout(LONGEST_STEP):
                made = await reach.run(make_call(self._pool, self._tools, key, started.call, begun, slot))
            if made.broken and (again := another_attempt(started)):
                await finish(self._given_up(tools.survived, key, started))
                raise again
            result = made.result
        except TimeoutError:
            result = endless_call(started)
        except asyncio.CancelledError:
            if not reach.ends_turn:
                note = tools.survived if begun.yes else tools.not_begun
                raise await finish(self._given_up(note, key, started)) from None
            result = interrupted_call(started, begun)
        except Unavailable:
            await finish(self._given_up(tools.survived, key, started))
            raise
        return set_apart(result, started.call.name, beyond=self._artifact_bytes, most=self._result_max_bytes)

    async def _record_tool(self, key: StepKey, started: StartedCall, result: ToolResult) -> Outcome:
        try:
            standing = await self._patiently(tools.record_tool, key, result)
        except Unavailable:
            await self._given_up(tools.survived, key, started)
            raise
        faultpoints.at(faultpoints.TOOL_RECORDED)
        count_turn(key, standing)
        return await self._done(key, standing)
