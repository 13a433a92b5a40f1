"""`baton messages`, `edit`, `withdraw` and `redrive`, as processes, against the API."""

import json

from tests.dialects.commands import Command
from tests.dialects.requests import start_task
from tests.dialects.test_receipts import V1, Work, send, waiting
from tests.support.api import RunningApi


async def failed(api: RunningApi, *texts: str) -> tuple[Work, list[str]]:
    """A task whose turn failed over these messages, with their ids."""
    work = Work(api, (await start_task(api.http))["tasks"][0]["id"])
    ids = [(await send(api, work, text))["id"] for text in texts]
    await work.begin()
    await work.fail()
    return work, ids


async def test_what_was_sent_and_what_became_of_it(api: RunningApi, baton: Command) -> None:
    work = await waiting(api, "q")
    assert "There are no messages." in (await baton("messages", work.task_id)).out
    first = await send(api, work, "the \x1b[31mred\x1b[0m one")
    await work.begin()
    await work.end("r")
    second = await send(api, work, "not yet")
    ran = await baton("messages", work.task_id)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert any(line.split()[:2] == ["1", "processed"] and "the [31mred[0m one" in line for line in lines)
    assert any(line.split()[:2] == ["2", "accepted"] and "not yet" in line for line in lines)
    assert "turn 2" in ran.out
    assert first["id"] in ran.out
    assert "\x1b" not in ran.out
    listed = json.loads((await baton("messages", work.task_id, "--state", "accepted", "--json")).out)
    assert [one["id"] for one in listed] == [second["id"]]
    execution = (await api.http.get(f"{V1}/tasks/{work.task_id}")).json()["execution_id"]
    for address in (execution, f"{execution}/1"):
        assert len(json.loads((await baton("messages", address, "--json")).out)) == 2


async def test_a_change_of_mind(api: RunningApi, baton: Command) -> None:
    work = await waiting(api, "q", schema={"type": "integer"})
    sent = await send(api, work, "7")
    ran = await baton("edit", sent["id"], "-", stdin="8")
    assert (ran.code, ran.out) == (0, f"Edited: message 1, id {sent['id']}; the task is running.\n")
    ran = await baton("edit", sent["id"], "eight")
    assert (ran.code, ran.out, ran.err.count("\n")) == (4, "", 1)
    assert "breaks the question's schema" in ran.err
    ran = await baton("withdraw", sent["id"], "--if-version", "1")
    assert (ran.code, "read it again" in ran.err) == (4, True)
    ran = await baton("withdraw", sent["id"])
    assert (ran.code, ran.out) == (0, f"Withdrawn: message 1, id {sent['id']}; the task is waiting.\n")
    again = json.loads((await baton("withdraw", sent["id"], "--json")).out)
    assert (again["state"], again["text"], again["task"]["state"]) == ("withdrawn", "8", "waiting")
    read = await send(api, work, "9")
    await work.begin()
    for ran in (await baton("withdraw", read["id"]), await baton("edit", read["id"], "10")):
        assert (ran.code, ran.out) == (4, "")
        assert "the message is claimed, turn 2 has read it" in ran.err


async def test_another_try(api: RunningApi, baton: Command) -> None:
    one, (a, b) = await failed(api, "a", "b")
    two, (c,) = await failed(api, "c")
    closed = await waiting(api, "q")
    unread = await send(api, closed, "unread")
    await api.http.post(f"{V1}/tasks/{closed.task_id}/cancel")
    ran = await baton("messages")
    assert ran.code == 0
    assert ran.out.count("model_broken") == 3
    assert "task_cancelled" in ran.out
    assert f"task {two.task_id}" in ran.out
    ran = await baton("redrive", a)
    assert (ran.code, ran.out) == (0, f"Sent again as message 3, id {a}; the task is running.\n")
    ran = await baton("redrive", unread["id"])
    assert (ran.code, "cancelled" in ran.err) == (4, True)
    ran = await baton("redrive", "--task", one.task_id)
    assert (ran.code, ran.out) == (0, f"Sent again as message 4, id {b}; the task is running.\n")
    ran = await baton("redrive", "--all")
    assert ran.code == 0
    assert f"Sent again as message 2, id {c}; the task is running.\n" in ran.out
    assert "1 stay dead: their tasks are cancelled.\n" in ran.out
    await two.begin()
    await two.end()
    ran = await baton("redrive", c)
    assert ran.out == f"Left processed, id {c}; the task is succeeded.\n"
    assert (await baton("redrive", "--task", two.task_id)).out == "There are no dead messages.\n"
    assert [m["id"] for m in json.loads((await baton("messages", "--json")).out)] == [unread["id"]]


async def test_what_was_typed_wrong(baton: Command) -> None:
    nobody = "0198c2a0-0000-7000-8000-000000000001"
    for code, says, ran in (
        (2, "names no message", await baton("withdraw", "7")),
        (2, "there is no text", await baton("edit", nobody, " ")),
        (2, "say which", await baton("redrive")),
        (2, "say which", await baton("redrive", nobody, "--all")),
        (2, "name a task", await baton("messages", "--state", "accepted")),
        (4, "no such message", await baton("withdraw", nobody)),
        (4, "no such task", await baton("messages", nobody)),
    ):
        assert (ran.code, ran.out) == (code, "")
        assert says in ran.err
        assert ran.err.startswith("baton: ")
