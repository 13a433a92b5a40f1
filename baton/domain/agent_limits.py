"""What bounds an agent's work in one task: kept with the agent as data."""

from baton.domain.allowance import LIMITS
from baton.domain.errors import InvalidInput
from baton.domain.json import JsonObject


def check_limits(limits: JsonObject, where: tuple[str | int, ...] = ("body", "limits")) -> None:
    """Raises `InvalidInput` for limits that are not known, or are no positive numbers."""
    for name, value in limits.items():
        whole = LIMITS.get(name)
        if whole is None:
            raise InvalidInput(f"a limit must be one of {', '.join(LIMITS)}", (*where, name))
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or value <= 0:
            raise InvalidInput(f"{name} must be a positive {'whole ' * whole}number", (*where, name))
