"""Ports for the local Temporal server: held, and known to be its own."""

import os
import socket
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from baton.localstack.ports import hold_port, listens

_KEPT: list[object] = []


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def _held(preferred: int) -> int:
    held = hold_port(preferred)
    _KEPT.append(held)
    return held.number


def test_two_who_choose_at_the_same_moment_do_not_choose_the_same() -> None:
    preferred = hold_port(0)
    preferred.release()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        chosen = list(processes.map(_held, [preferred.number] * 8))
    assert len(set(chosen)) == 8
    assert preferred.number in chosen


def test_a_port_that_is_taken_is_not_chosen() -> None:
    with _listener() as taken:
        port = taken.getsockname()[1]
        held = hold_port(port)
        assert held.number != port
        held.release()


def test_who_listens_is_known() -> None:
    with _listener() as ours:
        port = ours.getsockname()[1]
        assert listens(os.getpid(), port)
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            assert not listens(other.pid, port)
        finally:
            other.kill()
            other.communicate()
        assert not listens(other.pid, port)
    assert not listens(os.getpid(), port)
