"""Where Baton is and with which key: said on the command line, in the environment, or by a `baton dev` that runs."""

import os
from collections.abc import Mapping
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


def state_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where `baton dev` says, while it runs, where it is: the object of its `--json` line, for its user's eyes only."""
    home = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "baton" / "dev.json"


def find_server(url: str | None, key: str | None, environment: Mapping[str, str] = os.environ) -> Server:
    """What was given on the command line or in `BATON_URL` and `BATON_API_KEY`; else what a running `baton dev` wrote.

    The key of `baton dev` is never sent to another server than its own. Raises UsageError for a URL that is none.
    """
    url = url or environment.get("BATON_URL")
    key = key or environment.get("BATON_API_KEY")
    dev = _running_dev(state_file(environment))
    if dev is not None and (url is None or url.rstrip("/") == dev.url):
        return Server(dev.url, key or dev.api_key)
    url = (url or DEFAULT_URL).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"the server's URL must begin with http:// or https://, not {url!r}")
    return Server(url, key or "")


def _running_dev(file: Path) -> Server | None:
    """What the state file says; None if there is none, or it cannot be read."""
    try:
        said = orjson.loads(file.read_bytes())
        return Server(str(said["url"]).rstrip("/"), str(said["api_key"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
