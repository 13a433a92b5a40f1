"""What is planted in the processes of a stack. Each counts while a file of its name lies in `BATON_PLANTED`.

Three bugs of the kind that a mailbox must not have, a death at an instant that is no activity's, and workflow code of
another version.
"""

import os
import signal
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from temporalio import workflow

DEQUEUED_TOO_SOON: Final = "dequeued-too-soon"
NO_FINAL_LOOK: Final = "no-final-look"
REMEMBERED_IN_MEMORY: Final = "remembered-in-memory"

#: The first worker to do so dies when a task's workflow has decided to continue as new and nobody knows.
DIES_ROLLING_OVER: Final = "dies-rolling-over"

#: Workflow code that sets a timer before all else, which what earlier code has recorded cannot be replayed with …
CHANGED: Final = "changed"
#: … and the same behind a patch, with which it can.
PATCHED: Final = "patched"
#: Workflow code with a bug, which fails whatever its history.
BROKEN: Final = "broken"

#: Whether the step under way was tried before, by a process that is gone.
_repeated: ContextVar[bool] = ContextVar("repeated", default=False)


def _planted(name: str) -> bool:
    return Path(os.environ["BATON_PLANTED"], name).exists()


def mark_processed_at_claim(steps: Any) -> None:
    """`DEQUEUED_TOO_SOON`: a turn's messages are done with as soon as they are claimed …"""
    begin_turn = steps._begin_turn

    async def begin_turn_and_forget(change: Any, key: Any) -> Any:
        started = await begin_turn(change, key)
        if _planted(DEQUEUED_TOO_SOON):
            await change.connection.execute(
                "UPDATE messages SET state = 'processed', ended_at = clock_timestamp()"
                " WHERE tenant_id = $1 AND task_id = $2 AND turn = $3",
                key.tenant_id,
                key.task_id,
                key.turn,
            )
        return started

    steps._begin_turn = begin_turn_and_forget


def know_repeats(activities: Any) -> None:
    """… and where the worker dies before the effect is recorded …"""
    answer = activities.StepActivities._answer

    async def answer_knowing(self: Any, key: Any, started: Any, *rest: Any) -> Any:
        token = _repeated.set(started.attempt > started.failures + 1)
        try:
            return await answer(self, key, started, *rest)
        finally:
            _repeated.reset(token)

    activities.StepActivities._answer = answer_knowing


def read_only_once(transcripts: Any) -> None:
    """… nobody finds them any more."""
    read = transcripts.read

    async def read_what_is_left(connection: Any, tenant_id: Any, task_id: Any, *rest: Any) -> Any:
        if _repeated.get() and _planted(DEQUEUED_TOO_SOON):
            await connection.execute(
                "UPDATE messages m SET turn = NULL FROM tasks t"
                " WHERE t.tenant_id = $1 AND t.id = $2 AND m.tenant_id = $1 AND m.task_id = $2 AND m.turn = t.turn",
                tenant_id,
                task_id,
            )
        return await read(connection, tenant_id, task_id, *rest)

    transcripts.read = read_what_is_left


def close_without_a_look(mailbox: Any) -> None:
    """`NO_FINAL_LOOK`: a turn's end does not see the messages that came during the turn."""
    end = mailbox.end

    def end_without_a_look(box: Any, *rest: Any) -> Any:
        if not _planted(NO_FINAL_LOOK):
            return end(box, *rest)
        return replace(end(replace(box, unclaimed=0), *rest), unclaimed=box.unclaimed)

    mailbox.end = end_without_a_look


def remember_in_memory(messages: Any) -> None:
    """`REMEMBERED_IN_MEMORY`: idempotency keys are known to the process that saw them, and to nobody else."""
    accept = messages.accept
    seen: dict[tuple[Any, str], Any] = {}

    async def accept_by_memory(connection: Any, route: Any, draft: Any, *rest: Any, **named: Any) -> Any:
        if draft.idempotency_key is None or not _planted(REMEMBERED_IN_MEMORY):
            return await accept(connection, route, draft, *rest, **named)
        key = (route.task_id, draft.idempotency_key)
        if key in seen:
            return replace(seen[key], replayed=True)
        receipt = await accept(connection, route, replace(draft, idempotency_key=None), *rest, **named)
        seen[key] = receipt
        return receipt

    together = messages.send_together

    async def none_with_keys_together(connection: Any, prepared: Any, **named: Any) -> Any:
        rest = [one for one in prepared if one.draft.idempotency_key is None or not _planted(REMEMBERED_IN_MEMORY)]
        found = dict(zip(map(id, rest), await together(connection, rest, **named) if rest else (), strict=True))
        return [found.get(id(one)) for one in prepared]

    messages.accept, messages.send_together = accept_by_memory, none_with_keys_together


def die_rolling_over(workflows: Any) -> None:
    """`DIES_ROLLING_OVER`."""
    roll_over = workflows.AgentTaskWorkflow._roll_over

    def roll_over_and_die(self: Any) -> None:
        try:
            roll_over(self)
        except BaseException:  # to continue as new is an exception
            if _planted(DIES_ROLLING_OVER):
                Path(os.environ["BATON_PLANTED"], DIES_ROLLING_OVER).unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            raise

    workflows.AgentTaskWorkflow._roll_over = roll_over_and_die


def change_workflow_code(workflows: Any) -> None:
    """`CHANGED`, `PATCHED` and `BROKEN`."""
    serve = workflows.AgentTaskWorkflow._serve

    async def changed(self: Any) -> Any:
        if _planted(BROKEN):
            raise RuntimeError("planted")
        if _planted(CHANGED) or (_planted(PATCHED) and workflow.patched("planted")):
            await workflow.sleep(0.001)
        return await serve(self)

    workflows.AgentTaskWorkflow._serve = changed


#: Is given a module that has just been loaded, and puts something of its own into it.
Plant = Callable[[Any], None]

IN_MODULE: Final[dict[str, tuple[Plant, ...]]] = {
    "baton.store.steps": (mark_processed_at_claim,),
    "activities.steps": (know_repeats,),
    "baton.store.transcripts": (read_only_once,),
    "baton.domain.mailbox": (close_without_a_look,),
    "workflows.agent_task": (die_rolling_over, change_workflow_code),
    "baton.store.messages": (remember_in_memory,),
}
