"""`/baton/v1/messages`: receipts, and what a sender may still decide."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest

from baton.client.schemas.messages import ChangedMessage, MessageOut, Messages
from baton.domain.agents import Scope
from baton.domain.conversation import ModelReply, Question, ToolCall
from baton.domain.ids import StepKey, TaskById, whole_tenant
from baton.store import control, failures, routes, steps
from baton.store.steps import StepAttempt
from tests.dialects.requests import Json, start_plan, start_task, task_ids
from tests.support.api import RunningApi
from tests.support.authors import author

V1 = "/baton/v1"


def problem(answer: httpx.Response, status: int, code: str) -> Json:
    """A problem document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert (found["status"], found["code"], found["instance"]) == (status, code, answer.request.url.path)
    return found


def changed(answer: httpx.Response) -> Json:
    """A message that somebody has changed."""
    assert answer.status_code == 200, answer.text
    found = answer.json()
    ChangedMessage.model_validate(found)
    assert answer.headers["etag"] == f'"{found["task"]["version"]}"'
    assert answer.headers["baton-message-id"] == found["id"]
    assert answer.headers["baton-execution-id"] == found["execution_id"]
    return found


class Work:
    """What a worker does to a task, without one."""

    def __init__(self, api: RunningApi, task_id: str) -> None:
        self.api, self.task_id = api, task_id

    async def key(self) -> StepKey:
        async with self.api.pool.connection() as connection:
            tenant = await self.api.tenant_id()
            route = await routes.route(connection, whole_tenant(tenant), TaskById(UUID(self.task_id)))
            turn = await connection.fetchval(
                "SELECT CASE WHEN turn_open THEN turn ELSE turn + 1 END FROM tasks WHERE id = $1", route.task_id
            )
        return StepKey(tenant, route.execution_id, route.task_id, turn, 0)

    async def begin(self) -> bool:
        """Begin the next turn; whether there was one to begin."""
        key = await self.key()
        async with self.api.pool.transaction() as connection:
            return isinstance(await steps.start_step(connection, key), StepAttempt)

    async def end(self, *asks: str, schema: Json | None = None) -> None:
        """End the turn, with these questions."""
        key, questions = await self.key(), [Question(id, f"{id}?", (), schema, call_id=id) for id in asks]
        answer = ModelReply("done", tuple(ToolCall(id, "ask_user", {}) for id in asks), {"text": "done"})
        async with self.api.pool.transaction() as connection:
            await steps.record_step(connection, key, 1, answer, questions, (), ())

    async def fail(self) -> None:
        """End the turn: it has failed for good."""
        key = await self.key()
        async with self.api.pool.transaction() as connection:
            await failures.fail_turn(connection, key, "model_broken")


async def waiting(api: RunningApi, *asks: str, schema: Json | None = None) -> Work:
    """A task that waits."""
    work = Work(api, (await start_task(api.http))["tasks"][0]["id"])
    await work.begin()
    await work.end(*asks, schema=schema)
    return work


