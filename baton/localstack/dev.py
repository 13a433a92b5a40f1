"""`baton dev` from its first line to its last."""

import asyncio
import fcntl
import json
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from baton.client.server import forget_ended_stacks, state_directory
from baton.localstack.part import PartFailed
from baton.localstack.stack import Ready, Stack
from baton.localstack.summary import print_summary
from baton.runtime.listener import listen
from baton.runtime.process import leave
from baton.runtime.terminal import print_json, say

_STARTED: Final = time.time()


@dataclass(frozen=True, slots=True)
class DevOptions:
    """What was asked for on the command line.

    ``port`` None: the usual one if it is free; ``data`` None: a temporary directory; ``demo`` is played once the stack
    is ready and returns an exit code; ``model``: what the default agent's is to be, None: what it is.
    """

    host: str
    port: int | None
    data: Path | None
    json: bool
    demo: Callable[[Ready], Awaitable[int]] | None
    stay: bool
    task_queue: str
    model: str | None = None


async def run(options: DevOptions) -> int:
    """Bring the stack up, stay until SIGTERM, Ctrl-C or a hangup (or the demo's end), take it down.

    Returns the exit code: 0 when it was told to stop, 1 if it could not start. A second signal ends it at once.
    """
    told_to_stop = asyncio.Event()
    _on_signals(told_to_stop)
    try:
        with _data_directory(options.data) as directory:
            listener = _listen(options)
            stack = Stack(
                directory, listener, options.task_queue, say, lambda: _keep_notes(directory, stack), options.model
            )
            try:
                await _until(told_to_stop, _bring_up_and_stay(stack, options, directory))
            finally:
                say("Stopping …")
                _drop_note()
                await stack.stop()
                listener.close()
    except PartFailed as failure:
        say(f"\n{failure}")
        return 1
    return 0


async def _bring_up_and_stay(stack: Stack, options: DevOptions, directory: Path) -> None:
    say("Starting PostgreSQL, Temporal, the API and a worker …")
    await stack.start()
    _keep_notes(directory, stack)
    ready = stack.ready
    assert ready is not None
    if options.json:
        print_json(ready.as_json(), indent=False)
    else:
        print_summary(ready, directory, temporary=options.data is None, model=options.model)
    watching = asyncio.create_task(stack.watch())
    try:
        if options.demo is not None:
            code = await options.demo(ready)
            if code and not options.stay:
                raise PartFailed(f"the demo failed; the logs are in {directory}")
        if options.stay:
            await watching
    finally:
        watching.cancel()


async def _until(told_to_stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do ``work`` until it ends, fails, or we are told to stop."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(told_to_stop.wait())
    await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not working.done():
        working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    if not working.cancelled():
        working.result()


def _on_signals(told_to_stop: asyncio.Event) -> None:
    def told() -> None:
        if told_to_stop.is_set():
            leave(1)  # the children die with us
        told_to_stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told)


def _listen(options: DevOptions) -> socket.socket:
    port = 8080 if options.port is None else options.port
    try:
        return listen(options.host, port)
    except OSError as error:
        if options.port is None:  # nobody asked for this one
            say(f"Port {port} is in use ({error.strerror}); the API will use another one")
            return listen(options.host, 0)
        raise PartFailed(f"the API cannot listen on {options.host}:{port}: {error.strerror}") from error


@contextmanager
def _data_directory(wanted: Path | None) -> Generator[Path]:
    """The directory for all data, locked against a second stack; a temporary one is removed at the end."""
    if wanted is None:
        directory = Path(tempfile.mkdtemp(prefix="baton-dev-"))
        yield directory
        shutil.rmtree(directory, ignore_errors=True)  # not after a failure: its message points to the logs
        return
    directory = wanted.expanduser().resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PartFailed(f"another `baton dev` is using {directory}") from None
        yield directory


def _keep_notes(directory: Path, stack: Stack) -> None:
    """Keep two copies of the line that --json prints, with the process ids of now: `stack.json` in the data directory,
    and, with what tells it from others, the file by which the other commands find this stack."""
    ready = stack.ready
    if ready is not None:
        _write_private(directory / "stack.json", json.dumps(ready.as_json()))
        note = {**ready.as_json(), "pid": os.getpid(), "directory": str(Path.cwd()), "started": _STARTED}
        _state_file().parent.mkdir(parents=True, exist_ok=True)
        forget_ended_stacks(_state_file().parent)
        _write_private(_state_file(), json.dumps(note))


def _drop_note() -> None:
    """Let nobody find us any more."""
    _state_file().unlink(missing_ok=True)


def _state_file() -> Path:
    return state_directory() / f"{os.getpid()}.json"


def _write_private(file: Path, text: str) -> None:
    new = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    new.replace(file)
