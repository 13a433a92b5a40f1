"""What the stack says afterwards: states, receipts, logs. Nothing here judges."""

from collections.abc import Sequence
from dataclasses import dataclass

from baton.client.schemas.base import Json
from baton.client.schemas.executions import ExecutionOut
from baton.domain.events import Event
from baton.verify.door import Door
from baton.verify.readers import Reader, read_log


@dataclass(frozen=True, slots=True)
class TaskEvidence:
    """A task's state, and the receipts of all its messages in the order of the list."""

    id: str
    state: str
    is_over: bool
    receipts: Sequence[Json]


@dataclass(frozen=True, slots=True)
class ExecutionEvidence:
    """An execution's log as it is read afterwards, and as a reader saw it come, both up to
    event ``last_event``."""

    id: str
    state: str
    is_over: bool
    last_event: int
    tasks: Sequence[TaskEvidence]
    log: Sequence[Event]
    live: Sequence[Event]
    holes: Sequence[str]


async def gather_evidence(door: Door, readers: Sequence[Reader]) -> list[ExecutionEvidence]:
    """Read everything again, one execution after the other. Raises Unreachable."""
    return [await _execution(door, reader) for reader in readers]


async def _execution(door: Door, reader: Reader) -> ExecutionEvidence:
    execution = ExecutionOut.model_validate(await door.read(f"/executions/{reader.execution_id}"), extra="ignore")
    await reader.catch_up(execution.last_event, door.patience_seconds)
    log = await read_log(door, str(execution.id), execution.last_event, reader.nth)
    tasks = [
        TaskEvidence(str(task.id), task.state, task.state.is_over, await door.pages(f"/tasks/{task.id}/messages"))
        for task in execution.tasks
    ]
    return ExecutionEvidence(
        id=str(execution.id),
        state=execution.state,
        is_over=execution.state.is_over,
        last_event=execution.last_event,
        tasks=tasks,
        log=log,
        live=[event for event in reader.seen if event.seq <= execution.last_event],
        holes=reader.holes,
    )
