"""Does Twill's client see what its page says?"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from jsonschema import Draft202012Validator

from api.dialects.twill import translate, twill_dialect
from api.dialects.twill.schemas import Status
from api.dialects.twill.stream import job_encoder
from baton.domain.agents import Agent, Principal, Scope
from baton.domain.approvals import ToolRules
from baton.domain.conversation import ToolCall
from baton.domain.errands import ErrandState
from baton.domain.events.parts import OfTurn
from baton.domain.ids import TaskById, TaskRoute, whole_tenant
from baton.domain.messages import Draft
from baton.domain.states import SendMode, TaskState
from baton.service.messages import get_errand
from baton.store import agents, messages, transcripts
from tests.dialects.requests import Json, start_task
from tests.dialects.test_matrix import world_of
from tests.store.world import World, question
from tests.support.api import RunningApi, running_api
from tests.support.authors import author
from tests.support.events import BODIES, event

TASKS, JOBS = "/api/v1/tasks", "/api/v1/jobs"
DOCUMENT = twill_dialect().app.openapi()
NOBODY = "00000000-0000-4000-8000-000000000000"
FILE = {"filename": "a.txt", "mediaType": "text/plain", "url": "data:text/plain,a"}


def fits(answer: httpx.Response, schema: str, status: int = 200) -> Json:
    """A body, which must be of that status and as our document says, with nothing beside it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    components = json.loads(json.dumps(DOCUMENT["components"]))
    for one in components["schemas"].values():
        if one.get("type") == "object":
            one["additionalProperties"] = False
    Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": components}).validate(answer.json())  # pyright: ignore[reportUnknownMemberType]
    body: Json = answer.json()
    return body


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    """An error, which must be of that status and code, and of the published shape."""
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    error: Json = fits(answer, "ApiErrorResponse", status)["error"]
    assert error["message"]
    assert ("details" in error) == (code == "validation_error")
    return error


def fields(answer: httpx.Response) -> list[str]:
    """The fields that are wrong with a request."""
    return [issue["field"] for issue in refused(answer, 400, "validation_error")["details"]["issues"]]


async def made(api: RunningApi, command: str = "!say hello", **more: Any) -> Json:
    """A task, made by Twill's call."""
    answer = await api.http.post(TASKS, json={"command": command} | more)
    return fits(answer, "CreateTaskResponse", 201)["task"]


async def sent(api: RunningApi, task: str, message: str = "hello", **more: Any) -> str:
    """A message that was accepted: its job's id."""
    answer = await api.http.post(f"{TASKS}/{task}/messages", json={"message": message} | more)
    job = fits(answer, "SendMessageResponse")["job"]
    assert job["status"] == "PENDING"
    return str(job["id"])


async def jobs(api: RunningApi, task: str, **query: Any) -> list[Json]:
    """A task's jobs."""
    return fits(await api.http.get(f"{TASKS}/{task}/jobs", params=query), "ListTaskJobsResponse")["jobs"]


async def latest(api: RunningApi, task: str) -> Json:
    """A task's last job."""
    return fits(await api.http.get(f"{TASKS}/{task}"), "GetTaskResponse")["latestJob"]


