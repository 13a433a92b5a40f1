"""The agents that a plan names for its tasks."""

from dataclasses import replace
from typing import Final

from baton.domain.agents import Principal
from baton.domain.errors import InvalidPlan
from baton.domain.likeness import meant, quoted
from baton.domain.plans import MOST_PROBLEMS, Plan, PlanTask
from baton.domain.views import AgentRef
from baton.service.visibility import find_agents
from baton.store import agents
from baton.store.creation import NewTask
from baton.store.pool import Connection

#: Comparing a wrong name costs some 0.1 ms a name.
_MOST_COMPARED: Final = 200


async def with_agents(
    connection: Connection, who: Principal, plan: Plan, tasks: tuple[NewTask, ...]
) -> tuple[NewTask, ...]:
    """The ``tasks`` of a plan, each with the agent that it names.

    Raises `InvalidPlan` where the caller has no such agent, and also where its key is for another one.
    """
    named = {task.agent.reference for task in plan.tasks if task.agent is not None}
    if not named:
        return tasks
    found = await find_agents(connection, who, named)
    if unknown := [task for task in plan.tasks if task.agent is not None and task.agent.reference not in found]:
        known = await agents.names(connection, who.bounds, limit=_MOST_COMPARED)
        first, *others = [_unknown(task, known) for task in unknown[:MOST_PROBLEMS]]
        raise InvalidPlan(first.message, first.task, first.where, tuple(others))
    chosen = {
        task.position: AgentRef(agent.id, agent.number, agent.name)
        for task in plan.tasks
        if task.agent is not None and (agent := found[task.agent.reference])
    }
    return tuple(replace(task, agent=chosen.get(task.position)) for task in tasks)


def _unknown(task: PlanTask, known: list[str]) -> InvalidPlan:
    assert task.agent is not None
    name = str(task.agent.reference)
    instead = meant(name, known)
    hint = f"; did you mean {instead!r}?" if instead else ""
    return InvalidPlan(f"task {task.position}: there is no agent {quoted(name)}{hint}", task.position, task.agent.where)
