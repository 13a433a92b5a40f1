"""Starting executions: one commit, then the doorbell. Under an Idempotency-Key a repeat is told of the first."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias
from uuid import UUID, uuid4

from baton.domain.agent_limits import check_limits
from baton.domain.agents import AgentReference, Principal
from baton.domain.allowance import least
from baton.domain.catalog import grants_used
from baton.domain.conversation import Attachment
from baton.domain.errors import AgentNotFound, ExecutionNotFound, InvalidInput
from baton.domain.ids import TITLE_CHARACTERS, ExecutionId, ExecutionRoute, PlanRoute, TaskId, TaskRoute
from baton.domain.json import JsonObject, unstorable
from baton.domain.plans import Plan
from baton.domain.results import check_result_schema
from baton.domain.starts import Start, keyed
from baton.domain.texts import check_text
from baton.domain.views import AgentRef, ExecutionView, TaskView
from baton.runtime import faultpoints
from baton.service.catalog import judge
from baton.service.context import Baton
from baton.service.once import once
from baton.service.task_agents import with_agents
from baton.service.visibility import find_agent
from baton.store import creation
from baton.store.creation import Created, NewExecution, NewTask
from baton.store.pool import Connection

_TITLE_CHARACTERS: Final = 80
#: Temporal refuses longer ones, and those under /_sys/.
_QUEUE_BYTES: Final = 1000
_ID_CHARACTERS: Final = 255
_GRANTS: Final = ("body", "granted_tools")

#: All of an execution that is to be made but its id and its agent.
Wanted: TypeAlias = "partial[NewExecution]"


@dataclass(frozen=True, slots=True)
class StartResult:
    """An execution that was started. ``replayed``: before, by a request under the same Idempotency-Key. ``warnings``:
    names of tools that may be wrong, and ``unserved``: that no worker serves its task queue, "" if one does."""

    new: NewExecution
    agent: AgentRef
    created: Created
    warnings: tuple[str, ...]
    replayed: bool
    unserved: str = ""

    @property
    def execution_id(self) -> ExecutionId:
        """The execution's id."""
        return self.new.id

    @property
    def tasks(self) -> tuple[TaskId, ...]:
        """The tasks' ids, in the plan's order."""
        return tuple(task.id for task in self.new.tasks)

    @property
    def task(self) -> TaskView:
        """The only task of one that is no plan, as it was when it was started."""
        tasks = self.view().tasks
        assert tasks is not None
        return tasks[0]

    def view(self) -> ExecutionView:
        """The execution with its tasks as it was when it was started, whatever it has come to since."""
        return creation.as_created(self.new, self.agent, self.created)


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
    limits: JsonObject | None = None,
    key: str | None = None,
) -> StartResult:
    """Start a plan: stored as a whole in one commit; its workflow then starts the tasks that depend on nothing.

    ``queue`` is the Temporal task queue, the configured one if None. ``agent`` does the tasks that name none; where all
    name the same, it may be None without there being a default one. ``granted_tools``: tools whose calls need no
    approval in its tasks, ``plan_only``: their agents may call no tool that changes things, until a message says
    otherwise; tools that no worker has are refused. ``limits`` bound all of its tasks together, as the plan's own do.
    ``key``: the Idempotency-Key. Raises `AgentNotFound`, `InvalidInput`, `KeyReused`, `Unavailable`; nothing is started
    then (after `Unavailable` it may be: repeat it with the same key).
    """
    _check_tools(granted_tools)
    check_limits(limits or {}, of_plan=True)
    check_text(plan_generation_id, "plan_generation_id", longest=_ID_CHARACTERS)
    tasks = tuple(
        NewTask(
            uuid4(),
            t.position,
            t.title,
            t.description,
            t.depends_on,
            granted_tools,
            plan_only,
            limits=t.limits,
            result_schema=t.result_schema,
        )
        for t in plan.tasks
    )
    wanted = _wanted(baton, who, queue, metadata, in_plan=True, title=plan.title, tasks=tasks)
    wanted = partial(wanted, summary=plan.summary, plan=plan.source, plan_generation_id=plan_generation_id)
    wanted = partial(wanted, limits=least(plan.limits, limits or {}))
    asked: JsonObject = {"plan": plan.source, "generation": plan_generation_id, "queue": queue, "metadata": metadata}
    asked |= {"grants": [*sorted(granted_tools)], "plan_only": plan_only}
    if limits:
        asked["limits"] = limits
    start = keyed(who, key, "plan", asked, agent)
    started = await _start(baton, who, start, wanted, agent, granted_tools, plan=plan)
    if not started.replayed:
        new = started.new
        only_agent = None if new.shared else new.agent_id
        baton.routes.learn(ExecutionRoute(who.tenant_id, who.tenant, new.id, new.queue, only_agent, only=None))
        baton.notifier.events(new.id)
        route = PlanRoute(who.tenant_id, who.tenant, new.id, new.queue, plan.title[:TITLE_CHARACTERS])
        baton.doorbell.ring_plan(route, seq=1)
    return await _with_queue(baton, started)


