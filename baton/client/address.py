"""How a person names a task or an execution: by uuid, or as EXECUTION/POSITION."""

from dataclasses import dataclass
from uuid import UUID

from baton.client.errors import Refused, UsageError
from baton.client.http import Client
from baton.client.schemas.executions import ExecutionOut


@dataclass(frozen=True, slots=True)
class Address:
    """What was typed, taken apart: a uuid, and the position of a task in that execution, if one was named."""

    id: str
    position: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Raises UsageError."""
        head, slash, tail = text.strip().rpartition("/")
        name, position = (head, tail) if slash else (tail, None)
        try:
            return cls(str(UUID(name)), int(position) if position is not None else None)
        except ValueError:
            raise UsageError(
                f"{text!r} names no task: give its id, or EXECUTION/NUMBER, as `baton inbox` shows them"
            ) from None


def address_of(execution_id: UUID | str, position: int) -> str:
    """How to name a task so that a person can see which one it is."""
    return f"{execution_id}/{position}"


async def find_task_id(client: Client, text: str) -> str:
    """The uuid of the task that ``text`` names, without a look at the server where ``text`` has it.

    Raises UsageError, Refused.
    """
    address = Address.parse(text)
    if address.position is None:
        return address.id
    return task_at(await client.execution(address.id), address.position)


def task_at(execution: ExecutionOut, position: int) -> str:
    """The uuid of an execution's task. Raises UsageError that says which there are."""
    for task in execution.tasks:
        if task.position == position:
            return str(task.id)
    known = ", ".join(str(task.position) for task in execution.tasks)
    raise UsageError(f"execution {execution.id} has no task {position}; it has {known}")


async def only_task_of(client: Client, execution_id: str) -> str | None:
    """The task of an execution that has just one; None where ``execution_id`` is no execution.

    Raises UsageError for an execution with several tasks: one must be named.
    """
    try:
        execution = await client.execution(execution_id)
    except Refused as refused:
        if refused.status == 404:
            return None
        raise
    if len(execution.tasks) == 1:
        return str(execution.tasks[0].id)
    known = ", ".join(str(task.position) for task in execution.tasks)
    example = address_of(execution_id, execution.tasks[0].position)
    raise UsageError(f"{execution_id} is a plan with the tasks {known}: name one, as in {example}")


async def find_execution(client: Client, text: str) -> tuple[ExecutionOut, int | None]:
    """The execution that ``text`` names, by its own id or by one of its tasks; then with that task's position.

    Raises UsageError, Refused.
    """
    address = Address.parse(text)
    try:
        execution = await client.execution(address.id)
    except Refused as refused:
        if refused.status != 404 or address.position is not None:
            raise
        task = await client.task(address.id)
        return await client.execution(task.execution_id), task.position
    if address.position is not None:
        task_at(execution, address.position)
    return execution, address.position
