"""The question that is asked now, with its choices and the line being typed, as lines of a live view."""

from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from baton.cli.view.answers import labelled, rule_of
from baton.cli.view.desk import Ask
from baton.cli.view.typist import InputLine
from baton.runtime.terminal import harmless, one_line

_MOST_QUESTION_LINES: Final = 6
_MOST_TYPED_LINES: Final = 5
_MOST_CHOICES: Final = 9


def panel(
    ask: Ask, line: InputLine, *, waiting: int, is_plan: bool, console: Console, height: int
) -> tuple[list[Text], tuple[int, int]]:
    """The lines, and where the cursor is in them: row, cell. At most ``height`` lines, but never fewer than three.

    ``waiting``: how many questions are open in all.
    """
    width = console.width - 1
    inner = max(width - 4, 8)
    typed, row, column = rows(line.text, line.cursor_position, inner - 2, _MOST_TYPED_LINES)
    room = max(height - 2 - len(typed), 0)
    above = _above(ask, line.chosen, inner, console)
    if len(above) > room:
        above = [*above[: max(room - 1, 0)], Text("… all of it is above", style="dim")][:room]
    name = f"{ask.task.position} {one_line(ask.task.title)} asks" if is_plan else f"{one_line(ask.task.title)} asks"
    lines = [_edge("╭", "╮", name, f"1 of {waiting}" if waiting > 1 else "", width)]
    lines += [_inside(text, inner) for text in above]
    for index, text in enumerate(typed):
        lead = Text("❯ " if index == 0 else "  ", style="bold yellow")
        lines.append(_inside(Text.assemble(lead, text), inner))
    lines.append(_edge("╰", "╯", "", _help(ask, waiting), width))
    return lines, (1 + len(above) + row, 2 + 2 + column)


def rows(text: str, cursor: int, width: int, most: int) -> tuple[list[str], int, int]:
    """``text`` in rows, and where the cursor is: row, cell.

    At most ``most`` rows, those around the cursor, of at most ``width`` cells (3 or more), the last for the cursor.
    """
    width = max(width, 3)  # a wide character, and the cursor
    lines, row, column = [""], 0, 0
    for index, character in enumerate(text):
        if index == cursor:
            row, column = len(lines) - 1, cell_len(lines[-1])
        if character == "\n":
            lines.append("")
        elif cell_len(lines[-1]) + cell_len(character) > width - 1:
            lines.append(character)
        else:
            lines[-1] += character
    if cursor >= len(text):
        row, column = len(lines) - 1, cell_len(lines[-1])
    elif column >= width - 1:  # the character under the cursor went on to the next row
        row, column = row + 1, 0
    first = max(0, min(row - most + 1, len(lines) - most))
    return lines[first : first + most], row - first, column


def _above(ask: Ask, chosen: int | None, inner: int, console: Console) -> list[Text]:
    question = list(Text(harmless(ask.question.text).strip(), style="bold").wrap(console, inner))
    if len(question) > _MOST_QUESTION_LINES:
        question = [*question[: _MOST_QUESTION_LINES - 1], Text("… all of it is above", style="dim")]
    choices = [
        Text.assemble((f" {label} ", "bold yellow"), (one_line(choice), "reverse" if index == chosen else ""))
        for index, (label, choice) in enumerate(labelled(ask.question))
    ]
    if len(choices) > _MOST_CHOICES:
        first = max(0, min((chosen or 0) - _MOST_CHOICES // 2, len(choices) - _MOST_CHOICES))
        count = len(choices)
        choices = choices[first : first + _MOST_CHOICES]
        choices.append(Text(f"   {first + 1} to {first + _MOST_CHOICES} of {count}", style="dim"))
    lines = question + choices
    if rule := rule_of(ask.question):
        lines.append(Text(rule, style="dim"))
    if ask.trouble:
        lines += Text(one_line(ask.trouble), style="red").wrap(console, inner)[:3]
    return lines


def _help(ask: Ask, waiting: int) -> str:
    parts = ["Enter sends"]
    if choices := labelled(ask.question):
        parts.append(
            f"{choices[0][0]}–{choices[-1][0]} or ↑↓ chooses" if len(choices) > 1 else f"{choices[0][0]} chooses"
        )
    if waiting > 1:
        parts.append("Tab: the next")
    parts.append("Ctrl-C leaves")
    return " · ".join(parts)


def _edge(left: str, right: str, title: str, remark: str, width: int) -> Text:
    """A line of the frame, with a title in it at the left and a remark at the right, as far as there is room."""
    remark = f" {remark} " if remark else ""
    if cell_len(remark) > width - 6:
        remark = ""
    name = Text(f" {title}" if title else "", style="bold yellow")
    name.truncate(max(width - 5 - cell_len(remark), 0), overflow="ellipsis")
    name.append(" " if title else "")
    rule = "─" * max(width - 4 - name.cell_len - cell_len(remark), 0)
    return Text.assemble((f"{left}─", "yellow"), name, (rule, "yellow"), (remark, "dim"), (f"─{right}", "yellow"))


def _inside(line: Text, inner: int) -> Text:
    line.truncate(inner, overflow="ellipsis", pad=True)
    return Text.assemble(("│ ", "yellow"), line, (" │", "yellow"))
