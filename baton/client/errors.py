"""What can go wrong for a person at a terminal: one clear line each, and the exit code that says which kind it was."""

from typing import Any, Final, cast

EXIT_SUCCEEDED: Final = 0
EXIT_FAILED: Final = 1  #: the execution failed or was cancelled
EXIT_USAGE: Final = 2  #: the command line or the plan's file is wrong; nothing was sent
EXIT_WAITING: Final = 3  #: all that is left waits for an answer, and nobody here can give one
EXIT_REFUSED: Final = 4  #: the server said no
EXIT_UNREACHABLE: Final = 5  #: the server cannot be reached
EXIT_INTERRUPTED: Final = 130  #: Ctrl-C; the execution runs on
EXIT_TERMINATED: Final = 143  #: SIGTERM; the execution runs on


class ClientError(Exception):
    """A command cannot go on. ``message`` is one line for a person."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UsageError(ClientError):
    """What was typed does not fit; nothing was sent."""

    exit_code = EXIT_USAGE


class Unreachable(ClientError):
    """The server cannot be reached, or does not speak Baton's API. Whether a request was taken up is unknown."""

    exit_code = EXIT_UNREACHABLE


class Refused(ClientError):
    """The server said no. ``code`` is Baton's stable error code, ``problem`` the whole problem+json document."""

    exit_code = EXIT_REFUSED

    def __init__(self, status: int, problem: dict[str, Any], text: str = "") -> None:
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code") or "")
        super().__init__(_line(status, problem, text))


def _line(status: int, problem: dict[str, Any], text: str) -> str:
    """The problem as one line: what happened, then what is wrong with each part of what was sent."""
    said = str(problem.get("detail") or problem.get("title") or text).strip() or f"the server answered {status}"
    details: list[Any] = problem.get("problems") or problem.get("errors") or []
    if details:
        said = f"{said.rstrip('.:')}: {'; '.join(_detail(item) for item in details)}"
    return " ".join(said.split())


def _detail(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    detail = cast("dict[str, Any]", item)
    where = detail.get("loc") or detail.get("where")
    message = str(detail.get("msg") or detail.get("message") or detail.get("detail") or detail)
    if isinstance(where, list):
        where = ".".join(str(step) for step in cast("list[Any]", where) if step != "body")
    return f"{where}: {message}" if where else message
