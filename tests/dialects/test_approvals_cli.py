"""`baton approvals`, `approve` and `decline`, as processes, against the API."""

import json
from uuid import uuid4

from baton.domain.conversation import ToolCall
from tests.dialects.commands import Command
from tests.dialects.test_approvals import waiting
from tests.dialects.test_baton import V1
from tests.support.api import RunningApi


async def test_approvals_are_listed_approved_and_declined(api: RunningApi, baton: Command) -> None:
    none = await baton("approvals")
    assert (none.code, none.out) == (0, "No tool call waits for consent.\n")
    evil = ToolCall("c1", "write", {"path": "a\x1b[31m"})
    _, (one, two, three) = await waiting(api, evil, ToolCall("c2", "drop", {}), ToolCall("c3", "drop", {"n": 1}))
    listed = await baton("approvals")
    assert listed.code == 0
    for approval in (one, two, three):
        assert f"baton approve {approval['id']}\n" in listed.out
        assert f"baton decline {approval['id']} REASON" in listed.out
    assert "\x1b" not in listed.out
    assert f"baton approve {one['id']}" in (await baton("inbox")).out
    as_json = json.loads((await baton("approvals", "--json")).out)
    assert [item["id"] for item in as_json] == [one["id"], two["id"], three["id"]]

    approved = await baton("approve", one["id"], "--digest", one["digest"], "--reason", "fine")
    assert (approved.code, approved.out) == (0, "Approved: write; the task is waiting.\n")
    edited = await baton("approve", two["id"], "--arguments", '{"n": 2}')
    assert edited.out == "Approved: drop with other arguments; the task is waiting.\n"
    declined = await baton("decline", three["id"], "not today", "--json")
    shown = json.loads(declined.out)
    assert (shown["state"], shown["reason"], shown["task"]["state"]) == ("declined", "not today", "running")
    stored = (await api.http.get(f"{V1}/approvals/{two['id']}")).json()
    assert stored["edited_arguments"] == {"n": 2}
    assert (await baton("approvals")).out == "No tool call waits for consent.\n"


async def test_what_cannot_be_decided_is_one_line(api: RunningApi, baton: Command) -> None:
    _, (approval,) = await waiting(api)
    for arguments, code, told in (
        (("approve", "x"), 2, "names no approval"),
        (("approve", approval["id"], "--arguments", "{"), 2, "not valid JSON"),
        (("approve", approval["id"], "--arguments", "[]"), 2, "must be a JSON object"),
        (("approve", str(uuid4())), 4, "there is no such approval"),
        (("approve", approval["id"], "--digest", "0" * 64), 4, "not the one that was seen"),
    ):
        ran = await baton(*arguments)
        assert (ran.code, ran.out) == (code, ""), ran
        assert told in ran.err
        assert ran.err.count("\n") == 1
    await baton("decline", approval["id"], "no")
    late = await baton("approve", approval["id"])
    assert late.code == 4
    assert "declined" in late.err