async def log_of(client: httpx.AsyncClient, job: str, cursor: str = "") -> list[Json]:
    """All of a job's log, until the server ends it; the frames' ids among them."""
    headers = {"Last-Event-ID": cursor} if cursor else {}
    seen: list[Json] = []
    async with asyncio.timeout(20), client.stream("GET", f"{JOBS}/{job}/logs/stream", headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        frame: Json = {}
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "id":
                frame = {"id": value}
            elif field == "data":
                seen.append(frame | json.loads(value))
                frame = {}
            else:
                assert field in ("", "retry")
    return seen


def kinds(log: Sequence[Json]) -> list[str]:
    """What happened."""
    return [frame["type"] for frame in log]


def test_statuses_are_the_published_ones_for_every_state() -> None:
    assert set(translate.STATUS) == set(ErrandState)
    assert (
        set(translate.STATUS.values())
        == set(Status.__args__)
        == set(DOCUMENT["components"]["schemas"]["JobStatus"]["enum"])
    )


async def test_who_calls(api: RunningApi) -> None:
    body = fits(await api.http.get("/api/v1/auth/me"), "MeResponse")
    tenant = await api.tenant_id()
    async with api.pool.connection() as connection:
        keys = await connection.fetchval("SELECT array_agg(id) FROM keys WHERE tenant_id = $1", tenant)
    assert UUID(body["apiKeyId"]) in keys
    assert (body["workspaceId"], body["workspaceName"], body["workspaceSlug"]) == (str(tenant), api.tenant, api.tenant)
    assert body["userId"]


async def test_a_task_is_made(api: RunningApi) -> None:
    answer = await api.http.post(
        TASKS,
        json={
            "command": "!say hi\nthen more",
            "userIntent": "PLAN",
            "files": [FILE],
            "repository": "o/r",
            "branch": "b",
        },
    )
    body = fits(answer, "CreateTaskResponse", 201)
    own = (await api.http.get(f"/baton/v1/tasks/{body['task']['id']}")).json()
    slug = f"say-hi-{own['number']}"
    assert body == {
        "task": {"id": own["id"], "slug": slug, "title": "!say hi", "url": f"{api.url}{TASKS}/{slug}"},
        "job": {"id": own["id"], "status": "PENDING"},
    }
    assert (own["description"], own["state"]) == ("!say hi\nthen more", "running")
    assert answer.headers["baton-execution-id"] == own["execution_id"]
    async with api.pool.connection() as connection:
        assert await connection.fetchval("SELECT plan_only FROM tasks WHERE id = $1", UUID(own["id"]))
        transcript = await transcripts.read(connection, await api.tenant_id(), UUID(own["id"]))
    assert [(file.filename, file.media_type, file.url) for file in transcript.attachments] == [
        ("a.txt", "text/plain", "data:text/plain,a")
    ]
    seen = await api.http.get(body["task"]["url"])
    shown = fits(seen, "GetTaskResponse")
    assert shown["task"] == body["task"] | {name: shown["task"][name] for name in ("createdAt", "updatedAt")}
    assert shown["latestJob"] == {
        "id": own["id"], "status": "PENDING", "type": "PLAN", "startedAt": None, "completedAt": None, "plan": None,
        "finalAnswer": None,
    }  # fmt: skip
    assert (seen.headers["etag"], seen.headers["baton-execution-id"]) == ('"1"', own["execution_id"])


async def test_the_agent_of_a_task(api: RunningApi) -> None:
    async def agent_of(**body: Any) -> str:
        task = await made(api, **body)
        return str((await api.http.get(f"/baton/v1/tasks/{task['id']}")).json()["agent"]["name"])

    async with api.pool.connection() as connection:
        own = await agents.insert(connection, Agent(await api.tenant_id(), uuid4(), 0, "codex", "scripted"))
    assert await agent_of() == "assistant"
    assert await agent_of(agent=None, title=None) == "assistant"
    for name in (str(own.id), str(own.number), "codex"):
        assert await agent_of(agent=name) == "codex"
    for vendors in ("claude-code", "claude-code/sonnet", "codex/gpt-5.4", "open-code/openai/gpt-5.4"):
        assert await agent_of(agent=vendors) == "assistant"
    for unknown in ("nobody", NOBODY, "9" * 19, ""):
        refused(await api.http.post(TASKS, json={"command": "x", "agent": unknown}), 404, "not_found")


BAD_TASKS: list[tuple[Json, str]] = [
    ({}, "command"),
    ({"command": ""}, "command"),
    ({"command": " \n"}, "command"),
    ({"command": 7}, "command"),
    ({"command": "x", "title": ""}, "title"),
    ({"command": "x", "title": 7}, "title"),
    ({"command": "x", "userIntent": "swe"}, "userIntent"),
    ({"command": "x", "agent": 7}, "agent"),
    ({"command": "x", "files": {}}, "files"),
    ({"command": "x", "files": [{}]}, "files.0.filename"),
    ({"command": "x", "files": [FILE | {"url": "file:///etc/passwd"}]}, "files.0.url"),
    ({"command": "x", "files": [FILE, FILE | {"url": "ftp://example.com/x"}]}, "files.1.url"),
    ({"command": "x", "files": [FILE | {"url": "//example.com/x"}]}, "files.0.url"),
    ({"command": "x", "files": [FILE | {"mediaType": 1}]}, "files.0.mediaType"),
]


@pytest.mark.parametrize(("body", "field"), BAD_TASKS)
async def test_a_task_that_is_not_made(api: RunningApi, body: Json, field: str) -> None:
    assert field in fields(await api.http.post(TASKS, json=body))
    assert (await api.http.get(TASKS)).json() == {"tasks": [], "nextCursor": None}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "message"),
        ({"message": ""}, "message"),
        ({"message": " \n"}, "message"),
        ({"message": 7}, "message"),
        ({"message": None}, "message"),
        ({"message": "x", "userIntent": "code"}, "userIntent"),
        ({"message": "x", "userIntent": None}, "userIntent"),
        ({"message": "x", "files": None}, "files"),
        ({"message": "x", "files": [7]}, "files.0"),
        ({"message": "x", "files": [FILE | {"url": "javascript:alert(1)"}]}, "files.0.url"),
    ],
)
async def test_a_message_that_does_not_fit(api: RunningApi, body: Json, field: str) -> None:
    task = await made(api)
    assert field in fields(await api.http.post(f"{TASKS}/{task['slug']}/messages", json=body))
    assert len(await jobs(api, task["id"])) == 1


