"""What a workflow is started with for people who look at it in Temporal's UI: its summary and its details, in Markdown.

They never change while it runs. Links within Temporal's UI are relative, so that they hold wherever that is served.
"""

import json
from dataclasses import dataclass
from typing import Final

from baton.domain.ids import PlanRoute, TaskRoute
from baton.domain.markdown import LAST_LINE, code, plain
from workflows.contracts import plan_workflow_id

#: Temporal refuses a start whose summary is longer than 400 bytes.
_SUMMARY_BYTES: Final = 380
_TITLE_CHARACTERS: Final = 80
_TITLE_LENGTHS: Final = (80, 60, 40, 20, 0)
_NAME_CHARACTERS: Final = 40


@dataclass(frozen=True, slots=True)
class UserMetadata:
    """A summary and details, as Temporal calls them together."""

    summary: str
    details: str


@dataclass(frozen=True, slots=True)
class Describing:
    """How workflows are described. ``words``: whether Temporal may have titles; ``public_url`` is the API's, "" for
    none; ``namespace`` is the one in which the workflows run."""

    words: bool = True
    public_url: str = ""
    namespace: str = "default"

    def task(self, route: TaskRoute, instead: str = "") -> UserMetadata:
        """Of a task's workflow. ``instead``: why it takes another run's place."""
        label = label_of(route)
        lines = [*self._title(route.title), f"{label} · tenant {code(route.tenant, _NAME_CHARACTERS)}"]
        if route.in_plan:
            lines.append(self._workflow("its plan", plan_workflow_id(str(route.execution_id))))
        lines += self._api(f"tasks/{route.task_id}")
        lines.append(f"```\nbaton explain {route.task_id}\nbaton watch {route.task_id}\n```")
        return UserMetadata(self._summary(route.title, label), _lines(instead, lines))

    def plan(self, route: PlanRoute, instead: str = "") -> UserMetadata:
        """Of a plan's workflow, with ``instead`` as in `task`."""
        label = "plan" if self.words else f"plan {route.execution_id}"
        lines = [*self._title(route.title), f"plan of tenant {code(route.tenant, _NAME_CHARACTERS)}"]
        lines += self._api(f"executions/{route.execution_id}")
        lines.append(f"```\nbaton watch {route.execution_id}\n```")
        return UserMetadata(self._summary(route.title, label), _lines(instead, lines))

    def _summary(self, title: str, label: str) -> str:
        """The longest that Temporal takes: of the title more or less, and the agent's name if that leaves room."""
        lengths = _TITLE_LENGTHS if self.words else (0,)
        first = label.partition(" · ")[0]
        wanted = [
            f"{plain(title, length)} · {said}" if length else said for said in (label, first) for length in lengths
        ]
        return next((said for said in wanted if len(json.dumps(said)) <= _SUMMARY_BYTES), first)

    def _title(self, title: str) -> list[str]:
        return [f"**{plain(title, _TITLE_CHARACTERS)}**"] if self.words else []

    def _api(self, path: str) -> list[str]:
        return [f"[{path}]({self.public_url}/baton/v1/{path})"] if self.public_url else []

    def _workflow(self, name: str, workflow_id: str) -> str:
        return f"[{name}](namespaces/{self.namespace}/workflows/{workflow_id})"


def label_of(route: TaskRoute) -> str:
    """Which task of its execution it is, and whose."""
    return f"task {route.position} · agent {plain(route.agent, _NAME_CHARACTERS)}"


def _lines(instead: str, lines: list[str]) -> str:
    return "\n\n".join(filter(None, (instead, *lines, LAST_LINE)))
