"""The values of labels. Each makes series of its own, which are kept for as long as a process lives: there is an end to
the values of every label, whoever chooses them."""

from typing import Final
from uuid import UUID

#: What stands for all values beyond those that are told apart.
OTHER: Final = "other"


class Bounded:
    """A label whose values others choose: the first ``most`` are told apart, one name stands for the rest."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        """The label's value for ``value``."""
        if value in self._known:
            return value
        if len(self._known) >= self.most:
            return OTHER
        self._known.add(value)
        return value


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
