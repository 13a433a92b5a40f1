"""Executions: started (one commit, then the doorbell), read, and listed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid4

from baton.domain.agents import Agent, AgentReference, Principal
from baton.domain.conversation import Attachment, Usage
from baton.domain.errors import ExecutionNotFound, InvalidInput, TaskNotFound
from baton.domain.ids import ExecutionId, ExecutionRoute, PlanRoute, TaskById, TaskId, TaskRoute
from baton.domain.json import JsonObject, unstorable, unstorable_text
from baton.domain.plans import Plan
from baton.domain.states import ExecutionState
from baton.domain.views import ExecutionView, Page, TaskView
from baton.service.context import Baton
from baton.service.cursors import TIME_AND_ID, decode_cursor, encode_cursor
from baton.service.visibility import SeenExecution, find_agent, find_execution, find_task
from baton.store import executions, tasks
from baton.store.executions import NewExecution, NewTask

_TITLE_CHARACTERS: Final = 80
#: Temporal refuses longer ones, and those under /_sys/.
_QUEUE_BYTES: Final = 1000
_ID_CHARACTERS: Final = 255


@dataclass(frozen=True, slots=True)
class StartedExecution:
    """An execution that was started. ``tasks`` are the tasks' ids, in the plan's order."""

    execution_id: ExecutionId
    agent: Agent
    tasks: tuple[TaskId, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What an id names that may be an execution's or a task's: with ``task``, the task of that id."""

    execution: ExecutionView
    task: TaskView | None


async def start_plan(
    baton: Baton,
    who: Principal,
    plan: Plan,
    *,
    queue: str | None = None,
    agent: AgentReference = None,
    plan_generation_id: str | None = None,
    metadata: JsonObject | None = None,
    granted_tools: tuple[str, ...] = (),
    plan_only: bool = False,
) -> StartedExecution:
    """Start a plan: stored as a whole in one commit; its workflow then starts the tasks that depend on nothing.

    ``queue`` is the Temporal task queue, the configured one if None. ``granted_tools``: tools whose calls need no
    approval in its tasks, ``plan_only``: their agents may call no tool that changes things, until a message says
    otherwise. Raises `AgentNotFound`, `InvalidInput`, `Unavailable`; nothing is started then.
    """
    _check_tools(granted_tools)
    tasks = tuple(
        NewTask(uuid4(), t.position, t.title, t.description, t.depends_on, granted_tools, plan_only) for t in plan.tasks
    )
    _check_text(plan_generation_id, "plan_generation_id", _ID_CHARACTERS)
    new, chosen = await _store(
        baton,
        who,
        agent,
        queue,
        metadata,
        in_plan=True,
        title=plan.title,
        tasks=tasks,
        plan=plan,
        plan_generation_id=plan_generation_id,
    )
    baton.routes.learn(ExecutionRoute(who.tenant_id, who.tenant, new.id, new.queue, chosen.id, only=None))
    baton.notifier.events(new.id)
    baton.doorbell.ring_plan(PlanRoute(who.tenant_id, who.tenant, new.id, new.queue), seq=1)
    return StartedExecution(new.id, chosen, tuple(task.id for task in tasks))


async def start_task(
    baton: Baton,
    who: Principal,
    prompt: str,
    *,
    title: str | None = None,
    queue: str | None = None,
    agent: AgentReference = None,
    metadata: JsonObject | None = None,
    granted_tools: tuple[str, ...] = (),
    plan_only: bool = False,
    attachments: tuple[Attachment, ...] = (),
) -> StartedExecution:
    """Start a single task, whose description is ``prompt``: stored in one commit, and running from then on.

    ``title``: the first line of the prompt if None; ``attachments`` come with the prompt. The rest, and what it
    raises, is as for `start_plan`.
    """
    _check_text(prompt, "prompt", None)
    _check_text(title, "title", None)
    _check_tools(granted_tools)
    task = NewTask(
        uuid4(),
        1,
        (title or "").strip() or _first_line(prompt),
        prompt,
        granted_tools=granted_tools,
        plan_only=plan_only,
        attachments=attachments,
    )
    new, chosen = await _store(baton, who, agent, queue, metadata, in_plan=False, title=task.title, tasks=(task,))
    baton.notifier.events(new.id)
    route = TaskRoute(
        tenant_id=who.tenant_id,
        tenant=who.tenant,
        execution_id=new.id,
        task_id=task.id,
        position=task.position,
        in_plan=False,
        queue=new.queue,
        agent=chosen.name,
        agent_id=chosen.id,
    )
    baton.routes.learn(ExecutionRoute(who.tenant_id, who.tenant, new.id, new.queue, chosen.id, only=route))
    baton.doorbell.ring_task(route, seq=1, turn=1)
    return StartedExecution(new.id, chosen, (task.id,))


async def get_execution(baton: Baton, who: Principal, execution_id: ExecutionId) -> ExecutionView:
    """An execution with its tasks. Raises `ExecutionNotFound`."""
    return await _read(baton, await find_execution(baton, who, execution_id))


