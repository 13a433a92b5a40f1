"""A change to one task: its row and its execution's are locked, the mailbox's rules decide, the log says it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from baton.domain.approvals import Approval
from baton.domain.conversation import Question
from baton.domain.doubts import MAY_HAVE_HAPPENED, NOT_KNOWN
from baton.domain.events import ApprovalAsked, KnownBody, MessagesDead, NewEvent, QuestionAsked, TurnEnded
from baton.domain.events.parts import MessageRef
from baton.domain.ids import ExecutionId, TaskId, TenantId
from baton.domain.mailbox import Ending, Mailbox, Standing, end, standing
from baton.domain.results import NO_RESULT, Judged
from baton.domain.states import MessageState, TaskState, TurnState
from baton.store import events, mailboxes
from baton.store.codecs import APPROVALS
from baton.store.mailboxes import LockedTask
from baton.store.pool import Connection
from baton.store.queries import execute, fetch

#: How long a ring may take before the relay rings in its place.
RING_SECONDS: Final = 2.0
#: How many workflows of one execution are rung at once; the relay rings the others, and leaves other tenants a share.
TOLD_AT_ONCE: Final = 16
#: What a call gives that was not made because its turn came to another end.
INTERRUPTED: Final = "interrupted"
#: What a call gives that waited for consent when messages came that knew nothing of it.
OVERTAKEN: Final = "Not called: messages came before anybody was asked. Call it again if it is still wanted."
_TURN_STATES: Final = {
    Ending.ANSWERED: TurnState.ENDED,
    Ending.INTERRUPTED: TurnState.INTERRUPTED,
    Ending.FAILED: TurnState.FAILED,
}


@dataclass(slots=True)
class Change:
    """What a transaction does to a locked task: the mailbox after it, and the events that say so."""

    connection: Connection
    task: LockedTask
    box: Mailbox
    events: list[NewEvent] = field(default_factory=list[NewEvent])

    @classmethod
    async def of(cls, connection: Connection, tenant: TenantId, execution: ExecutionId, task: TaskId) -> "Change":
        """Lock an execution, then its task, until the transaction ends. Raises `TaskNotFound`."""
        locked = await mailboxes.lock(connection, tenant, execution, task)
        return cls(connection, locked, locked.box)

    def say(self, body: KnownBody, state: TaskState | None = None) -> None:
        """Add an event, with the task's state where it brings about a new one."""
        self.events.append(NewEvent(body, self.task.id, state))

    def has_open(self, turn: int) -> bool:
        """Whether ``turn`` is the one under way."""
        return self.task.box.turn_open and self.task.box.turn == turn

    def standing(self) -> Standing:
        """Where the task stands, when nothing was changed."""
        return standing(self.task.box, event_seq=self.task.event_seq)

    async def write(self, *, ring_seconds: float | None = None, keep_ring: bool = False) -> int:
        """Write the mailbox and the events, with the execution's state that follows. Returns the last event's number.

        ``ring_seconds``: when the relay rings the task's workflow, None where nobody need ring it; ``keep_ring``: a
        ring that is due already stays so.
        """
        state = None
        if self.box.state is not self.task.box.state:
            state = await mailboxes.state_after(self.connection, [(self.task, self.box.state)])
        if self.box is not self.task.box:
            return await mailboxes.save(
                self.connection, self.task, self.box, self.events, state, ring_seconds=ring_seconds, keep_ring=keep_ring
            )
        if not self.events:
            return self.task.event_seq
        return await events.append(
            self.connection,
            self.task.tenant_id,
            self.task.execution_id,
            self.events,
            positions={self.task.id: self.task.position},
        )

    async def end_turn(
        self,
        ending: Ending,
        asked: Sequence[Question] = (),
        result: Judged = NO_RESULT,
        code: str | None = None,
        message: str = "",
        ring_seconds: float | None = None,
        held: Sequence[Approval] = (),
        unsure: tuple[int, int] | None = None,
    ) -> Standing:
        """End the open turn, and write that. ``result`` is the task's where that ends it, ``code`` why it failed,
        ``message`` that in words.

        ``held``: the approvals of calls that it holds back; they are opened if the task comes to wait. ``unsure``: the
        (turn, step) of calls that some of what it ``asked`` is about. All other calls that were not made are done, with
        a result that says so. ``ring_seconds``: when the relay rings if another turn is due and no workflow is there to
        take it.
        """
        task, turn = self.task, self.task.box.turn
        self.box = end(task.box, ending, tuple(asked), tuple(held), unsure)
        state = self.box.state if self.box.state is not task.box.state else None
        failed = ending is Ending.FAILED
        rows = await fetch(
            self.connection,
            "end_turn",
            tenant=task.tenant_id,
            task=task.id,
            turn=turn,
            state=_TURN_STATES[ending],
            outcome=self.box.state,
            message_state=MessageState.DEAD if failed else MessageState.PROCESSED,
            reason=code,
            not_made=OVERTAKEN if ending is Ending.ANSWERED else INTERRUPTED,
            unsure=MAY_HAVE_HAPPENED if ending is Ending.INTERRUPTED else NOT_KNOWN,
            held_turn=task.box.held_turn,
            keep_held=self.box.held_step is not None,
        )
        if self.box.rest.state.is_over:
            error = code if self.box.state.is_over else None
            await execute(
                self.connection,
                "set_result",
                tenant=task.tenant_id,
                task=task.id,
                result=result.text,
                is_json=result.is_json,
                error_code=error,
                rested_error=code,
            )
        for question in asked:
            self.say(QuestionAsked.of(question))
        if self.box.approvals:
            await self._open_approvals()
        if code is not None and rows:
            self.say(MessagesDead(messages=told(rows), reason=code))
        ended_turn = TurnEnded(
            turn=turn,
            outcome=ending,
            result=result.value if self.box.state.is_over else None,
            error=code,
            error_message=message,
            messages=told(rows),
            open_questions=question_ids(self.box),
            open_approvals=approval_ids(self.box),
        )
        self.say(ended_turn, state)
        event_seq = await self.write(ring_seconds=None if self.box.state.is_over else ring_seconds)
        rests = self.box.state is not TaskState.RUNNING and task.in_plan
        if rests:
            await self.ring_plan()
        return standing(self.box, event_seq=event_seq, plan_looks=rests)

    async def _open_approvals(self) -> None:
        approvals = self.box.approvals
        await execute(
            self.connection,
            "open_approvals",
            tenant=self.task.tenant_id,
            task=self.task.id,
            approvals=APPROVALS.write(approvals),
        )
        for approval in approvals:
            self.say(ApprovalAsked.of(approval))

    async def ring_plan(self) -> None:
        """Have the relay ring the execution's plan, unless somebody does so before."""
        await execute(
            self.connection,
            "ring_plan",
            tenant=self.task.tenant_id,
            execution=self.task.execution_id,
            ring_seconds=RING_SECONDS,
        )


def told(rows: Sequence[asyncpg.Record]) -> tuple[MessageRef, ...]:
    """Messages, from rows with `id` and `seq`, as events name them."""
    return tuple(MessageRef(message_id=row["id"], seq=row["seq"]) for row in rows)


def question_ids(box: Mailbox) -> tuple[str, ...]:
    """The questions that are open, as events name them."""
    return tuple(question.id for question in box.questions)


def approval_ids(box: Mailbox) -> tuple[str, ...]:
    """The approvals that are open, as events name them."""
    return tuple(approval.id for approval in box.approvals)
