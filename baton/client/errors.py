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
    """A command cannot go on. ``message`` is for a person: a line, or one for each thing that is wrong with a file."""

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
    """The server said no. ``code`` is Baton's stable error code, ``problem`` the whole problem+json document.

    ``problems``: what is wrong with each part of the request: the path to it (`body` first), and why.
    """

    exit_code = EXIT_REFUSED

    def __init__(self, status: int, problem: dict[str, Any], message: str = "") -> None:
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code") or "")
        problems: list[Any] = problem.get("problems") or problem.get("errors") or []
        self.problems = [_problem(item) for item in problems]
        super().__init__(message or _line(status, problem, self.problems))


def _problem(item: Any) -> tuple[tuple[str | int, ...], str]:
    if not isinstance(item, dict):
        return (), str(item)
    known = cast("dict[str, Any]", item)
    where = known.get("where") or known.get("loc")
    message = known.get("message") or known.get("msg") or known.get("detail") or known
    return tuple(cast("list[Any]", where)) if isinstance(where, list) else (), str(message)


def _line(status: int, problem: dict[str, Any], problems: list[tuple[tuple[str | int, ...], str]]) -> str:
    """The problem as one line: what happened, then what is wrong with each part of the request, unless it was said."""
    said = str(problem.get("detail") or problem.get("title") or "").strip() or f"the server answered {status}"
    details: list[str] = []
    for where, message in problems:
        if message not in said:
            path = ".".join(str(step) for step in where if step != "body")
            details.append(f"{path}: {message}" if path else message)
    if details:
        joint = ": " if len(details) == len(problems) else "; "
        said = f"{said.rstrip('.:')}{joint}{'; '.join(details)}"
    return " ".join(said.split())