async def test_a_message_is_a_job(api: RunningApi) -> None:
    task = await made(api)
    await api.ask(task["id"], "Which?")
    answer = await api.http.post(
        f"{TASKS}/{task['slug']}/messages",
        json={"message": " This\n", "files": [FILE], "userIntent": "ASK"},
        headers={"Idempotency-Key": "k", "If-Match": '"2"', "Baton-Question": "q1"},
    )
    job = fits(answer, "SendMessageResponse")["job"]
    stored = (await api.http.get(f"/baton/v1/messages/{job['id']}")).json()
    assert (answer.headers["baton-message-id"], answer.headers["etag"]) == (job["id"], '"3"')
    assert answer.headers["baton-execution-id"] == stored["execution_id"]
    assert (stored["text"], stored["answers"], stored["origin"]) == (" This\n", ["q1"], "twill")
    async with api.pool.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM messages WHERE id = $1", UUID(job["id"]))
    assert row is not None
    assert row["attachments"] == [{"filename": "a.txt", "media_type": "text/plain", "url": "data:text/plain,a"}]
    assert (row["metadata"], row["plan_only"]) == ({"userIntent": "ASK"}, True)
    again = await api.http.post(
        f"{TASKS}/{task['id']}/messages",
        json={"message": " This\n", "files": [FILE], "userIntent": "ASK"},
        headers={"Idempotency-Key": "k", "If-Match": '"2"', "Baton-Question": "q1"},
    )
    assert (again.json(), again.headers["idempotent-replayed"]) == (answer.json(), "true")
    assert [again.headers[name] == answer.headers[name] for name in ("baton-message-id", "etag")] == [True, True]
    other = await api.http.post(
        f"{TASKS}/{task['id']}/messages", json={"message": " This\n"}, headers={"Idempotency-Key": "k"}
    )
    refused(other, 422, "idempotency_key_reused")
    stale = await api.http.post(f"{TASKS}/{task['id']}/messages", json={"message": "x"}, headers={"If-Match": '"2"'})
    refused(stale, 412, "precondition_failed")
    assert stale.headers["etag"] == '"3"'
    for header in ({"Baton-Mode": "loud"}, {"Idempotency-Key": "x" * 300}):
        fields(await api.http.post(f"{TASKS}/{task['id']}/messages", json={"message": "x"}, headers=header))


@pytest.mark.parametrize(
    ("intent", "plan_only"), [("SWE", False), ("DEV_ENVIRONMENT", False), ("PLAN", True), ("ASK", True), (None, None)]
)
async def test_what_an_intent_lets_the_agent_do(api: RunningApi, intent: str | None, plan_only: bool | None) -> None:
    said = {} if intent is None else {"userIntent": intent}
    task = await made(api, **said)
    job = await sent(api, task["id"], **said)
    async with api.pool.connection() as connection:
        first = await connection.fetchval("SELECT plan_only FROM tasks WHERE id = $1", UUID(task["id"]))
        then = await connection.fetchval("SELECT plan_only FROM messages WHERE id = $1", UUID(job))
    assert (first, then) == (bool(plan_only), plan_only)
    assert [job["type"] for job in await jobs(api, task["id"])] == [intent or "SWE"] * 2


