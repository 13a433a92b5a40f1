"""The one set-up of logging for all processes of Baton: to stderr, and nothing in it that people or agents wrote."""

import logging
import logging.config
import traceback
from collections.abc import Collection, Iterable
from typing import Final, Literal, TypeAlias

Level: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

#: The loggers that are ours. They know what may be logged; others do not.
_OURS: Final = ("baton", "api", "activities", "workflows", "worker")
#: Others that say what a process does, from INFO on: below it Temporal's prints what is in a signal.
_HEARD: Final = ("uvicorn", "temporalio")
_LINE: Final = "%(asctime)s %(levelname)s %(name)s[%(process)d] %(message)s"


def configure(level: Level, tools: Iterable[str] = ()) -> None:
    """Log what is at ``level`` or above. Libraries are heard from WARNING on: below it some log whole requests.

    ``tools``: modules of the deployer's own, whose loggers are trusted like ours.
    """
    trusted = {name.partition(".")[0] for name in (*_OURS, *tools)}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": lambda: _Line(trusted)}},
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}
            },
            "root": {"level": _at_least("WARNING", level), "handlers": ["stderr"]},
            "loggers": {
                **{name: {"level": level} for name in trusted},
                **{name: {"level": _at_least("INFO", level)} for name in _HEARD},
            },
        }
    )


class _Line(logging.Formatter):
    """One line for a record, and for an error that a library logs where it came from, without its message."""

    def __init__(self, trusted: Collection[str]) -> None:
        super().__init__(_LINE)
        self._trusted = trusted

    def format(self, record: logging.LogRecord) -> str:
        """The text of ``record``."""
        if record.exc_info and record.exc_info[1] and record.name.partition(".")[0] not in self._trusted:
            record.exc_text = whereabouts(record.exc_info[1])
        return super().format(record)


def whereabouts(error: BaseException) -> str:
    """What may be logged of an unexpected error, since its message might hold what a user wrote: its type and the
    frames that it came through, without any value."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    cause = f"caused by {whereabouts(error.__cause__)}" if error.__cause__ else ""
    return f"{type(error).__name__}\n{frames}{cause}"


def _at_least(lowest: Level, level: Level) -> str:
    return logging.getLevelName(max(logging.getLevelNamesMapping()[lowest], logging.getLevelNamesMapping()[level]))
