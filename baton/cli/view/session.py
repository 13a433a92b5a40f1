"""Following one execution, whatever it is shown on."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from rich.console import RenderableType

from baton.cli.view.desk import Ask, Desk
from baton.cli.view.narrate import Narrator
from baton.client.board import Board
from baton.client.errors import EXIT_FAILED, EXIT_SUCCEEDED
from baton.client.happenings import Answered
from baton.client.http import Client
from baton.client.log import Entry
from baton.client.schemas.executions import ExecutionOut
from baton.client.stream import follow
from baton.domain.states import ExecutionState, TaskState


@dataclass(slots=True)
class Session:
    """An execution that is followed, by somebody who answers its questions (``desk``) or only looks (None).

    ``only``: the position of the one task that is of interest. ``trouble``: why there is no connection at the moment.
    ``give_up_seconds``: how long the server may be away before that ends it; None: for ever. ``us``: who answers here.
    """

    client: Client
    execution: ExecutionOut
    desk: Desk | None = None
    only: int | None = None
    give_up_seconds: float | None = None
    us: str = "you"
    trouble: str | None = None
    board: Board = field(init=False)
    narrator: Narrator = field(init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.board = Board(self.execution)
        self.narrator = Narrator(self.board, how_to_answer=self.desk is None, us=self.us, is_ours=self._is_ours)

    async def events(self) -> AsyncGenerator[tuple[Entry, list[RenderableType]]]:
        """Every event, applied to the board, with the lines that tell it. Ends when there is nothing left to follow.

        Raises Refused, and Unreachable once the server was away for too long.
        """
        async for entry in follow(
            self.client, str(self.execution.id), give_up_seconds=self.give_up_seconds, on_connection=self._connection
        ):
            happenings = self.board.apply(entry.event)
            told = [happening for happening in happenings if self.only in (None, happening.task.position)]
            lines = [self.narrator.tell(happening) for happening in told]
            if self.desk is not None and self.is_current:
                self.desk.look(self.board, self.only)
            self.touch()
            yield entry, lines
            if self.only is not None and self.is_current and self._only_task_state.is_over:
                return

    async def answer(self, desk: Desk, ask: Ask, typed: str) -> str | None:
        """Send an answer; None if it was taken, else why not, in a line."""
        receipt = await desk.answer(ask, typed)
        self.touch()
        return None if receipt is not None else ask.trouble

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once ``condition`` holds; it is looked at after every event, answer and `touch`."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def touch(self) -> None:
        """Something changed that somebody may wait for."""
        self._changed.set()

    @property
    def is_current(self) -> bool:
        """Whether all that had happened when we began has been taken in: only then a question is really open."""
        return self.board.seq >= self.execution.last_event

    @property
    def rests(self) -> bool:
        """Whether nothing will happen until a person does something, and nothing that we did is under way."""
        resting = self.board.state in (ExecutionState.WAITING, ExecutionState.PAUSED)
        return resting and self.is_current and not (self.desk is not None and self.desk.sending)

    @property
    def exit_code(self) -> int:
        """How it ended: whether the execution, or the one task, has succeeded."""
        if self.only is not None:
            return EXIT_SUCCEEDED if self._only_task_state is TaskState.SUCCEEDED else EXIT_FAILED
        return EXIT_SUCCEEDED if self.board.state is ExecutionState.SUCCEEDED else EXIT_FAILED

    @property
    def come_back(self) -> str:
        """The command that shows the execution again."""
        name = str(self.execution.id) if self.only is None else f"{self.execution.id}/{self.only}"
        return f"baton watch {name} --answer-here"

    @property
    def _only_task_state(self) -> TaskState:
        return next(task.state for task in self.board.tasks.values() if task.position == self.only)

    def _is_ours(self, answered: Answered) -> bool:
        return self.desk is not None and self.desk.has_sent(answered.answers, answered.text)

    def _connection(self, trouble: str | None) -> None:
        self.trouble = trouble
        self.touch()