async def send(api: RunningApi, work: Work, text: str = "hello", **headers: str) -> Json:
    """Send a message; what was answered."""
    answer = await api.http.post(f"{V1}/tasks/{work.task_id}/messages", json={"text": text}, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def events(api: RunningApi, work: Work, kinds: Sequence[str] = ()) -> list[Any]:
    """The data of a task's events."""
    async with api.pool.connection() as connection:
        rows = await connection.fetch(
            "SELECT type, data FROM events WHERE task_id = $1 ORDER BY seq", UUID(work.task_id)
        )
    return [row["data"] for row in rows if row["type"] in kinds]


async def test_a_receipt_through_its_life(api: RunningApi) -> None:
    work = await waiting(api, "q")
    sent = await send(api, work)
    path = f"{V1}/messages/{sent['id']}"

    async def read() -> Json:
        answer = await api.http.get(path)
        MessageOut.model_validate(answer.json())
        shown = await api.http.get(f"{V1}/tasks/{work.task_id}")
        assert answer.headers["etag"] == shown.headers["etag"]
        return answer.json()

    receipt = await read()
    assert (receipt["state"], receipt["turn"], receipt["answers"]) == ("accepted", None, ["q"])
    assert (receipt["claimed_at"], receipt["ended_at"]) == (None, None)
    await work.begin()
    receipt = await read()
    assert (receipt["state"], receipt["turn"], receipt["ended_at"]) == ("claimed", 2, None)
    assert receipt["claimed_at"] >= receipt["accepted_at"]
    await work.end()
    receipt = await read()
    assert (receipt["state"], receipt["turn"], receipt["reason"]) == ("processed", 2, None)
    assert receipt["ended_at"] >= receipt["claimed_at"]
    await send(api, work)
    await work.begin()
    await work.fail()
    (dead,) = (await api.http.get(f"{V1}/tasks/{work.task_id}/messages?state=dead")).json()["items"]
    assert (dead["state"], dead["turn"], dead["reason"]) == ("dead", 3, "model_broken")


async def test_withdrawing(api: RunningApi) -> None:
    work = await waiting(api, "q")
    sent = await send(api, work)
    gone = changed(await api.http.delete(f"{V1}/messages/{sent['id']}"))
    assert (gone["state"], gone["turn"], gone["id"], gone["seq"]) == ("withdrawn", None, sent["id"], 1)
    assert gone["ended_at"] >= gone["accepted_at"]
    assert gone["task"] == {"state": "waiting", "version": sent["task"]["version"] + 1}
    task = (await api.http.get(f"{V1}/tasks/{work.task_id}")).json()
    assert (task["state"], task["queued"], [one["id"] for one in task["questions"]]) == ("waiting", 0, ["q"])
    (inbox,) = (await api.http.get(f"{V1}/tasks?state=waiting")).json()["items"]
    assert inbox["id"] == work.task_id
    assert (await api.http.get(f"{V1}/executions/{task['execution_id']}")).json()["state"] == "waiting"
    assert not await work.begin()
    assert changed(await api.http.delete(f"{V1}/messages/{sent['id']}", headers={"If-Match": '"1"'})) == gone
    assert len(await events(api, work, ["message.withdrawn"])) == 1


async def test_editing(api: RunningApi) -> None:
    work = await waiting(api, "q")
    sent = await send(api, work, "first", **{"Idempotency-Key": "k"})
    path = f"{V1}/messages/{sent['id']}"
    file = {"filename": "a.png", "media_type": "image/png", "url": "https://example.org/a.png"}
    done = changed(await api.http.patch(path, json={"text": "second"}))
    assert (done["text"], done["attachments"], done["state"], done["answers"]) == ("second", [], "accepted", ["q"])
    assert done["task"] == {"state": "running", "version": sent["task"]["version"] + 1}
    done = changed(await api.http.patch(path, json={"attachments": [file], "text": None}))
    assert (done["text"], done["attachments"]) == ("second", [file])
    assert changed(await api.http.patch(path, json={"text": "second"}, headers={"If-Match": '"1"'})) == done
    assert [data["text"] for data in await events(api, work, ["message.edited"])] == ["second", "second"]
    again = await api.http.post(
        f"{V1}/tasks/{work.task_id}/messages", json={"text": "first"}, headers={"Idempotency-Key": "k"}
    )
    assert (again.json(), again.headers["idempotent-replayed"]) == (sent, "true")
    await work.begin()
    told = problem(await api.http.patch(path, json={"text": "third"}), 409, "message_taken")
    assert (told["state"], told["turn"]) == ("claimed", 2)
    assert "turn 2" in told["detail"]


async def test_an_edited_answer_obeys_its_question(api: RunningApi) -> None:
    work = await waiting(api, "q", schema={"type": "integer"})
    sent = await send(api, work, "7")
    path = f"{V1}/messages/{sent['id']}"
    told = problem(await api.http.patch(path, json={"text": "seven"}), 422, "answer_refused")
    assert told["problems"]
    assert (await api.http.get(path)).json()["text"] == "7"
    assert changed(await api.http.patch(path, json={"text": "8"}))["text"] == "8"
    plain = await send(api, work, "and more")
    assert (
        changed(await api.http.patch(f"{V1}/messages/{plain['id']}", json={"text": "anything"}))["text"] == "anything"
    )


BAD_EDITS: list[Any] = [
    {},
    {"text": None},
    {"text": ""},
    {"text": " \n"},
    {"text": 5},
    {"text": "x", "metadata": {}},
    {"attachments": {}},
    {"attachments": [{}]},
    {"attachments": [{"filename": "a", "media_type": "image/png", "url": "file:///etc/passwd"}]},
    {"text": "nul \x00"},
    [],
]


@pytest.mark.parametrize("body", BAD_EDITS)
async def test_an_edit_that_does_not_fit(api: RunningApi, body: Any) -> None:
    work = await waiting(api, "q")
    sent = await send(api, work)
    problem(await api.http.patch(f"{V1}/messages/{sent['id']}", json=body), 422, "invalid_input")
    assert (await api.http.get(f"{V1}/messages/{sent['id']}")).json()["text"] == "hello"


async def test_who_was_faster_is_told(api: RunningApi) -> None:
    work = await waiting(api, "q")
    sent = await send(api, work)
    await work.begin()
    told = problem(await api.http.delete(f"{V1}/messages/{sent['id']}"), 409, "message_taken")
    assert (told["state"], told["turn"]) == ("claimed", 2)
    await work.end()
    told = problem(await api.http.delete(f"{V1}/messages/{sent['id']}"), 409, "message_taken")
    assert (told["state"], told["turn"]) == ("processed", 2)


async def test_if_match(api: RunningApi) -> None:
    work = await waiting(api, "q")
    sent = await send(api, work)
    path, version = f"{V1}/messages/{sent['id']}", sent["task"]["version"]
    stale = {"If-Match": f'"{version - 1}"'}
    for answer in (
        await api.http.delete(path, headers=stale),
        await api.http.patch(path, json={"text": "x"}, headers=stale),
    ):
        told = problem(answer, 412, "outdated")
        assert (told["version"], told["questions"], answer.headers["etag"]) == (version, [], f'"{version}"')
    edited = await api.http.patch(path, json={"text": "x"}, headers={"If-Match": f'"{version}"'})
    gone = await api.http.delete(path, headers={"If-Match": edited.headers["etag"]})
    assert changed(gone)["state"] == "withdrawn"


async def test_redriving(api: RunningApi) -> None:
    work = Work(api, (await start_task(api.http))["tasks"][0]["id"])
    sent = await send(api, work, "please")
    await work.begin()
    await work.fail()
    path = f"{V1}/messages/{sent['id']}"
    told = problem(await api.http.delete(path), 409, "message_taken")
    assert (told["state"], told["turn"]) == ("dead", 1)
    problem(await api.http.post(f"{path}/redrive", headers={"If-Match": '"1"'}), 412, "outdated")
    again = changed(await api.http.post(f"{path}/redrive"))
    assert (again["id"], again["seq"], again["state"], again["turn"]) == (sent["id"], 2, "accepted", None)
    assert (again["reason"], again["ended_at"], again["accepted_at"]) == (None, None, sent["accepted_at"])
    assert again["task"]["state"] == "running"
    assert changed(await api.http.post(f"{path}/redrive")) == again
    (told,) = await events(api, work, ["message.redriven"])
    assert (told["message_id"], told["seq"], told["was_seq"], told["text"]) == (sent["id"], 2, 1, "please")
    assert await work.begin()
    await work.end()
    assert changed(await api.http.post(f"{path}/redrive"))["state"] == "processed"


async def test_a_cancelled_tasks_message_is_not_redriven(api: RunningApi) -> None:
    work = await waiting(api, "q")
    sent = await send(api, work)
    await api.http.post(f"{V1}/tasks/{work.task_id}/cancel")
    told = problem(await api.http.post(f"{V1}/messages/{sent['id']}/redrive"), 409, "task_closed")
    assert told["state"] == "cancelled"
    (dead,) = (await api.http.get(f"{V1}/messages?state=dead")).json()["items"]
    assert (dead["id"], dead["reason"]) == (sent["id"], "task_cancelled")


async def test_the_dead_are_listed_across_tasks(api: RunningApi) -> None:
    sent: list[str] = []
    for _ in range(3):
        work = Work(api, (await start_task(api.http))["tasks"][0]["id"])
        sent += [(await send(api, work, str(n)))["id"] for n in range(2)]
        await work.begin()
        await work.fail()
    await send(api, Work(api, (await start_task(api.http))["tasks"][0]["id"]), "alive")
    seen: list[Json] = []
    cursor: str | None = None
    while True:
        query = {"state": "dead", "limit": 4} | ({"cursor": cursor} if cursor else {})
        answer = await api.http.get(f"{V1}/messages", params=query)
        Messages.model_validate(answer.json())
        seen += answer.json()["items"]
        if (cursor := answer.json()["next_cursor"]) is None:
            break
    assert sorted(one["id"] for one in seen) == sorted(sent)
    assert [one["ended_at"] for one in seen] == sorted(one["ended_at"] for one in seen)
    assert (await api.client(api.other_key).get(f"{V1}/messages?state=dead")).json()["items"] == []
    for query in ("", "?state=accepted", "?state=dead&cursor=x", "?state=dead&limit=0"):
        problem(await api.http.get(f"{V1}/messages{query}"), 422, "invalid_input")


async def test_a_tasks_messages_by_state(api: RunningApi) -> None:
    work = await waiting(api, "q")
    for n in range(4):
        sent = await send(api, work, str(n))
        if n % 2:
            await api.http.delete(f"{V1}/messages/{sent['id']}")
    path = f"{V1}/tasks/{work.task_id}/messages"

    async def texts(query: str) -> list[str]:
        return [item["text"] for item in (await api.http.get(f"{path}{query}")).json()["items"]]

    assert await texts("") == ["0", "1", "2", "3"]
    assert await texts("?state=accepted") == ["0", "2"]
    assert await texts("?state=withdrawn&limit=1") == ["1"]
    assert await texts("?state=accepted&state=withdrawn") == ["0", "1", "2", "3"]
    assert await texts("?state=dead") == []
    problem(await api.http.get(f"{path}?state=nonsense"), 422, "invalid_input")


@pytest.mark.parametrize("name", ["7d3e7c1e-6f6b-4a52-9d0c-2f6a54b6e0a1", "x", "%00", "1", "é", "0" * 36])
async def test_what_is_not_there(api: RunningApi, name: str) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/redrive")):
        json = {"text": "x"} if method == "PATCH" else None
        answer = await api.http.request(method, f"{V1}/messages/{name}{path}", json=json)
        assert (answer.status_code, answer.json()["code"]) == (404, "message_not_found")


async def test_who_may(api: RunningApi) -> None:
    """Whoever may send; of the same tenant, and of the task's agent."""
    work = await waiting(api, "q")
    sent = await send(api, work)
    path = f"{V1}/messages/{sent['id']}"
    for key, status in (
        (api.other_key, 404),
        (await api.new_key(Scope.READ), 403),
        (await api.new_key(Scope.WRITE), 403),
        (None, 401),
    ):
        client = api.client(key)
        for answer in (
            await client.patch(path, json={"text": "x"}),
            await client.delete(path),
            await client.post(f"{path}/redrive"),
        ):
            assert answer.status_code == status
    assert (await api.client(await api.new_key(Scope.SEND)).get(path)).status_code == 403
    mine = api.client(await api.new_key(Scope.SEND))
    assert "text" not in changed(await mine.patch(path, json={"text": "x"})), "it may not be read"
    assert (await api.http.get(path)).json()["text"] == "x"
    assert changed(await mine.delete(path))["state"] == "withdrawn"


async def test_messages_of_one_burst_are_withdrawn_side_by_side(api: RunningApi) -> None:
    work = await waiting(api, "q", "r")
    sent = [await send(api, work, str(n)) for n in range(20)]
    client = api.http
    done = await asyncio.gather(*(client.delete(f"{V1}/messages/{one['id']}") for one in sent for _ in range(2)))
    assert {changed(answer)["state"] for answer in done} == {"withdrawn"}
    task = (await api.http.get(f"{V1}/tasks/{work.task_id}")).json()
    assert (task["state"], task["queued"], [one["id"] for one in task["questions"]]) == ("waiting", 0, ["q", "r"])
    assert len(await events(api, work, ["message.withdrawn"])) == 20


async def test_kubiya_sees_the_question_again(api: RunningApi) -> None:
    """In its own words: the plan waits for input, with what is asked."""
    execution = await start_plan(api.http)
    work = Work(api, (await task_ids(api.http, execution))[1])
    await api.set_task(work.task_id, state="running", rested="running")
    await work.begin()
    await work.end("q")
    sent = await send(api, work)
    await api.http.delete(f"{V1}/messages/{sent['id']}")
    async with api.pool.transaction() as connection:
        route = await routes.route(connection, whole_tenant(await api.tenant_id()), TaskById(UUID(work.task_id)))
        await control.cancel(connection, route, author())
    lines = (await api.http.get(f"/api/v1/tasks/plan/{execution}/stream", timeout=60)).text
    assert lines.count("event: task_waiting_for_input") == 2
    assert lines.count("event: plan_waiting_for_input") == 2
    assert lines.count('"question":"q?"') == 4
