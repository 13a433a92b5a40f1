"""Starting executions: one commit, then the doorbell."""

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from baton.domain.agents import Agent, Principal
from baton.domain.conversation import Attachment
from baton.domain.errors import InvalidInput
from baton.domain.ids import ExecutionId, PlanRoute, TaskId, TaskRoute
from baton.domain.json import JsonObject, unstorable, unstorable_text
from baton.domain.plans import Plan
from baton.service.agents import AgentReference, resolve_agent
from baton.service.context import Baton
from baton.store import executions
from baton.store.executions import NewExecution, NewTask

_TITLE_CHARACTERS: Final = 80
#: Temporal refuses longer ones, and those under /_sys/.
_QUEUE_BYTES: Final = 1000
_ID_CHARACTERS: Final = 255


@dataclass(frozen=True, slots=True)
class Started:
    """An execution that was started. ``tasks`` are the tasks' ids, in the plan's order."""

    execution_id: ExecutionId
    agent: Agent
    tasks: tuple[TaskId, ...]


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
) -> Started:
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
    baton.notifier.events(new.id)
    baton.doorbell.ring_plan(PlanRoute(who.tenant_id, who.tenant, new.id, new.queue), seq=1)
    return Started(new.id, chosen, tuple(task.id for task in tasks))


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
) -> Started:
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
    baton.doorbell.ring_task(route, seq=1, turn=1)
    return Started(new.id, chosen, (task.id,))


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
        chosen = await resolve_agent(connection, who, agent)
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
