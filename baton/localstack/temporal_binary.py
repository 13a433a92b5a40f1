"""Find or fetch the program that is the local Temporal server: Temporal's own command line, `temporal`.

Run as a module (`python -m baton.localstack.temporal_binary`) it makes sure that there is one and prints its path.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from baton.localstack.part import PartFailed
from baton.localstack.spawn import kill_group, spawn, tail
from baton.runtime.terminal import print_text, say

#: The last release that `go install` accepts: newer ones carry a replace directive.
GO_MODULE: Final = "github.com/temporalio/cli/cmd/temporal@v1.5.1"
_DOWNLOAD_SITE: Final = "https://temporal.download/cli/default"
_DOWNLOAD_SECONDS: Final = 180.0
_PROBE_SECONDS: Final = 5.0
_BUILD_SECONDS: Final = 3600.0

Tell = Callable[[str], None]


def cache_directory() -> Path:
    """Where what was fetched once is kept, outside the checkout: `$XDG_CACHE_HOME/baton`, else `~/.cache/baton`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root and Path(root).is_absolute() else Path.home() / ".cache") / "baton"


async def ensure_temporal(say: Tell) -> Path:
    """A `temporal` that runs: on PATH, in the cache, else downloaded by the SDK, else built with Go (minutes, once).

    ``say`` is told what takes long. Only one process at a time fetches; others wait for it. Raises PartFailed with
    what to do about it.
    """
    cached = cache_directory() / "temporal"
    found = await _first_that_runs(cached)
    if found is not None:
        return found
    async with _locked(cache_directory() / "temporal.lock", say):
        found = await _first_that_runs(cached)  # whoever had the lock may have brought it
        if found is not None:
            return found
        reasons: list[str] = []
        for fetch in (_download, _build):
            with tempfile.TemporaryDirectory(dir=cache_directory(), prefix="fetching-") as work:
                fetched = await fetch(Path(work), say, reasons)
                if fetched is not None and await _runs(fetched):
                    fetched.chmod(0o755)
                    fetched.replace(cached)
                    say(f"The Temporal server is now cached in {cached}.")
                    return cached
    raise PartFailed(
        "No Temporal server is available:\n"
        + "\n".join(f"  - {reason}" for reason in reasons)
        + "\nInstall `temporal` (https://docs.temporal.io/cli) or Go, or set TEMPORAL_ADDRESS to a running server."
    )


async def _first_that_runs(cached: Path) -> Path | None:
    on_path = shutil.which("temporal")
    for candidate in (Path(on_path) if on_path else None, cached):
        if candidate is not None and await _runs(candidate):
            return candidate
    return None


async def _runs(program: Path) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            str(program), "--version", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:  # not there, not executable, for another machine
        return False
    try:
        return await asyncio.wait_for(process.wait(), 20) == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False


async def _download(work: Path, say: Tell, reasons: list[str]) -> Path | None:
    """The SDK's own download, in a process of its own: where packets vanish it would hang, so it gets a deadline."""
    if not await _answers(_DOWNLOAD_SITE):
        reasons.append("the SDK's download: temporal.download cannot be reached")
        return None
    say(f"Downloading the Temporal server (about 100 MB, time limit {_DOWNLOAD_SECONDS:.0f} s) …")
    log = work / "download.log"
    command = [sys.executable, "-m", "baton.localstack.sdk_download", str(work)]
    if await _run(command, log, _DOWNLOAD_SECONDS, dict(os.environ), None) != 0:
        reasons.append(f"the SDK's download failed: {_last_line(log)}")
        return None
    return _downloaded(work)


def _downloaded(work: Path) -> Path | None:
    return next(work.glob("temporal-sdk-python-*"), None)


async def _answers(url: str) -> bool:
    import httpx

    try:
        async with asyncio.timeout(_PROBE_SECONDS), httpx.AsyncClient() as client:
            answer = await client.head(url)
    except (httpx.HTTPError, TimeoutError):
        return False
    return answer.status_code < 500 and answer.status_code != 407


async def _build(work: Path, say: Tell, reasons: list[str]) -> Path | None:
    go = shutil.which("go")
    if go is None:
        reasons.append("building it: there is no `go` on PATH")
        return None
    log = work / "build.log"
    say(f"Building the Temporal server with Go: {GO_MODULE}. This takes about five minutes, once per machine …")
    environment = {**os.environ, "GOBIN": str(work)}
    command = [go, "install", "-v", "-ldflags=-s -w", GO_MODULE]
    started = time.monotonic()

    def progress() -> None:
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        compiled = sum(not line.startswith("go: ") for line in lines)
        what = f"{compiled} packages compiled" if compiled else f"{len(lines)} modules fetched"
        say(f"  … still building the Temporal server: {what}, {time.monotonic() - started:.0f} s")

    if await _run(command, log, _BUILD_SECONDS, environment, progress) != 0:
        reasons.append(f"building it with Go failed: {_last_line(log)}")
        return None
    return work / "temporal"


async def _run(
    command: list[str], log: Path, seconds: float, environment: Mapping[str, str], progress: Callable[[], None] | None
) -> int:
    """Run to the end, or to the deadline; returns the exit code. ``progress`` is called every 15 s."""
    process = await spawn(command, log=log, environment=environment)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            try:
                return await asyncio.wait_for(asyncio.shield(process.wait()), min(15.0, seconds))
            except TimeoutError:
                if progress is not None:
                    progress()
        return -signal.SIGKILL
    finally:
        kill_group(process.pid)
        await process.wait()


def _last_line(log: Path) -> str:
    lines = tail(log).splitlines()
    return lines[-1][:300] if lines else "it said nothing"


@asynccontextmanager
async def _locked(file: Path, say: Tell) -> AsyncGenerator[None, None]:
    """Hold the lock; the system takes it back from whoever dies."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        waited = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waited:
                    say("Another process is fetching the Temporal server; waiting for it …")
                    waited = True
                await asyncio.sleep(0.5)
        yield


if __name__ == "__main__":
    try:
        print_text(str(asyncio.run(ensure_temporal(say))))
    except PartFailed as failure:
        sys.exit(str(failure))