async def test_an_intent_counts_until_another_is_said(api: RunningApi) -> None:
    task = await made(api, userIntent="PLAN")
    intents: list[str | None] = [None, "ASK", None, None, "SWE", None]
    for intent in intents:
        await sent(api, task["id"], **({} if intent is None else {"userIntent": intent}))
    expected = ["PLAN", "PLAN", "ASK", "ASK", "ASK", "SWE", "SWE"]
    assert [job["type"] for job in await jobs(api, task["id"])] == expected
    page = (await api.http.get(f"{TASKS}/{task['id']}/jobs?limit=3")).json()
    assert [job["type"] for job in page["jobs"]] == expected[-3:]
    page = (await api.http.get(f"{TASKS}/{task['id']}/jobs?limit=3&cursor={page['nextCursor']}")).json()
    assert [job["type"] for job in page["jobs"]] == expected[1:4]
    assert (await latest(api, task["id"]))["type"] == "SWE"


async def test_an_answer_that_breaks_the_schema(api: RunningApi) -> None:
    task = await made(api)
    await api.ask(task["id"], "How many?", schema={"type": "integer"})
    error = refused(
        await api.http.post(f"{TASKS}/{task['id']}/messages", json={"message": "many"}), 400, "validation_error"
    )
    assert 'is not of type "integer"' in error["details"]["issues"][0]["message"]
    await sent(api, task["id"], "3")


async def tell(world: World, route: TaskRoute, mode: SendMode, text: str = "hello") -> None:
    async with world.pool.connection() as connection:
        await messages.accept(connection, route, Draft(text, "twill", mode=mode), author(), relay_seconds=60)


async def test_a_job_from_its_start_to_its_end(api: RunningApi) -> None:
    """By what a worker records: every status, and what it brings."""
    world = await world_of(api)
    route = await world.task()
    task = str(route.task_id)

    async def shown() -> list[tuple[str, str | None, str | None]]:
        found = await jobs(api, task)
        last = await latest(api, task)
        assert {name: found[-1][name] for name in last} == last
        (listed,) = (await api.http.get(TASKS)).json()["tasks"]
        assert listed["latestJobStatus"] == last["status"]
        assert all(bool(job["completedAt"]) <= (job["status"] not in ("PENDING", "IN_PROGRESS")) for job in found)
        return [(job["status"], job["finalAnswer"], job["error"]) for job in found]

    assert await shown() == [("PENDING", None, None)]
    await world.start(route, 1)
    assert await shown() == [("IN_PROGRESS", None, None)]
    await world.record(route, 1, text="Hm", asks=[question("q"), question("p")])
    first = ("COMPLETED", "q?\np?", None)
    assert await shown() == [first]
    await tell(world, route, SendMode.INTERRUPT)
    assert await shown() == [first, ("PENDING", None, None)]
    await world.start(route, 2)
    await tell(world, route, SendMode.INTERRUPT)
    cancelled = ("CANCELLED", None, None)
    assert await shown() == [first, cancelled, ("PENDING", None, None)]
    await world.interrupted(route, 2, text="par")
    await world.start(route, 3)
    assert await shown() == [first, cancelled, ("IN_PROGRESS", None, None)]
    await world.fail(route, 3, "model_broken")
    assert await shown() == [first, cancelled, ("FAILED", None, "model_broken")]
    await tell(world, route, SendMode.QUEUE)
    await world.start(route, 4)
    held = ToolCall("c", "write", {"path": "p"})
    await world.record(route, 4, text="May I?", calls=[held], rules=ToolRules({"*": "ask"}))
    assert (await shown())[-1] == ("COMPLETED", 'May write be called with {"path": "p"}?', None)
    times = [(job["startedAt"], job["completedAt"], job["createdAt"]) for job in await jobs(api, task)]
    assert all(started <= completed and created <= started for started, completed, created in times)


async def test_a_plan_is_what_a_planning_job_came_to(api: RunningApi) -> None:
    world = await world_of(api)
    task = await made(api, userIntent="PLAN")
    route = await api.app.state.baton.routes.find(whole_tenant(world.tenant), _by_id(task["id"]))
    await world.start(route, 1)
    await world.record(route, 1, text="First this, then that")
    job = await latest(api, task["id"])
    assert (job["plan"], job["finalAnswer"]) == ("First this, then that", "First this, then that")
    await sent(api, task["id"], "Go", userIntent="SWE")
    await world.start(route, 2)
    await world.record(route, 2, text="Done")
    job = await latest(api, task["id"])
    assert (job["plan"], job["finalAnswer"]) == (None, "Done")


