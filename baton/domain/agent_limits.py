"""What bounds an agent's work, in a task or in a whole plan: data, given with the agent, the task or the plan."""

from baton.domain.allowance import LIMITS, OF_PLANS
from baton.domain.errors import InvalidInput
from baton.domain.json import JsonObject


def check_limits(
    limits: JsonObject, where: tuple[str | int, ...] = ("body", "limits"), *, of_plan: bool = False
) -> None:
    """Raises `InvalidInput` for limits that are not known, or are no positive numbers. ``of_plan``: those that all its
    tasks share."""
    known = [name for name in LIMITS if not of_plan or name in OF_PLANS]
    for name, value in limits.items():
        whole = LIMITS.get(name)
        if whole is None or name not in known:
            whose = "a plan's limit" if of_plan else "a limit"
            raise InvalidInput(f"{whose} must be one of {', '.join(known)}", (*where, name))
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or value <= 0:
            raise InvalidInput(f"{name} must be a positive {'whole ' * whole}number", (*where, name))