async def get_execution_or_task(baton: Baton, who: Principal, some_id: UUID) -> Found:
    """The execution of that id; else the task of that id and its execution. Raises `ExecutionNotFound`."""
    try:
        return Found(await get_execution(baton, who, some_id), None)
    except ExecutionNotFound:
        try:
            task = await find_task(baton, who, TaskById(some_id))
        except TaskNotFound:
            raise ExecutionNotFound("there is no such execution") from None
    execution = await get_execution(baton, who, task.route.execution_id)
    for one in execution.tasks or ():
        if one.id == task.id:
            return Found(execution, one)
    raise ExecutionNotFound("there is no such execution")


async def get_usage(baton: Baton, who: Principal, execution_id: ExecutionId) -> Usage:
    """Tokens that an execution's steps have used so far. Raises `ExecutionNotFound`."""
    seen = await find_execution(baton, who, execution_id)
    async with baton.pool.connection() as connection:
        return await executions.usage(connection, seen.tenant_id, seen.id)


async def list_executions(
    baton: Baton,
    who: Principal,
    *,
    limit: int,
    states: Sequence[ExecutionState] | None = None,
    cursor: str | None = None,
) -> Page[ExecutionView]:
    """A page of all executions, newest first. Raises `InvalidInput` for a bad cursor."""
    after = None if cursor is None else decode_cursor(cursor, TIME_AND_ID)
    async with baton.pool.connection() as connection:
        found = await executions.page(
            connection, who.tenant_id, limit=limit + 1, states=states, agent_id=who.agent_id, after=after
        )
    page = tuple(found[:limit])
    more = len(found) > limit
    return Page(page, encode_cursor(page[-1].created_at, page[-1].id) if more else None)


async def page_executions(
    baton: Baton,
    who: Principal,
    *,
    limit: int,
    offset: int = 0,
    in_plan: bool | None = None,
    states: Sequence[ExecutionState] | None = None,
    agent: AgentReference = None,
    asks: bool | None = None,
    with_only_tasks: bool = False,
) -> Page[ExecutionView]:
    """Executions by offset, newest first, with their total: for dialects that page so.

    ``in_plan``: plans only, single tasks only, None for both. ``asks``: of those that wait, those that do for an answer
    (True) or for consent alone (False). ``with_only_tasks``: those that are no plans come with their task. Raises
    `AgentNotFound`.
    """
    async with baton.pool.connection() as connection:
        agent_id = who.agent_id if agent is None else (await find_agent(connection, who, agent)).id
        found = await executions.page(
            connection,
            who.tenant_id,
            limit=limit,
            offset=offset,
            in_plan=in_plan,
            states=states,
            agent_id=agent_id,
            asks=asks,
        )
        total = await executions.count(
            connection, who.tenant_id, in_plan=in_plan, states=states, agent_id=agent_id, asks=asks
        )
        if with_only_tasks:
            only = await tasks.only_tasks(connection, who.tenant_id, [one.id for one in found if not one.in_plan])
            found = [replace(one, tasks=(only[one.id],)) if one.id in only else one for one in found]
    return Page(tuple(found), total=total)


async def _read(baton: Baton, seen: SeenExecution) -> ExecutionView:
    async with baton.pool.connection() as connection:
        found = await executions.view(connection, seen.tenant_id, seen.id)
    if found is None:
        raise ExecutionNotFound("there is no such execution")
    return found


async def _store(
    baton: Baton,
    who: Principal,
    agent: AgentReference,
    queue: str | None,
    metadata: JsonObject | None,
    *,
    in_plan: bool,
    title: str,
    tasks: tuple[NewTask, ...],
    plan: Plan | None = None,
    plan_generation_id: str | None = None,
) -> tuple[NewExecution, Agent]:
    _check_text(queue, "queue", None)
    if queue and (len(queue.encode()) > _QUEUE_BYTES or queue.startswith("/_sys/")):
        raise InvalidInput(
            f"a queue's name has at most {_QUEUE_BYTES} bytes, and no /_sys/ in front", ("body", "queue")
        )
    if metadata and (reason := unstorable(metadata)):
        raise InvalidInput(reason, ("body", "metadata"))
    async with baton.pool.connection() as connection:
        chosen = await find_agent(connection, who, agent)
        new = NewExecution(
            tenant_id=who.tenant_id,
            id=uuid4(),
            in_plan=in_plan,
            agent_id=chosen.id,
            title=title,
            queue=queue or baton.settings.task_queue,
            tasks=tasks,
            summary=plan.summary if plan else "",
            plan=plan.source if plan else {},
            plan_generation_id=plan_generation_id,
            metadata=metadata or {},
        )
        await executions.create(connection, new, ring_seconds=baton.settings.relay_after_seconds)
    return new, chosen


def _check_text(text: str | None, name: str, longest: int | None) -> None:
    if text is None:
        return
    if not text.strip():
        raise InvalidInput(f"{name} must not be empty", ("body", name))
    if longest is not None and len(text) > longest:
        raise InvalidInput(f"{name} must not be longer than {longest} characters", ("body", name))
    if reason := unstorable_text(text):
        raise InvalidInput(reason, ("body", name))


def _check_tools(names: tuple[str, ...]) -> None:
    for name in names:
        _check_text(name, "granted_tools", _ID_CHARACTERS)


def _first_line(prompt: str) -> str:
    line = next(line.strip() for line in prompt.splitlines() if line.strip())
    return line if len(line) <= _TITLE_CHARACTERS else line[: _TITLE_CHARACTERS - 1].rstrip() + "…"