async def test_a_planning_job_that_asks_has_no_plan_yet(api: RunningApi) -> None:
    world = await world_of(api)
    task = await made(api, userIntent="PLAN")
    route = await api.app.state.baton.routes.find(whole_tenant(world.tenant), _by_id(task["id"]))
    await world.start(route, 1)
    await world.record(route, 1, asks=[question("q")])
    job = await latest(api, task["id"])
    assert (job["plan"], job["finalAnswer"]) == (None, "q?")


async def test_tasks_by_page(api: RunningApi) -> None:
    tasks = [await made(api, f"!say {n}") for n in range(5)]
    await start_task(api.client(api.other_key))
    seen: list[Json] = []
    query: dict[str, Any] = {"limit": 2}
    for expected in (2, 2, 1):
        page = fits(await api.http.get(TASKS, params=query), "ListTasksResponse")
        assert len(page["tasks"]) == expected
        seen += page["tasks"]
        query["cursor"] = page["nextCursor"]
    assert query["cursor"] is None
    assert [{k: t[k] for k in ("id", "slug", "title", "url")} for t in seen] == tasks[::-1]
    assert {t["latestJobStatus"] for t in seen} == {"PENDING"}
    exact = fits(await api.http.get(TASKS, params={"limit": 5}), "ListTasksResponse")
    assert (len(exact["tasks"]), exact["nextCursor"]) == (5, None)
    assert len((await api.http.get(TASKS)).json()["tasks"]) == 5

    gone = await api.http.post(f"{TASKS}/{tasks[4]['slug']}/archive")
    assert fits(gone, "TaskDoneResponse") == {"success": True, "task": {"id": tasks[4]["id"]}}
    assert (await api.http.post(f"{TASKS}/{tasks[4]['id']}/archive")).json() == gone.json()
    assert [t["id"] for t in (await api.http.get(TASKS)).json()["tasks"]] == [t["id"] for t in tasks[3::-1]]
    assert (await api.http.get(f"{TASKS}/{tasks[4]['slug']}")).status_code == 200
    await sent(api, tasks[4]["slug"])


async def test_jobs_by_page(api: RunningApi) -> None:
    """The last page first, each in the order in which they came."""
    task = await made(api, "number 0")
    for n in range(1, 6):
        await sent(api, task["id"], f"number {n}")
    inputs: list[str] = []
    query: dict[str, Any] = {"limit": 4}
    for expected in (4, 2):
        page = fits(await api.http.get(f"{TASKS}/{task['slug']}/jobs", params=query), "ListTaskJobsResponse")
        assert len(page["jobs"]) == expected
        inputs = [job["input"] for job in page["jobs"]] + inputs
        query["cursor"] = page["nextCursor"]
    assert query["cursor"] is None
    assert inputs == [f"number {n}" for n in range(6)]
    statuses = [job["status"] for job in await jobs(api, task["id"])]
    assert statuses == ["CANCELLED"] * 5 + ["PENDING"]  # one turn will read them all


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=1.5", "limit=", "limit=%C2%B2", "limit=" + "9" * 30, "cursor=x",
              "cursor=WyJ4Il0", "cursor=WzBd", "cursor=%00", "cursor=" + "A" * 500]
)  # fmt: skip
async def test_a_page_that_there_is_not(api: RunningApi, query: str) -> None:
    task = await made(api)
    for path in (TASKS, f"{TASKS}/{task['id']}/jobs"):
        assert fields(await api.http.get(f"{path}?{query}")) == [query.partition("=")[0]]


async def test_a_tasks_cancel(api: RunningApi) -> None:
    task = await made(api)
    done = await api.http.post(f"{TASKS}/{task['slug']}/cancel", json={})
    assert fits(done, "TaskDoneResponse") == {"success": True, "task": {"id": task["id"]}}
    assert (await api.http.post(f"{TASKS}/{task['slug']}/cancel")).json() == done.json()
    assert (await latest(api, task["id"]))["status"] == "CANCELLED"
    assert (await api.http.get(f"/baton/v1/tasks/{task['id']}")).json()["state"] == "paused"
    job = await sent(api, task["id"])  # the next job
    assert (await latest(api, task["id"]))["id"] == job
    assert (await api.http.get(f"/baton/v1/tasks/{task['id']}")).json()["state"] == "running"
    over = await made(api)
    await api.set_task(over["id"], state=TaskState.SUCCEEDED)
    refused(await api.http.post(f"{TASKS}/{over['id']}/cancel"), 409, "conflict")


