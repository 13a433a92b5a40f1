"""An execution as JSON lines, by HTTP and by `baton export`: is all of it there, and is a cut file recognised?"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from uuid import UUID

import httpx
import pytest

from baton.client.schemas.executions import ExecutionInList
from baton.client.schemas.messages import MessageOut
from baton.client.schemas.tasks import TaskOut
from baton.domain.events import Event
from baton.service.export import read_pages
from baton.service.pruning import Keep, Pruner
from tests.dialects.commands import Command, commands
from tests.dialects.requests import kubiya_task, start_plan, start_task, task_ids
from tests.dialects.test_streams import finished_plan
from tests.support.api import RunningApi, delta, running_api
from tests.support.frames import everything

V1 = "/baton/v1"
NOBODY = str(UUID(int=1))
#: More than is read at once.
LARGE = "\u2028é" * 40_000
Line = dict[str, Any]


def path_of(execution: str) -> str:
    return f"{V1}/executions/{execution}/export"


def parsed(text: str) -> list[Line]:
    """The lines, which must be as many as any reader of lines takes them for."""
    assert text.endswith("\n")
    lines = text.split("\n")[:-1]
    assert lines == text.splitlines()
    return [json.loads(line) for line in lines]


async def exported(http: httpx.AsyncClient, execution: str) -> list[Line]:
    answer = await http.get(path_of(execution))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.text[:200]
    return parsed(answer.text)


def of(kind: str, lines: list[Line]) -> list[Any]:
    return [line[kind] for line in lines if line["kind"] == kind]


async def send(api: RunningApi, task: str, *texts: str) -> list[str]:
    answers = [await api.http.post(f"{V1}/tasks/{task}/messages", json={"text": text}) for text in texts]
    return [answer.json()["id"] for answer in answers]


async def large_task(api: RunningApi) -> tuple[str, str]:
    """An execution, and its task with messages and events on several pages."""
    started = await start_task(api.http)
    task = started["tasks"][0]["id"]
    await send(api, task, *(f"{n}{LARGE}" for n in range(4)))
    await api.append(started["id"], *(delta(f"piece {n}", UUID(task)) for n in range(450)), positions={UUID(task): 1})
    return started["id"], task


async def test_all_that_is_there_in_the_shapes_of_its_own_routes(api: RunningApi) -> None:
    execution, tasks = await finished_plan(api)
    await api.ask(tasks[1], "Which?", schema={"type": "string"})
    withdrawn, first, second = await send(api, tasks[2], "no", "hello", "more")
    assert (await api.http.delete(f"{V1}/messages/{withdrawn}")).status_code == 200
    (answer,) = await send(api, tasks[1], "Blue")
    await api.set_task(tasks[2], state="cancelled", unclaimed=0)
    await api.set_task(tasks[1], state="cancelled", unclaimed=0)
    await api.set_execution(execution, "cancelled")

    lines = await exported(api.http, execution)
    shown = (await api.http.get(f"{V1}/executions/{execution}")).json()
    events = [frame.data for frame in await everything(api.http, f"{V1}/executions/{execution}/events")][:-1]

    kinds = [line["kind"] for line in lines]
    order = ["export", "execution", "task", "message", "event", "end"]
    assert kinds == sorted(kinds, key=order.index)
    head = lines[0]
    assert datetime.fromisoformat(head.pop("exported_at")).tzinfo is not None
    assert head == {"kind": "export", "format": 1, "execution_id": execution, "last_event": shown["last_event"]}
    assert [line["kind"] for line in lines[:2]] == ["export", "execution"]
    listed = lines[1]["execution"]
    ExecutionInList.model_validate(listed)
    assert listed == {name: value for name, value in shown.items() if name != "tasks"}
    assert [TaskOut.model_validate(task).position for task in of("task", lines)] == [1, 2]
    assert of("task", lines) == shown["tasks"]
    assert [str(MessageOut.model_validate(one).id) for one in of("message", lines)] == [
        *(answer, withdrawn, first, second)
    ]
    for one in of("message", lines):
        assert one == (await api.http.get(f"{V1}/messages/{one['id']}")).json()
    assert of("message", lines)[1]["state"] == "withdrawn"
    assert of("event", lines) == events
    assert {"message.accepted", "message.withdrawn", "turn.ended"} <= {event["type"] for event in events}
    assert lines[-1] == {"kind": "end", "tasks": 2, "messages": 4, "events": shown["last_event"]}


async def test_pages_have_all_of_it_once_and_hold_little(api: RunningApi) -> None:
    execution, task = await large_task(api)
    lines = await exported(api.http, execution)
    last = lines[0]["last_event"]
    assert [one["text"] for one in of("message", lines)] == [f"{n}{LARGE}" for n in range(4)]
    assert [one["seq"] for one in of("event", lines)] == list(range(1, last + 1))
    assert (lines[-1]["messages"], lines[-1]["events"]) == (4, last)

    async def pages(**sizes: int) -> list[list[Any]]:
        given = (api.pool, await api.tenant_id(), UUID(execution), [UUID(task)], last)
        return [list(page) async for page in read_pages(*given, **sizes)]

    whole, small, bytewise = await pages(), await pages(limit=7), await pages(most_bytes=1)
    for found in (whole, small, bytewise):
        assert [(type(one), getattr(one, "seq", 0)) for page in found for one in page] == [
            (type(one), getattr(one, "seq", 0)) for page in whole for one in page
        ]
    assert len(whole) >= 1 + 4 + 3, "a message and a log of these sizes are no single page"
    assert max(map(len, whole)) <= 200
    assert max(map(len, small)) == 7
    assert max(map(len, bytewise)) == 1


async def test_no_connection_is_held_between_pages(api: RunningApi) -> None:
    execution, task = await large_task(api)
    given = (api.pool, await api.tenant_id(), UUID(execution), [UUID(task)], 10)
    async for _ in read_pages(*given, limit=1):
        assert api.pool.in_use == 0


async def test_events_that_come_after_it_was_begun_are_not_in_it(api: RunningApi) -> None:
    execution, task = await large_task(api)
    given = (api.pool, await api.tenant_id(), UUID(execution), [UUID(task)], 3)
    seen = [one async for page in read_pages(*given) for one in page]
    assert [one.seq for one in seen if isinstance(one, Event)] == [1, 2, 3]
    assert len(seen) == 1 + 4 + 3


async def test_a_pruned_log_is_exported_as_it_is(api: RunningApi) -> None:
    execution, tasks = await finished_plan(api)
    whole = of("event", await exported(api.http, execution))
    pruner = Pruner(api.pool, Keep(deltas=timedelta()), pause_seconds=0)
    assert sum([pruned.deltas async for pruned in pruner.prune(await api.tenant_id())]) == 3
    lines = await exported(api.http, execution)
    left = [event for event in whole if event["type"] != "text.delta"]
    assert of("event", lines) == left
    assert (lines[0]["last_event"], lines[-1]["events"]) == (whole[-1]["seq"], len(whole) - 3)
    (first, *_) = [event["seq"] for event in whole if event["type"] == "text.delta"]
    ids = [UUID(one) for one in tasks.values()]
    pages = read_pages(api.pool, await api.tenant_id(), UUID(execution), ids, first)
    seqs = [one.seq async for page in pages for one in page if isinstance(one, Event)]
    assert seqs == list(range(1, first)), "the last of them is gone"


async def test_what_is_not_there_or_not_theirs(api: RunningApi) -> None:
    execution = (await start_task(api.http))["id"]
    for http, name in ((api.http, NOBODY), (api.http, "x"), (api.client(api.other_key), execution)):
        answer = await http.get(path_of(name))
        assert (answer.status_code, answer.json()["code"]) == (404, "execution_not_found")
    head = await api.http.head(path_of(execution))
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "application/x-ndjson")


async def test_it_counts_as_a_stream_until_it_ends(shared_database_url: str) -> None:
    async with running_api(shared_database_url, streams_per_key=1) as api:
        http = api.client(await api.new_key(per_minute=1000))
        execution = (await start_task(http))["id"]
        for _ in range(3):
            assert len(await exported(http, execution)) > 3
            assert (await http.head(path_of(execution))).status_code == 200
            assert (await http.get(path_of(NOBODY))).status_code == 404
        async with http.stream("GET", f"{V1}/executions/{execution}/events") as stream:
            assert stream.status_code == 200
            refused = await http.get(path_of(execution))
            assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
        await api.close_clients()


async def test_it_is_cut_where_it_cannot_go_on(shared_database_url: str) -> None:
    """The execution goes away, or the key does, while a client reads: the answer has no proper end."""
    async with running_api(shared_database_url, stream_keepalive_seconds=0.01) as shared:
        api = await shared.for_new_tenants()
        for end in (
            "DELETE FROM executions WHERE id = $1",
            "UPDATE keys SET revoked_at = now() WHERE tenant_id = (SELECT tenant_id FROM executions WHERE id = $1)",
        ):
            execution = (await start_task(api.http))["id"]
            for _ in range(24):  # more than all buffers on the way hold
                await api.append(execution, delta("x" * 1_000_000), hint=False)
            async with api.http.stream("GET", path_of(execution)) as answer:
                pieces = answer.aiter_bytes()
                assert b'"kind":"export"' in await anext(pieces)
                async with api.pool.connection() as connection:
                    await connection.execute(end, UUID(execution))
                shared.app.state.baton.authenticator.forget()
                with pytest.raises(httpx.RemoteProtocolError):
                    async for _ in pieces:
                        pass
        async with asyncio.timeout(10):
            while shared.app.state.baton.streams.taken:
                await asyncio.sleep(0.01)
        await api.close_clients()


async def test_the_command_writes_what_the_server_says(api: RunningApi, baton: Command, tmp_path: Path) -> None:
    execution = await start_plan(api.http, kubiya_task(1), kubiya_task(2, 1))
    task = (await task_ids(api.http, execution))[2]
    await send(api, task, f"\x9b31m{LARGE}")
    whole = (await exported(api.http, execution))[1:]
    file = tmp_path / "kept.jsonl"
    printed = await baton("export", execution)
    written = await baton("export", f"{execution}/2", "--output", str(file))
    assert (printed.code, printed.err, written.code, written.out, written.err) == (0, "", 0, "", "")
    for text in (printed.out, file.read_text()):
        assert parsed(text)[1:] == whole
        assert "\x9b" not in text, "no terminal obeys it"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("kept")] == ["kept.jsonl"]
    refused = await baton("export", execution, "--output", str(tmp_path / "no" / "folder"))
    assert (refused.code, refused.out) == (2, "")
    assert "No such file or directory" in refused.err


@asynccontextmanager
async def cut_after(url: str, most_bytes: int) -> AsyncGenerator[str]:
    """A way to an API on which connections end after so many bytes of answers."""
    where = urlparse(url)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: float) -> None:
        while left > 0 and (data := await reader.read(65_536)):
            writer.write(data)
            left -= len(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(where.hostname, where.port)
        asking = asyncio.create_task(carry(reader, back, float("inf")))
        await carry(there, writer, most_bytes)
        asking.cancel()
        back.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield "http://{}:{}".format(*server.sockets[0].getsockname())


async def test_the_command_recognises_a_cut_connection(api: RunningApi, tmp_path: Path) -> None:
    execution, _ = await large_task(api)
    file = tmp_path / "kept.jsonl"
    file.write_text("an older one\n")
    async with cut_after(api.url, 200_000) as url:
        ran = await commands(api, tmp_path)("export", execution, "--output", str(file), "--url", url)
    assert (ran.code, ran.out) == (5, "")
    assert "the connection to" in ran.err
    assert file.read_text() == "an older one\n"
    assert not list(tmp_path.glob("*.part"))
