"""The values of labels. Each makes series of its own, which are kept for as long as a process lives: there is an end to
the values of every label, whoever chooses them."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

#: What stands for all values beyond those that are told apart.
OTHER: Final = "other"


class Bounded:
    """A label whose values others choose: the first ``most`` are told apart, one name stands for the rest.

    Whoever makes values up cannot make one that is real end among the rest: what the deployer has chosen is always told
    apart, and what nobody knows to be real has half of the places.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._told: dict[str, bool] = {}  #: whether it is real
        self._always: set[str] = set()

    def know(self, values: Iterable[str]) -> None:
        """Always tell these apart: the deployer has chosen them, so that they are few."""
        self._always.update(values)

    def __call__(self, value: str, *, is_real: bool = True) -> str:
        """The label's value for ``value``. ``is_real``: it is known that there is such a one."""
        if value in self._always or self._told.get(value):
            return value
        if value not in self._told and not self._has_place(is_real=is_real):
            return OTHER
        self._told[value] = is_real
        return value

    def _has_place(self, *, is_real: bool) -> bool:
        doubtful = 0 if is_real else len(self._told) - sum(self._told.values())
        return len(self._told) < self.most and doubtful < (self.most + 1) // 2


class TenantLabel:
    """Tenants are told apart only where a deployer wants that, the first so many of them. Else the label is empty,
    which for Prometheus is as good as none."""

    def __init__(self) -> None:
        self._ids: Bounded | None = None

    @property
    def is_told(self) -> bool:
        """Whether tenants are told apart."""
        return self._ids is not None

    def tell(self, most: int) -> None:
        """Tell so many tenants apart from now on; 0: none."""
        self._ids = Bounded(most) if most else None

    def __call__(self, tenant_id: UUID | None) -> str:
        """The label's value for a tenant, whose id it is."""
        return "" if self._ids is None or tenant_id is None else self._ids(str(tenant_id))


tenant: Final = TenantLabel()
model: Final = Bounded(50)
tool: Final = Bounded(100)
queue: Final = Bounded(50)