async def test_a_jobs_cancel_pauses_its_task_and_no_later_job(api: RunningApi) -> None:
    task = await made(api)
    job = await sent(api, task["id"])
    first = await api.http.post(f"{JOBS}/{task['id']}/cancel")  # superseded: nothing is paused
    assert fits(first, "JobDoneResponse")["job"] == {"id": task["id"], "status": "CANCELLED"}
    assert (await latest(api, task["id"]))["status"] == "PENDING"
    done = await api.http.post(f"{JOBS}/{job}/cancel", json={})
    assert fits(done, "JobDoneResponse") == {"success": True, "job": {"id": job, "status": "CANCELLED"}}
    own = await api.http.get(f"/baton/v1/tasks/{task['id']}")
    assert own.json()["state"] == "paused"
    assert done.headers["etag"] == own.headers["etag"]
    later = await sent(api, task["id"])
    assert (await api.http.post(f"{JOBS}/{job}/cancel")).status_code == 200
    assert [job["status"] for job in await jobs(api, task["id"])] == ["CANCELLED", "CANCELLED", "PENDING"]
    assert (await api.http.get(f"/baton/v1/tasks/{task['id']}")).json()["state"] == "running"
    world = await world_of(api)
    route = await api.app.state.baton.routes.find(whole_tenant(world.tenant), _by_id(task["id"]))
    await world.start(route, 1)
    await world.record(route, 1)
    refused(await api.http.post(f"{JOBS}/{later}/cancel"), 409, "conflict")


async def test_nobody_elses_and_no_task(api: RunningApi) -> None:
    task = await made(api)
    job = await sent(api, task["id"])
    theirs = api.client(api.other_key)
    async with api.pool.connection() as connection:
        agent = await agents.insert(connection, Agent(await api.tenant_id(), uuid4(), 0, "other", "scripted"))
    foreign = api.client(await api.new_key(agent_number=agent.number))
    before = (await api.http.get(f"{TASKS}/{task['id']}")).json()
    named = (task["id"], task["slug"])
    nothing = (NOBODY, "x", "no-such-7", f"{task['slug']}0", "%00", "x" * 5000, "é-1", "-1", "plan-1", "{x}")
    for client, names in ((theirs, named), (foreign, named), (api.http, nothing)):
        for name in names:
            for method, path, body in (
                ("GET", "", None),
                ("GET", "/jobs", None),
                ("POST", "/messages", {"message": "x"}),
                ("POST", "/cancel", None),
                ("POST", "/archive", None),
            ):
                refused(await client.request(method, f"{TASKS}/{name}{path}", json=body), 404, "not_found")
    for client, names in ((theirs, (job, task["id"])), (foreign, (job, task["id"])), (api.http, nothing)):
        for name in names:
            assert refused(await client.get(f"{JOBS}/{name}/logs/stream"), 404, "not_found")["message"]
            refused(await client.post(f"{JOBS}/{name}/cancel"), 404, "not_found")
    for client in (theirs, foreign):
        assert (await client.get(TASKS)).json() == {"tasks": [], "nextCursor": None}
    assert (await api.http.get(f"{TASKS}/{task['id']}")).json() == before
    own = (await start_task(foreign))["tasks"][0]["id"]
    assert [t["id"] for t in (await foreign.get(TASKS)).json()["tasks"]] == [own]


async def test_who_may_do_what(api: RunningApi) -> None:
    task = await made(api)
    calls = {
        Scope.READ: [("GET", "/api/v1/auth/me"), ("GET", "/api/v1/repositories"),
                     ("GET", TASKS), ("GET", f"{TASKS}/{task['id']}"),
                     ("GET", f"{TASKS}/{task['id']}/jobs"), ("GET", f"{JOBS}/{NOBODY}/logs/stream")],
        Scope.SEND: [("POST", f"{TASKS}/{NOBODY}/messages")],
        Scope.WRITE: [("POST", TASKS), ("POST", f"{TASKS}/{NOBODY}/cancel"), ("POST", f"{TASKS}/{NOBODY}/archive"),
                      ("POST", f"{JOBS}/{NOBODY}/cancel")],
    }  # fmt: skip
    assert sum(map(len, calls.values())) == sum(len(methods) for methods in DOCUMENT["paths"].values())
    for held in Scope:
        client = api.client(await api.new_key(held))
        for needed, routes in calls.items():
            for method, path in routes:
                body = {"message": "x", "command": ""} if method == "POST" else None
                answer = await client.request(method, path, json=body)
                assert (answer.status_code != 403) == (held in (needed, Scope.ADMIN)), (held, path)
                if answer.status_code == 403:
                    refused(answer, 403, "forbidden")


