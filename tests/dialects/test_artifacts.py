"""Artifacts over HTTP: a long result is read part by part."""

from pathlib import Path
from uuid import uuid4

from activities.artifacts import set_apart
from baton.client.schemas.artifacts import ArtifactOut, ArtifactPage
from baton.domain.approvals import ToolRules
from baton.domain.conversation import ModelReply, ToolCall, ToolResult
from baton.store import steps, tools
from baton.store.steps import StepAttempt
from tests.dialects.commands import commands
from tests.dialects.requests import start_plan, start_task, task_ids
from tests.dialects.test_approvals import key_of
from tests.dialects.test_baton import V1, problem
from tests.support.api import RunningApi

TEXT = "".join(f"line {number} of a long result, with an ä and a 漢 and a 🎉\n" for number in range(1000))


async def set_apart_by_a_call(api: RunningApi, task_id: str, text: str = TEXT) -> str:
    """Have a worker make a call that gives ``text``; the id of the artifact."""
    key = await key_of(api, task_id)
    async with api.pool.transaction() as connection:
        assert isinstance(await steps.start_step(connection, key), StepAttempt)
    reply = ModelReply("", (ToolCall("c1", "clock", {}),), {"text": ""})
    async with api.pool.transaction() as connection:
        await steps.record_step(connection, key, 1, reply, (), (), (), ToolRules({"*": "allow"}))
    result = set_apart(ToolResult("c1", text), "clock", beyond=4096, most=100_000)
    async with api.pool.transaction() as connection:
        await tools.record_tool(connection, key, result)
    assert result.artifact is not None
    return str(result.artifact.id)


async def test_an_artifact_is_read_part_by_part(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]
    artifact = await set_apart_by_a_call(api, task["id"])
    read, offset = "", 0
    while True:
        answer = await api.http.get(f"{V1}/artifacts/{artifact}?offset={offset}&limit=9999")
        part = ArtifactOut.model_validate(answer.json())
        assert (str(part.task_id), part.tool, part.media_type) == (task["id"], "clock", "text/plain")
        read += part.text
        if part.next_offset is None:
            break
        offset = part.next_offset
    assert read == TEXT
    within = (await api.http.get(f"{V1}/artifacts/{artifact}?offset=1000000")).json()
    assert (within["text"], within["next_offset"]) == ("", None)


async def test_artifacts_are_listed_and_read_by_the_command(api: RunningApi, tmp_path: Path) -> None:
    task = (await start_task(api.http))["tasks"][0]
    artifact = await set_apart_by_a_call(api, task["id"])
    other = api.client(api.other_key)
    for place in (f"tasks/{task['id']}", f"executions/{task['execution_id']}"):
        (one,) = ArtifactPage.model_validate((await api.http.get(f"{V1}/{place}/artifacts")).json()).items
        assert (str(one.id), str(one.task_id), one.tool) == (artifact, task["id"], "clock")
        assert one.size == one.whole_bytes == len(TEXT.encode())
        problem(await api.http.get(f"{V1}/{place}/artifacts?cursor=x"), 422, "invalid_input")
        problem(await other.get(f"{V1}/{place}/artifacts"), 404, f"{place.partition('s/')[0]}_not_found")
    baton = commands(api, tmp_path)
    for address in (task["id"], task["execution_id"]):
        listed = await baton("artifacts", address)
        assert (listed.code, listed.out.startswith(f"{artifact}  clock, turn 1: ")) == (0, True), listed
    assert (await baton("artifacts", "--read", artifact)).out == TEXT
    assert (await baton("artifacts")).code == 2


async def test_a_list_of_artifacts_goes_on_where_it_ended(api: RunningApi) -> None:
    plan = await start_plan(api.http)
    made: list[str] = []
    for task in list((await task_ids(api.http, plan)).values())[:2]:
        await api.set_task(task, state="running")
        made.append(await set_apart_by_a_call(api, task))
    path, cursor, found = f"{V1}/executions/{plan}/artifacts?limit=1", "", list[str]()
    while True:
        page = (await api.http.get(path + cursor)).json()
        found += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == made


async def test_who_may_read_an_artifact(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]
    artifact = await set_apart_by_a_call(api, task["id"])
    problem(await api.client(api.other_key).get(f"{V1}/artifacts/{artifact}"), 404, "artifact_not_found")
    for nothing in (str(uuid4()), "x"):
        problem(await api.http.get(f"{V1}/artifacts/{nothing}"), 404, "artifact_not_found")
    problem(await api.http.get(f"{V1}/artifacts/{artifact}?limit=0"), 422, "invalid_input")
