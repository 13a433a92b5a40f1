"""What short answers to Baton's own questions mean: in any case, with or without quotes and a full stop around them."""

from typing import Final

_AROUND: Final = " \t\r\n.!\"'`“”‘’"
_STOPS: Final = frozenset({"stop", "stop here", "give up"})
_NOES: Final = frozenset({"no", "n"})


def plain(answer: str) -> str:
    """``answer`` as it is compared with what was offered. A longer one is more than a word, and means what it says."""
    return " ".join(answer.strip(_AROUND).casefold().split())


def is_choice(answer: str, choice: str) -> bool:
    """Whether ``answer`` is this one of the choices."""
    return plain(answer) == plain(choice)


def stops(answer: str) -> bool:
    """Whether ``answer`` is to stop, by whichever of the words Baton's questions offer for it."""
    return plain(answer) in _STOPS


def refuses(answer: str) -> bool:
    """The same for a question that "no" answers, too: one whether to go on."""
    return plain(answer) in _STOPS | _NOES