async def test_errors_have_the_dialects_shape_everywhere(api: RunningApi) -> None:
    task = await made(api)
    url = f"{TASKS}/{task['id']}/messages"
    for key in (None, "baton_nobody"):
        answer = await api.client(key).post(url, content=b"{")
        refused(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in (
        f"{TASKS}/{task['id']}/nothing",
        f"{TASKS}/",
        f"{TASKS}/a/b/c/d",
        JOBS,
        f"{JOBS}/x",
        "/api/v1/auth/me/x",
    ):
        refused(await api.http.get(path), 404, "not_found")
    answer = await api.http.delete(f"{TASKS}/{task['id']}")
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]
    for content in (b"", b"{", b"[]", b"null", b"\xff", b'{"message": 1' + b"0" * 30 + b"}", b"[" * 10_000,
                    b'{"message": "\\u0000"}', b'{"message": "\\ud800"}'):  # fmt: skip
        for path in (url, TASKS):
            answer = await api.http.post(path, content=content, headers={"Content-Type": "application/json"})
            refused(answer, 400, "validation_error")
    large = b'{"message": "' + b"x" * api.settings.max_body_bytes + b'"}'
    refused(await api.http.post(url, content=large), 413, "payload_too_large")
    answer = await api.http.post(url, content=b"x", headers={"Content-Type": "text/plain"})
    refused(answer, 415, "unsupported_media_type")
    for cursor in ("x", "1.x", "99999"):
        answer = await api.http.get(f"{JOBS}/{task['id']}/logs/stream", headers={"Last-Event-ID": cursor})
        refused(answer, 400, "validation_error")


@pytest.mark.parametrize("host", ["baton.example:8443", "[::1]:80"])
async def test_addresses_are_those_of_the_request(api: RunningApi, host: str) -> None:
    answer = await api.http.post(TASKS, json={"command": "x"}, headers={"Host": host})
    assert answer.json()["task"]["url"].startswith(f"http://{host}{TASKS}/")


@pytest.mark.parametrize("host", ["", "a b", "[", "x/../y", "<script>", "a:b:c", "x" * 300])
async def test_addresses_where_the_host_is_none(api: RunningApi, host: str) -> None:
    answer = await api.http.post(TASKS, json={"command": "x"}, headers={"Host": host})
    assert answer.json()["task"]["url"].startswith(f"{api.url}{TASKS}/")


async def test_while_the_database_is_away(database_url: str) -> None:
    async with running_api(database_url, pool_timeout_seconds=0.5) as lone:
        task = await made(lone)
        http = lone.http
        assert (await http.get(f"{TASKS}/{task['id']}")).status_code == 200
        await lone.app.state.baton.pool.close()
        answer = await http.post(f"{TASKS}/{task['id']}/messages", json={"message": "x"})
        refused(answer, 503, "service_unavailable")
        assert answer.headers["retry-after"]


async def worked(api: RunningApi) -> tuple[World, TaskRoute]:
    """A task of which two jobs are done."""
    world = await world_of(api)
    route = await world.task()
    await world.start(route, 1)
    said = await world.stream(route, 1, "Hel")
    await world.record(route, 1, text="Hello", streamed=[], asks=[question("q")])
    await tell(world, route, SendMode.QUEUE, "And now?")
    await world.start(route, 2)
    await world.stream(route, 2, "Second")
    await world.record(route, 2, text="Second")
    assert said.text == "Hel"
    return world, route


async def test_the_log_of_a_job_that_is_over_is_its_own(api: RunningApi) -> None:
    _, route = await worked(api)
    first, second = [job["id"] for job in await jobs(api, str(route.task_id))]
    log = await log_of(api.http, first)
    assert kinds(log) == ["connected", "status", "text", "message", "question", "historical_complete", "complete"]
    assert (log[1]["status"], log[2]["text"], log[3]["content"]) == ("IN_PROGRESS", "Hel", "Hello")
    assert (log[4]["id"], log[4]["question"], log[-1]["status"]) == ("q", "q?", "completed")
    assert all(datetime.fromisoformat(frame["timestamp"]) for frame in log[1:-2])
    log = await log_of(api.http, second)
    assert kinds(log) == ["connected", "status", "text", "message", "historical_complete", "complete"]
    assert log[2]["text"] == "Second"