async def start_task(
    baton: Baton,
    who: Principal,
    prompt: str,
    *,
    title: str | None = None,
    queue: str | None = None,
    agent: AgentReference = None,
    or_default: bool = False,
    metadata: JsonObject | None = None,
    granted_tools: tuple[str, ...] = (),
    plan_only: bool = False,
    attachments: tuple[Attachment, ...] = (),
    limits: JsonObject | None = None,
    result_schema: JsonObject | None = None,
    key: str | None = None,
) -> StartResult:
    """Start a single task, whose description is ``prompt``: stored in one commit, and running from then on.

    ``title``: the first line of the prompt if None; ``attachments`` come with the prompt; ``limits`` bound the task
    beside those of its agent, ``result_schema`` is what its result must obey (None: as its agent says). ``or_default``:
    where there is no such ``agent``, the default one. The rest, and what it raises, is as for `start_plan`.
    """
    check_text(prompt, "prompt")
    check_text(title, "title")
    _check_tools(granted_tools)
    check_limits(limits or {})
    check_result_schema(result_schema or {})
    task = NewTask(
        uuid4(),
        1,
        (title or "").strip() or _first_line(prompt),
        prompt,
        granted_tools=granted_tools,
        plan_only=plan_only,
        attachments=attachments,
        limits=limits or {},
        result_schema=result_schema,
    )
    wanted = _wanted(baton, who, queue, metadata, in_plan=False, title=task.title, tasks=(task,))
    asked: JsonObject = {"prompt": prompt, "title": task.title, "queue": queue, "metadata": metadata}
    asked |= {"grants": [*sorted(granted_tools)], "plan_only": plan_only}
    if limits:
        asked["limits"] = limits
    if result_schema is not None:
        asked["result_schema"] = result_schema
    asked |= {"attachments": [[file.filename, file.media_type, file.url] for file in attachments]}
    start = keyed(who, key, "task", asked, agent)
    started = await _start(baton, who, start, wanted, agent, granted_tools, or_default=or_default)
    if not started.replayed:
        new = started.new
        baton.notifier.events(new.id)
        route = TaskRoute(
            tenant_id=who.tenant_id,
            tenant=who.tenant,
            execution_id=new.id,
            task_id=task.id,
            position=task.position,
            in_plan=False,
            queue=new.queue,
            agent=started.agent.name,
            agent_id=new.agent_id,
            title=task.title[:TITLE_CHARACTERS],
            plan_title=task.title[:TITLE_CHARACTERS],
        )
        baton.routes.learn(ExecutionRoute(who.tenant_id, who.tenant, new.id, new.queue, new.agent_id, only=route))
        baton.doorbell.ring_task(route, seq=1, turn=1)
    return await _with_queue(baton, started)


def _wanted(
    baton: Baton,
    who: Principal,
    queue: str | None,
    metadata: JsonObject | None,
    *,
    in_plan: bool,
    title: str,
    tasks: tuple[NewTask, ...],
) -> Wanted:
    """An execution that is to be made. Raises `InvalidInput`."""
    check_text(queue, "queue")
    if queue and (len(queue.encode()) > _QUEUE_BYTES or queue.startswith("/_sys/")):
        raise InvalidInput(
            f"a queue's name has at most {_QUEUE_BYTES} bytes, and no /_sys/ in front", ("body", "queue")
        )
    if metadata and (reason := unstorable(metadata)):
        raise InvalidInput(reason, ("body", "metadata"))
    return partial(
        NewExecution,
        tenant_id=who.tenant_id,
        in_plan=in_plan,
        title=title,
        queue=queue or baton.settings.task_queue,
        tasks=tasks,
        metadata=metadata or {},
    )


async def _start(
    baton: Baton,
    who: Principal,
    start: Start | None,
    wanted: Wanted,
    agent: AgentReference,
    granted_tools: tuple[str, ...],
    *,
    or_default: bool = False,
    plan: Plan | None = None,
) -> StartResult:
    new_id = uuid4()
    names = grants_used(granted_tools, _GRANTS)

    async def make(connection: Connection) -> StartResult:
        tasks: tuple[NewTask, ...] = wanted.keywords["tasks"]
        if plan is not None:
            tasks = await with_agents(connection, who, plan, tasks)
        only = None if plan is None else plan.only_agent
        chosen = await _chosen(connection, who, only if agent is None else agent, or_default=or_default)
        warnings = (await judge(connection, names)).check()
        new = replace(wanted(id=new_id, agent_id=chosen.id), tasks=tasks)
        created = await creation.create(connection, new, ring_seconds=baton.settings.relay_after_seconds)
        return StartResult(new, chosen, created, warnings, replayed=False)

    async def again(connection: Connection, execution_id: UUID) -> StartResult:
        found = await creation.created(connection, who.tenant_id, execution_id)
        if found is None:
            raise ExecutionNotFound("what was started under this Idempotency-Key has been deleted")
        first = found.filled(wanted(id=execution_id, agent_id=found.agent.id))
        warnings = (await judge(connection, names)).told()
        return StartResult(first, found.agent, found.created, warnings, replayed=True)

    faultpoints.at(faultpoints.START_CHECKED)
    started = await once(baton.pool, start, new_id, make, again)
    faultpoints.at(faultpoints.START_COMMITTED)
    return started


async def _with_queue(baton: Baton, started: StartResult) -> StartResult:
    """What was started, and whether a worker will do it: asked last, so that only the reply waits for it."""
    unserved = await baton.queues.unserved(started.new.queue)
    return replace(started, unserved=unserved, warnings=(*started.warnings, unserved)) if unserved else started


async def _chosen(connection: Connection, who: Principal, agent: AgentReference, *, or_default: bool) -> AgentRef:
    try:
        chosen = await find_agent(connection, who, agent)
    except AgentNotFound:
        if not or_default:
            raise
        chosen = await find_agent(connection, who, None)
    return AgentRef(chosen.id, chosen.number, chosen.name)


def _check_tools(names: tuple[str, ...]) -> None:
    for name in names:
        check_text(name, _GRANTS[-1], longest=_ID_CHARACTERS)


def _first_line(prompt: str) -> str:
    line = next(line.strip() for line in prompt.splitlines() if line.strip())
    return line if len(line) <= _TITLE_CHARACTERS else line[: _TITLE_CHARACTERS - 1].rstrip() + "…"
