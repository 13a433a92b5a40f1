"""The one set-up of logging for all processes of Baton: to stderr, as text or as JSON, with the ids of what was being
done, and nothing in it that people or agents wrote.

Of what a library says of an error only its type and place are written, of the Temporal SDK's core only what is known to
be nobody's words: a message or a failure might hold what a user wrote.
"""

import json
import logging
import logging.config
import re
import traceback
from collections.abc import Collection, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

Level: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LogFormat: TypeAlias = Literal["text", "json"]

#: The loggers that are ours. They know what may be logged; others do not.
_OURS: Final = ("baton", "api", "activities", "workflows", "worker")
#: Others that say what a process does, from INFO on: below it Temporal's prints what is in a signal.
_HEARD: Final = ("uvicorn", "temporalio")
_LINE: Final = "%(asctime)s %(levelname)s %(name)s[%(process)d] %(message)s"
_ids: ContextVar[Mapping[str, str]] = ContextVar("ids")

#: How the ids of tasks' workflows begin; what follows is the task's.
_OF_TASK: Final = "task-"
#: What the core adds to a message and may be repeated.
_CORE_FIELDS: Final = ("run_id", "workflow_id", "task_queue", "namespace", "activity_id", "activity_type", "attempt")
_GRPC_CODE: Final = re.compile(r"\bcode: (\w+)")


def configure(level: Level, tools: Iterable[str] = (), *, form: LogFormat = "text") -> None:
    """Log what is at ``level`` or above. Libraries are heard from WARNING on: below it some log whole requests.

    ``tools``: modules of the deployer's own, whose loggers are trusted like ours. ``form``: of each line.
    """
    trusted = {name.partition(".")[0] for name in (*_OURS, *tools)}
    line = JsonLine if form == "json" else TextLine
    logging.captureWarnings(True)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": lambda: line(trusted)}},
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


def _at_least(lowest: Level, level: Level) -> str:
    return logging.getLevelName(max(logging.getLevelNamesMapping()[lowest], logging.getLevelNamesMapping()[level]))


def about(**ids: str) -> None:
    """From here on, until the task of this context ends, lines are about what these ids name: `request_id`,
    `workflow_id`, `task_id`, …"""
    _ids.set({**_ids.get({}), **ids})


def whereabouts(error: BaseException) -> str:
    """What may be logged of an unexpected error, since its message might hold what a user wrote: its type and the
    frames that it came through, without any value."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    cause = f"caused by {whereabouts(error.__cause__)}" if error.__cause__ else ""
    return f"{type(error).__name__}\n{frames}{cause}"


class TextLine(logging.Formatter):
    """A line of text, with ids at its end."""

    def __init__(self, trusted: Collection[str]) -> None:
        """``trusted``: top-level names of loggers that know what may be logged of an error."""
        super().__init__(_LINE)
        self._trusted = trusted

    def format(self, record: logging.LogRecord) -> str:
        """The text of ``record``."""
        if told := _error_of(record, self._trusted):
            record.exc_text = told
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without an error."""
        line, ids = super().formatMessage(record), _ids_of(record)
        return f"{line} ({', '.join(f'{name}={value}' for name, value in ids.items())})" if ids else line


class JsonLine(logging.Formatter):
    """A JSON object in a line: `time` (RFC 3339, UTC), `level`, `logger`, `process`, `message`, ids, and `error`."""

    def __init__(self, trusted: Collection[str]) -> None:
        """See `TextLine`."""
        super().__init__()
        self._trusted = trusted

    def format(self, record: logging.LogRecord) -> str:
        """The object of ``record``."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **_ids_of(record),
        }
        if error := _error_of(record, self._trusted) or (record.exc_info and self.formatException(record.exc_info)):
            line["error"] = error
        return json.dumps(line, ensure_ascii=False)


def _error_of(record: logging.LogRecord, trusted: Collection[str]) -> str | None:
    """What is written of an error that a library logs; None where there is none, or the logger is trusted."""
    if record.exc_info and record.exc_info[1] and record.name.partition(".")[0] not in trusted:
        return whereabouts(record.exc_info[1])
    return None


def _ids_of(record: logging.LogRecord) -> Mapping[str, str]:
    """The ids of what was done: by the context, or by what Temporal's SDK knows of the workflow or in its core."""
    if (core := getattr(record, "temporal_log", None)) is not None:
        return _core_ids(core.fields)
    if (workflow := getattr(record, "temporal_workflow", None)) is not None:
        return _with_task({"workflow_id": workflow["workflow_id"], "run_id": workflow["run_id"]})
    return _with_task(_ids.get({}))


def _with_task(ids: Mapping[str, str]) -> Mapping[str, str]:
    task = ids.get("workflow_id", "")
    return {**ids, "task_id": task.removeprefix(_OF_TASK)} if task.startswith(_OF_TASK) else ids


def _core_ids(fields: Mapping[str, object]) -> Mapping[str, str]:
    ids = {name: str(fields[name]) for name in _CORE_FIELDS if name in fields}
    code = _GRPC_CODE.search(str(fields.get("error", "")))
    return ids | ({"code": code[1]} if code else {})