async def test_a_log_can_be_cut_after_every_frame(api: RunningApi) -> None:
    _, route = await worked(api)
    for job in await jobs(api, str(route.task_id)):
        whole = await log_of(api.http, job["id"])
        happened = [frame for frame in whole if "timestamp" in frame]
        assert len(happened) >= 3
        for number, frame in enumerate(happened, 1):
            if frame["type"] == "question":
                continue  # its own id stands in its data
            rest = await log_of(api.http, job["id"], frame["id"])
            assert rest == [whole[0], *happened[number:], *whole[-2:]]


async def test_a_browser_is_told_that_a_log_is_over(api: RunningApi) -> None:
    _, route = await worked(api)
    first, second = [job["id"] for job in await jobs(api, str(route.task_id))]
    for job in (first, second):
        log = await log_of(api.http, job)
        text = next(frame for frame in log if frame["type"] == "text")
        url = f"{JOBS}/{job}/logs/stream"
        assert (await api.http.get(url, headers={"Last-Event-ID": log[-1]["id"]})).status_code == 204
        assert (await api.http.get(url, headers={"Last-Event-ID": text["id"]})).status_code == 200


async def test_a_log_is_live_and_ends_with_its_job(api: RunningApi) -> None:
    world = await world_of(api)
    route = await world.task()
    log: list[Json] = []
    async with asyncio.timeout(20), api.http.stream("GET", f"{JOBS}/{route.task_id}/logs/stream") as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        async for line in answer.aiter_lines():
            if not line.startswith("data: "):
                continue
            log.append(json.loads(line.removeprefix("data: ")))
            if log[-1]["type"] == "historical_complete":
                await world.start(route, 1)
                await world.stream(route, 1, "Hel")
                await tell(world, route, SendMode.QUEUE)
                await world.record(route, 1, text="Hello")
                await world.start(route, 2)
                await world.stream(route, 2, "not mine")
                api.app.state.baton.notifier.events(route.execution_id)
    assert kinds(log) == ["connected", "historical_complete", "status", "text", "message", "complete"]
    assert log[-1]["status"] == "completed"


@pytest.mark.parametrize("what", ["superseded", "paused", "cancelled", "withdrawn", "dead"])
async def test_a_log_ends_with_a_job_that_no_turn_has_read(api: RunningApi, what: str) -> None:
    task = await made(api)
    job = await sent(api, task["id"])
    following = asyncio.create_task(log_of(api.http, job))
    route = await api.app.state.baton.routes.find(whole_tenant(await api.tenant_id()), _by_id(task["id"]))
    await _is_followed(api, route)
    actions = {
        "superseded": ("POST", f"{TASKS}/{task['id']}/messages", {"message": "x"}),
        "paused": ("POST", f"{JOBS}/{job}/cancel", None),
        "cancelled": ("POST", f"{TASKS}/{task['id']}/cancel", None),
        "dead": ("POST", f"{TASKS}/{task['id']}/cancel", None),
        "withdrawn": ("DELETE", f"/baton/v1/messages/{job}", None),
    }
    method, path, body = actions[what]
    assert (await api.http.request(method, path, json=body)).status_code == 200
    assert kinds(await following) == ["connected", "historical_complete", "complete"]
    assert (await following)[-1]["status"] == "cancelled"
    assert kinds(await log_of(api.http, job)) == ["connected", "historical_complete", "complete"]


async def test_frames_are_made_of_one_event_alone(api: RunningApi) -> None:
    task = await made(api)
    who = Principal(await api.tenant_id(), api.tenant, "s", "k", frozenset())
    errand = await get_errand(api.app.state.baton, who, UUID(task["id"]))
    encoder = job_encoder(api.app.state.baton, who, errand)
    execution = errand.execution_id
    for body in BODIES:
        turns = (0, 1, 2) if isinstance(body, OfTurn) else (None,)
        for turn in turns:
            said = replace(body, turn=turn) if isinstance(body, OfTurn) and turn is not None else body
            one = event(said, task=errand.task_id)
            made_of = encoder.frames(execution, one)
            assert made_of == encoder.frames(execution, one)
            assert turn == 1 or not made_of
            assert not encoder.frames(execution, event(said))


async def _is_followed(api: RunningApi, route: TaskRoute) -> None:
    async with asyncio.timeout(20):
        while route.execution_id not in api.app.state.baton.feed._topics:
            await asyncio.sleep(0.01)


def _by_id(task: str) -> TaskById:
    return TaskById(UUID(task))
