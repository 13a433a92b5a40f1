"""What is worth telling about a task, in the order in which it came about."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from baton.client.board_task import BoardTask
from baton.domain.conversation import Question
from baton.domain.states import TaskState


@dataclass(frozen=True, slots=True)
class Began:
    """It runs. ``again``: it had rested before."""

    task: BoardTask
    again: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A finished piece of the agent's text. ``cut_off``: an interrupt ended it early."""

    task: BoardTask
    text: str
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """The agent called a tool."""

    task: BoardTask
    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class QuestionOpened:
    """The agent asks a person."""

    task: BoardTask
    question: Question


@dataclass(frozen=True, slots=True)
class Answered:
    """A message was accepted. ``answers`` are the ids of the questions that it closed; none: it was sent unasked."""

    task: BoardTask
    text: str
    answers: tuple[str, ...]
    sender: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that explains what is seen next."""

    task: BoardTask
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The task is over. ``error`` is a stable code."""

    task: BoardTask
    state: TaskState
    result: str | None
    error: str | None


Happening: TypeAlias = Began | Said | ToolUsed | QuestionOpened | Answered | Noted | Ended
