"""What the tests need to know of a dialect to ask of it what they ask of all: a module here for each, of its name.

A dialect without one, or with less than all of it, fails every test that asks all dialects.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, cast

import httpx

from api.dialects import all_dialects
from baton.domain.ids import TaskRoute
from baton.domain.states import SendMode
from tests.hostile.wire import Reply


@dataclass(frozen=True)
class Door:
    """A way in: how a message to a task is sent, and what says that it was taken.

    ``request`` is given the task's route, its integer, and its agent's; it returns a path and a body. ``send`` is the
    path as FastAPI has it. ``mode`` is the dialect's own.
    """

    name: str
    send: str
    request: Callable[[TaskRoute, int, int], tuple[str, dict[str, Any]]]
    taken: int
    mode: SendMode | None = None


@dataclass(frozen=True)
class Start:
    """How something is started: a path and a body in which `{agent}` and `{number}` stand for an agent's ids."""

    path: str
    body: Mapping[str, Any]
    status: int


@dataclass(frozen=True)
class Spoken:
    """A dialect, as its clients see it.

    ``reads`` is a path that any key may read. ``paths`` are some that are the dialect's, also such as no route has,
    ``others`` some that look so and are nobody's. ``told``: the code and the sentence in the body of an error; a
    dialect without codes names the one of its status. ``is_worded``: whether an error's body is in the dialect's shape.
    """

    title: str
    reads: str
    paths: tuple[str, ...]
    others: tuple[str, ...]
    start: Start
    doors: tuple[Door, ...]
    told: Callable[[Any], tuple[str, str]]
    is_worded: Callable[[Any, Reply], bool]

    def sentence(self, answer: httpx.Response) -> str:
        """What an error says."""
        return self.told(answer.json())[1]


#: By name, every dialect that is mounted.
SPOKEN: Final = {
    dialect.name: cast("Spoken", import_module(f"{__name__}.{dialect.name}").SPOKEN) for dialect in all_dialects()
}
