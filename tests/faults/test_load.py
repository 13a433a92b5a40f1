"""What the load is made of, without a stack."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from baton.cli.main import build
from baton.client.errors import EXIT_UNREACHABLE, EXIT_USAGE, UsageError
from baton.domain.plans import parse_plan
from baton.domain.states import SendMode
from baton.verify.options import Fault, LoadOptions, parse_faults
from baton.verify.pace import Pace
from baton.verify.proxy import SlowProxy
from baton.verify.workload import SAID, Kind, lines, plots


@pytest.mark.parametrize("tasks", [1, 2, 5, 6, 20, 33])
def test_as_many_tasks_as_asked_for(tasks: int) -> None:
    chosen = plots(tasks)
    assert sum(plot.size for plot in chosen) == tasks
    for plot in chosen:
        body = plot.request("a title", None)
        if plot.kind is Kind.PLANNED:
            assert len(parse_plan(body["plan"]).tasks) == plot.size


def test_a_load_is_the_seed_s() -> None:
    kinds = [plot.kind for plot in plots(20) for _ in range(plot.size)]
    load = lines(kinds, 8, 1000, seed=3)
    assert load == lines(kinds, 8, 1000, seed=3)
    assert load != lines(kinds, 8, 1000, seed=4)
    assert sum(map(len, load)) == 1000
    everything = [line for mine in load for line in mine]
    assert len({line.token for line in everything}) == 1000
    assert {line.task for line in everything} == set(range(20))
    modes = Counter(line.mode for line in everything)
    assert modes[SendMode.QUEUE] > 800
    assert all(modes.values())


def test_an_interview_has_one_sender() -> None:
    kinds = [Kind.INTERVIEW] * 3 + [Kind.ASKING] * 2
    senders: dict[int, set[int]] = {}
    for sender, mine in enumerate(lines(kinds, 2, 400, seed=1)):
        for line in mine:
            senders.setdefault(line.task, set()).add(sender)
    assert [len(senders[task]) for task in range(5)] == [1, 1, 1, 2, 2]


def test_every_text_makes_the_agent_say_its_token() -> None:
    for line in (line for mine in lines([*Kind], 3, 600, seed=1) for line in mine):
        assert line.text == line.token or f"!say {SAID}{line.token}" in line.text.splitlines()


def test_what_does_not_go_together() -> None:
    assert parse_faults(" kill-api, kill-api,pause-worker ") == (Fault.KILL_API, Fault.KILL_API, Fault.PAUSE_WORKER)
    with pytest.raises(UsageError, match="unknown fault 'kill-cat'"):
        parse_faults("kill-cat")
    for wrong in (
        LoadOptions(urls=("http://x",), faults=(Fault.KILL_API,)),
        LoadOptions(urls=("http://x",), data=Path("x")),
        LoadOptions(data=Path("x"), faults=(Fault.SLOW_TEMPORAL,)),
    ):
        with pytest.raises(UsageError):
            wrong.check()


async def test_messages_come_with_the_faults() -> None:
    pace = Pace(3, seconds=0.0)
    due: list[int] = []

    async def send() -> None:
        for n in range(9):
            await pace.wait(n, 9)
            due.append(n)

    sending = asyncio.create_task(send())
    for part in range(3):
        pace.release(part)
        async with asyncio.timeout(5):
            while len(due) < 3 * (part + 1):
                await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(due) == 3 * (part + 1)
    await sending


async def test_a_slow_proxy_holds_back_and_loses_nothing() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = SlowProxy("127.0.0.1", server.sockets[0].getsockname()[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", await proxy.start())
    try:
        sent = bytes(range(256)) * 400
        began = time.monotonic()
        proxy.slow_down(latency_seconds=0.2, bytes_per_second=1_000_000)
        writer.write(sent)
        async with asyncio.timeout(20):
            assert await reader.readexactly(len(sent)) == sent
        assert time.monotonic() - began >= 0.4
        proxy.speed_up()
        writer.write(b"quick")
        async with asyncio.timeout(5):
            assert await reader.readexactly(5) == b"quick"
        server.close()
        writer.write_eof()
        async with asyncio.timeout(5):
            assert await reader.read() == b""
    finally:
        writer.close()
        await proxy.close()
        server.close()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--faults", "kill-cat"], EXIT_USAGE, "unknown fault 'kill-cat'"),
        (["--url", "http://127.0.0.1:9"], EXIT_UNREACHABLE, "cannot be reached"),
        (["--data", "/nowhere"], EXIT_USAGE, "no `baton dev --data /nowhere` is running"),
    ],
)
def test_what_cannot_be_verified(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(["verify"])(["verify", "--patience", "1", *arguments], standalone_mode=False) == code
    assert said in capsys.readouterr().err
