"""What happens, as lines that stay: the same in a live view's scrollback and in plain output."""

from collections.abc import Callable
from datetime import timedelta

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from baton.cli.view.answers import labelled, rule_of
from baton.cli.view.texts import clock, mark_of, since
from baton.client.address import address_of
from baton.client.board import Board
from baton.client.board_task import BoardTask
from baton.client.happenings import Answered, Began, Ended, Happening, Noted, QuestionOpened, Said, ToolUsed
from baton.domain.conversation import Question
from baton.runtime.terminal import harmless, one_line


class Narrator:
    """Turns happenings into lines. Remembers what was said, so that a result is not told twice.

    ``how_to_answer``: name the command that answers, below each question. ``us``: what to call who
    answers here; ``is_ours`` says whether an answer is from here.
    """

    def __init__(self, board: Board, *, how_to_answer: bool, us: str, is_ours: Callable[[Answered], bool]) -> None:
        self.board = board
        self._us = us
        self._is_ours = is_ours
        self._how_to_answer = how_to_answer
        self._last_said: dict[str, str] = {}

    def tell(self, happening: Happening) -> RenderableType:
        """The lines that tell it."""
        task = happening.task
        match happening:
            case Began(again=again):
                with_whom = f" with {one_line(task.agent)}" if task.agent and not again else ""
                return self._line(task, ("goes on" if again else "started") + with_whom, "cyan")
            case Said(text=text, cut_off=cut_off):
                self._last_said[task.id] = text
                return self._lines(
                    task, "was interrupted while saying" if cut_off else "", "", Text(harmless(text).strip())
                )
            case ToolUsed(name=name, arguments=arguments):
                given = one_line(str(arguments)) if arguments else ""
                return self._line(task, f"uses {one_line(name)}", "cyan", given)
            case QuestionOpened(question=question):
                return self._lines(task, "asks", "bold yellow", self._question(task, question))
            case Answered(text=text, sender=sender, answers=answers):
                who = self._us if self._is_ours(happening) else one_line(sender) or "somebody"
                what = "was answered by" if answers else "got a message from"
                return self._lines(task, f"{what} {who}", "green", Text(harmless(text).strip(), style="bold"))
            case Noted(text=text):
                return self._line(task, one_line(text), "magenta")
            case Ended(state=state, result=result, error=error):
                return self._end(task, str(state), result, error)

    def note(self, text: str, style: str = "magenta") -> RenderableType:
        """A line about the execution as a whole, or about our connection to it."""
        return Text.assemble((f"{self._clock():>7}  ", "dim"), (text, style))

    def _end(self, task: BoardTask, state: str, result: str | None, error: str | None) -> RenderableType:
        mark, style = mark_of(task.state)
        took = since(task.started_at, task.ended_at)
        told = f"{mark} {state}" + (f" after {took}" if took else "")
        if error:
            return self._line(task, told, style, error)
        # A model's last words usually are its result.
        if result and result.strip() not in self._last_said.get(task.id, ""):
            return self._lines(task, told, style, Text(harmless(result).strip()))
        return self._line(task, told, style)

    def _question(self, task: BoardTask, question: Question) -> RenderableType:
        lines: list[RenderableType] = [Text(harmless(question.text).strip(), style="bold")]
        lines += [Text.assemble((f" {label} ", "yellow"), one_line(choice)) for label, choice in labelled(question)]
        if rule := rule_of(question):
            lines.append(Text(rule, style="dim"))
        if self._how_to_answer:
            address = address_of(self.board.execution_id, task.position)
            lines.append(Text(f"baton send {address} TEXT", style="dim", no_wrap=True, overflow="fold"))
        return Group(*lines)

    def _line(self, task: BoardTask, told: str, style: str, more: str = "") -> RenderableType:
        number = f"{task.position} " if self.board.is_plan else ""
        return HeadLine(self._clock(), number, one_line(task.title), Text(told, style), more)

    def _lines(self, task: BoardTask, told: str, style: str, body: RenderableType) -> RenderableType:
        return Group(self._line(task, told, style), Barred(body, style or "dim"))

    def _clock(self) -> str:
        start, now = self.board.started_at, self.board.now
        return clock(now - start if start is not None and now is not None else timedelta())


class HeadLine:
    """When, who and what, on one line: the title gives way first, then what explains."""

    def __init__(self, clock: str, number: str, title: str, told: Text, more: str) -> None:
        self._clock = Text(f"{clock:>7}  ", style="dim")
        self._name = Text(f"{number}{title}", style="bold")
        self._told = told
        self._more = Text(more, style="dim")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        name = self._name.copy()
        rest = Text("  ").join([part for part in (self._told, self._more) if part])
        gap = Text("  " if rest else "")
        name.truncate(max(options.max_width - 9 - gap.cell_len - rest.cell_len, 20), overflow="ellipsis")
        yield Text.assemble(self._clock, name, gap, rest, no_wrap=True, overflow="ellipsis")


class Barred:
    """A renderable with a bar at its left, below a head line."""

    def __init__(self, body: RenderableType, style: str) -> None:
        self._body = body
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - 11, 8)
        bar = Segment("│ ", console.get_style(self._style))
        for line in console.render_lines(self._body, options.update(width=width, height=None), pad=False):
            yield Segment(" " * 9)
            yield bar
            yield from line
            yield Segment.line()
