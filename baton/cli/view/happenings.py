"""What is worth telling about a task, in the order in which it came about."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from baton.cli.view.task import TaskView
from baton.domain.conversation import Question
from baton.domain.states import TaskState


@dataclass(frozen=True, slots=True)
class Started:
    """It runs. ``again``: it had rested before."""

    task: TaskView
    again: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A finished piece of the agent's text. ``cut_off``: an interrupt ended it early."""

    task: TaskView
    text: str
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """The agent called a tool."""

    task: TaskView
    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class Asked:
    """The agent asks a person."""

    task: TaskView
    question: Question


@dataclass(frozen=True, slots=True)
class Answered:
    """A message was accepted. ``answers`` are the ids of the questions that it closed; none: it was sent unasked."""

    task: TaskView
    text: str
    answers: tuple[str, ...]
    sender: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that explains what is seen next."""

    task: TaskView
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The task is over. ``error`` is a stable code."""

    task: TaskView
    state: TaskState
    result: str | None
    error: str | None


Happening: TypeAlias = Started | Said | ToolUsed | Asked | Answered | Noted | Ended
