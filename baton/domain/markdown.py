"""Text that others wrote, in Markdown that Baton writes: Temporal's UI renders what its workflows show.

What a model asks must not become a link, a picture or a heading on the page of those who decide. Renderers differ in
what a backslash escapes, and most make links of bare addresses after that. So nothing is escaped: such text stands
between backticks, of which it has none of its own, and no renderer looks for anything there.
"""

import re
import textwrap
import unicodedata
from typing import Final

#: Text of these alone means nothing in Markdown: letters, digits, and marks between words.
_PLAIN: Final = re.compile(r"(?!\d+[.)])[^\W_](?:[^\W_]|[ ,'();]|[-.](?=[ \d])|:(?= ))*")
#: Temporal's UI, and Baton's workflows, put other text in the place of these.
_PLACEHOLDERS: Final = re.compile(r"\{(?=(?:namespace|workflowId|runId|task)\})")
#: A paragraph with nothing to see: Temporal's UI cuts off the last one.
LAST_LINE: Final = "\N{NO-BREAK SPACE}"
_LINE_CHARACTERS: Final = 80
_LINES: Final = re.compile(r"\r\n|[\r\n\u2028\u2029]")


def shortened(text: str, characters: int) -> str:
    """``text``, or its beginning and an ellipsis, in so many characters."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "…"


def plain(text: str, characters: int) -> str:
    """``text`` in one line: as it is where that means nothing in Markdown, else as `code`."""
    line = shortened(_line(text), characters)
    return line if _PLAIN.fullmatch(line.removesuffix("…")) else code(text, characters)


def code(text: str, characters: int) -> str:
    """``text`` in one line, between backticks; "(empty)" where there is nothing to see in it."""
    line = shortened(_line(text), characters)
    return f"`{line}`" if line else "(empty)"


def block(text: str, characters: int) -> str:
    """``text`` with its lines, as a block of code. Long lines are broken: Temporal's UI would show their beginning."""
    seen = "\n".join(_visible(line).rstrip() for line in _LINES.split(text)).strip("\n")
    lines = [part for line in shortened(seen, characters).split("\n") for part in _broken(line)]
    return "\n".join(("```", *lines, "```"))


def _broken(line: str) -> list[str]:
    return textwrap.wrap(line, _LINE_CHARACTERS, drop_whitespace=True, break_on_hyphens=False) or [""]


def _line(text: str) -> str:
    return " ".join(_visible(text).split())


def _visible(text: str) -> str:
    """``text`` without backticks, and without what controls how others are shown, such as marks of direction."""
    seen = "".join(
        " " if character.isspace() else character
        for character in text.replace("`", "'")
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cs")
    )
    return _PLACEHOLDERS.sub("{ ", seen)
