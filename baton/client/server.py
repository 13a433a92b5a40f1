"""Where Baton is and with which key: from the command line, from the environment, or from a running `baton dev`."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from baton.client.errors import UsageError

DEFAULT_URL: Final = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Server:
    """The root of a Baton server, and the key to present (empty: none)."""

    url: str
    api_key: str


@dataclass(frozen=True, slots=True)
class DevStack:
    """A `baton dev` that runs: where it was started (``directory``), and when (seconds since 1970)."""

    server: Server
    pid: int
    directory: Path
    started: float


def state_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where each `baton dev` says, while it runs, where it is: a file for each, for its user's eyes only."""
    home = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "baton" / "dev"


def find_server(
    url: str | None,
    key: str | None,
    environment: Mapping[str, str] = os.environ,
    directory: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Server:
    """What was given on the command line or in `BATON_URL` and `BATON_API_KEY`; else a `baton dev` that runs.

    Of several, it is the one that was started in ``directory`` (None: the current one) or above it, else the first;
    ``say`` is told which, and how to choose. The key of a `baton dev` is never sent to another server than its own.
    Raises UsageError for a URL that is none.
    """
    url = (url or environment.get("BATON_URL") or "").rstrip("/")
    key = key or environment.get("BATON_API_KEY")
    stacks = running_stacks(state_directory(environment))
    if url:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"the server's URL must begin with http:// or https://, not {url!r}")
        known = next((stack.server.api_key for stack in stacks if stack.server.url == url), "")
        return Server(url, key or known)
    if not stacks:
        return Server(DEFAULT_URL, key or "")
    here = directory or Path.cwd()
    chosen = next((stack for stack in stacks if here.is_relative_to(stack.directory)), stacks[0])
    if len(stacks) > 1:
        others = ", ".join(stack.server.url for stack in stacks if stack is not chosen)
        say(f"using {chosen.server.url}, started in {chosen.directory}; also running: {others} (choose with --url)")
    return Server(chosen.server.url, key or chosen.server.api_key)


def running_stacks(directory: Path) -> list[DevStack]:
    """Every `baton dev` that runs, the first one first."""
    found = [stack for file in directory.glob("*.json") if (stack := _stack(file)) is not None]
    return sorted(found, key=lambda stack: (stack.started, stack.pid))


def forget_ended_stacks(directory: Path) -> None:
    """Remove what a `baton dev` that was killed could not take back: its file has a key in it."""
    for file in directory.glob("*.json"):
        if _stack(file) is None:
            file.unlink(missing_ok=True)


def _stack(file: Path) -> DevStack | None:
    """What a state file says; None if it cannot be read, or its process is gone."""
    try:
        said = orjson.loads(file.read_bytes())
        server = Server(str(said["url"]).rstrip("/"), str(said["api_key"]))
        stack = DevStack(server, int(said["pid"]), Path(said["directory"]), float(said["started"]))
        os.kill(stack.pid, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return stack
