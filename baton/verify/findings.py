"""What can be wrong."""

from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """The figures that must be zero."""

    LOST = "lost"  #: acknowledged, and no agent has read it nor ever will
    DOUBLED = "doubled"  #: one message became two, or was read twice
    REORDERED = "reordered"  #: read, or numbered, in another order than it was sent
    UNFINISHED = "unfinished"  #: a message, task or execution that came to no end
    GAPS = "gaps"  #: an event missing, repeated or out of order, in the log or for a live reader
    DIFFERING = "differing"  #: two accounts of one thing: a receipt and its repeat, the log and its live reader
    UNSENT = "unsent"  #: never acknowledged, however often it was sent


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. ``where`` is the id of a task or an execution; ``what`` is a line for a person."""

    category: Category
    where: str
    what: str
