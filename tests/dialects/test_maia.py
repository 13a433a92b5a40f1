"""Does Maia's client see what its page says?"""

import asyncio
import itertools
import json
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from jsonschema import Draft202012Validator

from api.dialects.maia import log, maia_dialect
from api.dialects.maia.schemas import WORDS
from api.dialects.maia.translate import STATUS
from baton.domain import events
from baton.domain.agents import Agent, Scope
from baton.domain.approvals import ToolRules, Verdict
from baton.domain.conversation import ModelReply, Question, ToolCall
from baton.domain.ids import StepKey
from baton.domain.states import TaskState
from baton.store import agents, steps, tools
from baton.store.tools import StartedCall
from tests.dialects.requests import Json, start_plan, start_task, task_ids
from tests.support.api import RunningApi, running_api
from tests.support.events import BODIES, ended, event

TASKS = "/v1/ai/agents/tasks"
RULES = ToolRules({"*": "ask"}, frozenset({"look"}))
DOCUMENT = maia_dialect().app.openapi()
AGENT = {"name": "data_engineer_agent"}


def fits(answer: httpx.Response, schema: str, status: int = 200) -> Json:
    """A body, which must be of that status and as our document says."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}).validate(  # pyright: ignore[reportUnknownMemberType]
        answer.json()
    )
    body: Json = answer.json()
    return body


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    """A problem, which must be of that status and code, and of the published shape."""
    body = answer.json()
    assert (answer.status_code, body["status"]) == (status, status), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["type"] == f"urn:baton:problem:{code}", body
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == answer.request.url.path
    named = set(DOCUMENT["components"]["schemas"]["ProblemDetail"]["properties"])
    assert named - {"violations"} <= body.keys() <= named
    assert ("violations" in body) == (status in (400, 422))
    assert all(isinstance(one, str) for one in body.get("violations", ()))
    return dict(body)


async def single(api: RunningApi, prompt: str = "!say hello", **more: Any) -> tuple[str, str]:
    """A task that was made in Baton's words: its uuid, its execution's."""
    execution = await start_task(api.http, prompt, **more)
    return execution["tasks"][0]["id"], execution["id"]


async def make(api: RunningApi, message: str = "!say hello", **body: Any) -> str:
    """A task that was made here; its uuid."""
    answer = await api.http.post(TASKS, json={"agentConfig": AGENT, "message": message} | body)
    return str(fits(answer, "CreateTaskResponse", 201)["taskId"])


async def detail(api: RunningApi, task: str) -> Json:
    return fits(await api.http.get(f"{TASKS}/{task}"), "TaskDetail")


async def own(api: RunningApi, task: str) -> Json:
    """A task as Baton's own API has it."""
    shown: Json = (await api.http.get(f"/baton/v1/tasks/{task}")).json()
    return shown


async def key_of(api: RunningApi, task: str, turn: int = 1) -> StepKey:
    execution = (await own(api, task))["execution_id"]
    return StepKey(await api.tenant_id(), UUID(execution), UUID(task), turn, 0)


async def turn(api: RunningApi, task: str, number: int = 1) -> None:
    """Have a worker begin a turn."""
    async with api.pool.transaction() as connection:
        await steps.start_step(connection, await key_of(api, task, number))


async def hold(api: RunningApi, task: str, *calls: ToolCall, asks: str | None = None) -> None:
    """Have a worker take the task's first turn, in which the agent wants to make ``calls``, and may ask something."""
    await turn(api, task)
    questions = []
    asking: tuple[ToolCall, ...] = ()
    if asks is not None:
        questions = [Question("q1", asks, ("yes", "no"), call_id="ask", turn=1)]
        asking = (ToolCall("ask", "ask_user", {"question": asks}),)
    async with api.pool.transaction() as connection:
        await steps.record_step(
            connection,
            await key_of(api, task),
            1,
            ModelReply("", (*asking, *calls), {"text": ""}),
            questions,
            (),
            (),
            RULES,
        )
    assert (await own(api, task))["state"] == "waiting"


def decision(kind: str, about: str, *chosen: str, **more: Any) -> Json:
    """One decision; ``chosen`` is the answer to a question."""
    answers = {"answers": [{"questionIndex": 0, "selectedOptions": list(chosen)}]} if chosen else {}
    return {"type": kind, "id": about} | answers | more


async def decide(api: RunningApi, task: str, *decisions: Json, **headers: str) -> httpx.Response:
    return await api.http.post(f"{TASKS}/{task}/decisions", json={"decisions": list(decisions)}, headers=headers)


def test_statuses_are_the_published_ones_for_every_standing() -> None:
    assert set(STATUS) == set(itertools.product(TaskState, (False, True)))
    assert set(STATUS.values()) == {"RUNNING", "STOPPED", "STOPPING", "ERRORED"}


async def test_a_task_is_made(api: RunningApi) -> None:
    config = AGENT | {"environmentName": "dev", "projectId": str(uuid4()), "mode": "PLAN", "tags": [1, {"a": None}]}
    body = {"agentConfig": config, "message": "!say hi", "grantedPermissions": [{"toolName": "write_note"}] * 2}
    answer = await api.http.post(TASKS, json=body)
    made = fits(answer, "CreateTaskResponse", 201)
    task = made["taskId"]
    shown = await own(api, task)
    assert made.pop("warnings")[0].endswith("'write_note'")  # no worker is here that could have it
    assert made == {
        "taskId": task,
        "status": "RUNNING",
        "agentName": "data_engineer_agent",
        "createdAt": shown["created_at"],
    }
    assert answer.headers["baton-execution-id"] == shown["execution_id"]
    assert (shown["agent"]["name"], shown["plan_only"], shown["granted_tools"]) == ("assistant", True, ["write_note"])
    assert await detail(api, task) == {
        "taskId": task,
        "status": "RUNNING",
        "description": "!say hi",
        "createdAt": shown["created_at"],
        "modifiedAt": shown["updated_at"],
        "agentConfig": config,
        "grantedPermissions": [{"toolName": "write_note"}],
        "pendingDecisions": [],
    }
    headers = (await api.http.get(f"{TASKS}/{task}")).headers
    assert (headers["etag"], headers["baton-execution-id"]) == ('"1"', shown["execution_id"])


@pytest.mark.parametrize("mode", [{}, {"mode": None}, {"mode": "ACT"}])
async def test_a_task_acts_unless_it_is_to_plan(api: RunningApi, mode: Json) -> None:
    task = await make(api, agentConfig=AGENT | mode, grantedPermissions=None)
    assert (await own(api, task))["plan_only"] is False
    assert (await detail(api, task))["agentConfig"]["mode"] == "ACT"


@pytest.mark.parametrize("levels", [100, 300, 900])
async def test_a_config_that_is_nested_deep(api: RunningApi, levels: int) -> None:
    """Kept as it is, or refused: never worse than that."""
    config = '{"name": "data_engineer_agent", "more": ' + '{"a":' * levels + "1" + "}" * (levels + 1)
    body, text = f'{{"message": "x", "agentConfig": {config}}}', {"Content-Type": "application/json"}
    answer = await api.http.post(TASKS, content=body, headers=text)
    if levels == 100:
        kept = (await api.http.get(f"{TASKS}/{answer.json()['taskId']}")).json()["agentConfig"]
        assert kept == json.loads(config) | {"mode": "ACT"}
    else:
        refused(answer, 400, "invalid-request")
    task = await make(api)
    answer = await api.http.post(f"{TASKS}/{task}/messages", content=body, headers=text)
    assert answer.status_code == 202 if levels == 100 else refused(answer, 400, "invalid-request")


async def test_an_agent_by_its_name(api: RunningApi) -> None:
    async with api.pool.connection() as connection:
        agent = await agents.insert(connection, Agent(await api.tenant_id(), uuid4(), 0, "second", "scripted"))
    for name in ("second", str(agent.id), str(agent.number)):
        task = await make(api, agentConfig={"name": name})
        assert (await own(api, task))["agent"]["name"] == "second"
        assert (await detail(api, task))["agentConfig"] == {"name": name, "mode": "ACT"}
    answer = await api.http.post(TASKS, json={"agentConfig": {"name": "nobody"}, "message": "x"})
    refused(answer, 404, "agent-not-found")


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({}, "agentConfig: Field required"),
        ({"agentConfig": AGENT}, "message: Field required"),
        ({"agentConfig": AGENT, "message": ""}, "message: String should have at least 1 character"),
        ({"agentConfig": AGENT, "message": " \n"}, "prompt: prompt must not be empty"),
        ({"agentConfig": AGENT, "message": 5}, "message: Input should be a valid string"),
        ({"agentConfig": AGENT, "message": "a\x00"}, "text contains NUL (U+0000)"),
        ({"agentConfig": {}, "message": "x"}, "agentConfig.name: Field required"),
        ({"agentConfig": None, "message": "x"}, "agentConfig: Input should be a valid dictionary"),
        ({"agentConfig": {"name": ""}, "message": "x"}, "agentConfig.name: String should have at least 1 character"),
        (
            {"agentConfig": AGENT | {"mode": "plan"}, "message": "x"},
            "agentConfig.mode: Input should be 'PLAN' or 'ACT'",
        ),
        (
            {"agentConfig": AGENT, "message": "x", "grantedPermissions": [{"toolName": ""}]},
            "grantedPermissions.0.toolName: String should have at least 1 character",
        ),
        (
            {"agentConfig": AGENT, "message": "x", "grantedPermissions": "all"},
            "grantedPermissions: Input should be a valid list",
        ),
        ([], "the body must be a JSON object"),
    ],
)
async def test_a_task_that_is_not_made(api: RunningApi, body: Any, violation: str) -> None:
    problem = refused(await api.http.post(TASKS, json=body), 400, "invalid-request")
    assert any(one.startswith(violation) for one in problem["violations"]), problem
    assert (await api.http.get(TASKS)).json()["total"] == 0


@pytest.mark.parametrize(
    ("state", "turn_open", "status"),
    [
        ("pending", False, "RUNNING"),
        ("running", False, "RUNNING"),
        ("running", True, "RUNNING"),
        ("waiting", False, "STOPPED"),
        ("paused", False, "STOPPED"),
        ("paused", True, "STOPPING"),
        ("succeeded", False, "STOPPED"),
        ("failed", False, "ERRORED"),
        ("cancelled", False, "STOPPED"),
    ],
)
async def test_every_status(api: RunningApi, state: str, turn_open: bool, status: str) -> None:
    task, execution = await single(api)
    await api.set_task(task, state=state, turn_open=turn_open)
    answer = await api.http.get(f"{TASKS}/{task}")
    assert fits(answer, "TaskDetail")["status"] == status
    assert (answer.headers["etag"], answer.headers["baton-execution-id"]) == ('"2"', execution)
    for asked in ("RUNNING", "STOPPED", "STOPPING", "ERRORED"):
        page = fits(await api.http.get(TASKS, params={"status": asked}), "TaskList")
        assert [one["taskId"] for one in page["tasks"]] == ([task] if asked == status else [])
        assert page["total"] == len(page["tasks"])


async def test_tasks_by_page(api: RunningApi) -> None:
    project = str(uuid4())
    config = AGENT | {"projectId": project, "sourceBranchName": "main", "mode": "PLAN"}
    made = [await make(api, f"!say {n}", agentConfig=config) for n in range(3)]
    in_plan = list((await task_ids(api.http, await start_plan(api.http))).values())
    expected = [*in_plan, *reversed(made)]
    seen: list[str] = []
    for number, counted in enumerate((3, 1, 0)):
        page = fits(await api.http.get(TASKS, params={"page": number, "size": 3}), "TaskList")
        assert (page["page"], page["size"], page["total"], len(page["tasks"])) == (number, 3, 4, counted)
        seen += [one["taskId"] for one in page["tasks"]]
    assert seen == expected
    page = fits(await api.http.get(TASKS), "TaskList")
    assert (page["page"], page["size"], page["total"]) == (0, 20, 4)
    shown = await own(api, made[2])
    assert page["tasks"][1] == {
        "taskId": made[2],
        "status": "RUNNING",
        "agentName": "data_engineer_agent",
        "mode": "PLAN",
        "description": "!say 2",
        "createdAt": shown["created_at"],
        "modifiedAt": shown["updated_at"],
        "projectId": project,
        "branchId": "main",
    }
    assert page["tasks"][0]["agentName"] == "assistant"
    assert (await api.client(api.other_key).get(TASKS)).json()["total"] == 0


@pytest.mark.parametrize(
    "query",
    [
        "status=stopped",
        "status=",
        "page=-1",
        "size=0",
        "size=101",
        "page=x",
        "page=9999999999",
        "size=1e2",
        "status=%00",
    ],
)
async def test_a_page_that_there_is_not(api: RunningApi, query: str) -> None:
    problem = refused(await api.http.get(f"{TASKS}?{query}"), 400, "invalid-request")
    assert [one.split(":")[0] for one in problem["violations"]] == [f"query.{query.split('=')[0]}"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"agentConfig": {"name": "x"}},
        {"agentConfig": None, "grantedPermissions": None},
        {"agentConfig": AGENT | {"targetBranchName": None, "mode": None}, "grantedPermissions": [], "more": 1},
    ],
)
async def test_a_message_to_a_waiting_task(api: RunningApi, more: Json) -> None:
    task, execution = await single(api)
    await api.ask(task, "Which?")
    answer = await api.http.post(f"{TASKS}/{task}/messages", json={"message": " This\n"} | more)
    assert fits(answer, "SendMessageResponse", 202) == {"taskId": task}
    stored = (await api.http.get(f"/baton/v1/messages/{answer.headers['baton-message-id']}")).json()
    assert (stored["text"], stored["answers"], stored["origin"]) == (" This\n", ["q1"], "maia")
    assert answer.headers["baton-execution-id"] == execution
    assert answer.headers["etag"] == '"3"'
    shown = await detail(api, task)
    assert (shown["status"], shown["pendingDecisions"]) == ("RUNNING", [])


async def test_the_headers_of_a_send_count(api: RunningApi) -> None:
    task, _ = await single(api)
    await api.ask(task, "Which?")
    path, body = f"{TASKS}/{task}/messages", {"message": "hello"}
    answer = await api.http.post(path, json=body, headers={"If-Match": '"1"'})
    refused(answer, 412, "outdated")
    assert answer.headers["etag"] == '"2"'
    refused(await api.http.post(path, json=body, headers={"Baton-Question": "q9"}), 412, "outdated")
    headers = {"If-Match": '"2"', "Baton-Question": "q1", "Idempotency-Key": "k"}
    first = await api.http.post(path, json=body, headers=headers)
    again = await api.http.post(path, json=body, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["baton-message-id"] == first.headers["baton-message-id"]
    problem = refused(
        await api.http.post(path, json={"message": "else"}, headers=headers), 422, "idempotency-key-reused"
    )
    assert problem["violations"][0].startswith("header.Idempotency-Key: ")
    # the same key and message through another door is the same message
    other = await api.http.post(f"/baton/v1/tasks/{task}/messages", json={"text": "hello"}, headers=headers)
    assert (other.status_code, other.json()["id"]) == (202, first.headers["baton-message-id"])
    assert other.headers["idempotent-replayed"] == "true"
    refused(await api.http.post(path, json=body, headers={"Baton-Mode": "reject"}), 409, "task-busy")
    refused(await api.http.post(path, json=body, headers={"Baton-Mode": "no"}), 400, "invalid-request")


async def test_an_answer_that_breaks_the_schema(api: RunningApi) -> None:
    task, _ = await single(api)
    await api.ask(task, "How many?", schema={"type": "integer"})
    answer = await api.http.post(f"{TASKS}/{task}/messages", json={"message": "many"})
    problem = refused(answer, 422, "answer-refused")
    assert 'not of type "integer"' in problem["violations"][0]
    assert (await detail(api, task))["pendingDecisions"] == [
        {
            "type": "question",
            "id": "q1",
            "questions": [{"question": "How many?", "options": [], "schema": {"type": "integer"}}],
        }
    ]
    problem = refused(await decide(api, task, decision("question", "q1", "many")), 422, "answer-refused")
    assert (await detail(api, task))["status"] == "STOPPED"
    assert fits(await decide(api, task, decision("question", "q1", "3")), "PendingDecisions") == {
        "pendingDecisions": []
    }


@pytest.mark.parametrize(
    ("config", "before", "after"),
    [
        (None, True, True),
        (AGENT, True, True),
        (AGENT | {"mode": None}, True, True),
        (AGENT | {"mode": "ACT"}, True, False),
        (AGENT | {"mode": "PLAN"}, False, True),
        (AGENT | {"mode": "ACT"}, False, False),
    ],
)
async def test_a_message_sets_the_mode_from_its_turn_on(
    api: RunningApi, config: Json | None, before: bool, after: bool
) -> None:
    task = await make(api, agentConfig=AGENT | {"mode": "PLAN" if before else "ACT"})
    body = {"message": "go on"} | ({} if config is None else {"agentConfig": config})
    fits(await api.http.post(f"{TASKS}/{task}/messages", json=body), "SendMessageResponse", 202)
    assert (await own(api, task))["plan_only"] is before
    await turn(api, task)
    assert (await own(api, task))["plan_only"] is after
    assert (await detail(api, task))["agentConfig"]["mode"] == ("PLAN" if after else "ACT")


async def test_permissions_run_the_calls_they_cover_and_decline_the_rest(api: RunningApi) -> None:
    task = await make(api)
    await api.give_tools("write", "drop")
    await hold(api, task, ToolCall("c1", "write", {"path": "/a"}), ToolCall("c2", "drop", {}))
    body = {"message": "you may write", "grantedPermissions": [{"toolName": "write"}]}
    fits(await api.http.post(f"{TASKS}/{task}/messages", json=body), "SendMessageResponse", 202)
    await turn(api, task, 2)
    assert (await detail(api, task))["grantedPermissions"] == [{"toolName": "write"}]
    async with api.pool.transaction() as connection:
        made = await tools.start_tool(connection, await key_of(api, task), "c1")
    assert isinstance(made, StartedCall)
    assert made.call == ToolCall("c1", "write", {"path": "/a"})
    results = (await api.http.get(f"{TASKS}/{task}/messages")).json()["results"]
    decided = {r["data"]["toolName"]: r["data"] for r in results if r["data"]["type"] == "permission_decision"}
    assert {name: data["decision"] for name, data in decided.items()} == {"write": "approved", "drop": "declined"}
    assert decided["drop"]["reason"] == "you may write"


async def test_what_is_pending(api: RunningApi) -> None:
    task = await make(api)
    await hold(api, task, ToolCall("c1", "write", {"path": "/a"}), asks="Sure?")
    question, tool = (await detail(api, task))["pendingDecisions"]
    (approval,) = (await own(api, task))["approvals"]
    assert question == {
        "type": "question",
        "id": "q1",
        "questions": [{"question": "Sure?", "options": ["yes", "no"], "schema": None}],
    }
    assert tool == {
        "type": "tool",
        "toolId": approval["id"],
        "toolName": "write",
        "toolInput": {"path": "/a"},
        "permissionMessage": {"title": "Call write", "body": 'May write be called with {"path": "/a"}?'},
    }


def test_verdicts_are_words_of_consent_refusal_or_answer() -> None:
    assert set(WORDS.values()) == {*Verdict, None}
    assert all(word == word.lower() for word in WORDS)


@pytest.mark.parametrize("kind", [*WORDS, "APPROVE", "Tool"])
async def test_a_decision(api: RunningApi, kind: str) -> None:
    task = await make(api)
    verdict = WORDS[kind.lower()]
    if verdict is None:
        await hold(api, task, asks="Sure?")
        said = decision(kind, "q1", "yes")
    else:
        await hold(api, task, ToolCall("c1", "write", {}))
        (tool,) = (await detail(api, task))["pendingDecisions"]
        said = decision(kind, tool["toolId"])
    answer = await decide(api, task, said)
    assert fits(answer, "PendingDecisions") == {"pendingDecisions": []}
    now = await api.http.get(f"/baton/v1/tasks/{task}")
    assert now.json()["state"] == "running"
    assert answer.headers["etag"] == now.headers["etag"]
    assert answer.headers["baton-execution-id"] == now.json()["execution_id"]
    if verdict is None:
        message = (await api.http.get(f"/baton/v1/messages/{answer.headers['baton-message-id']}")).json()
        assert (message["text"], message["answers"], message["origin"]) == ("yes", ["q1"], "maia")
        refused(await decide(api, task, said), 412, "outdated")
    else:
        approval = (await api.http.get(f"/baton/v1/approvals/{said['id']}")).json()
        assert approval["state"] == {"approve": "approved", "decline": "declined"}[verdict]
        assert fits(await decide(api, task, said), "PendingDecisions") == {"pendingDecisions": []}
        other = "decline" if verdict is Verdict.APPROVE else "approve"
        refused(await decide(api, task, decision(other, said["id"])), 409, "already-decided")


async def test_decisions_of_both_kinds_are_recorded_together(api: RunningApi) -> None:
    task = await make(api)
    await hold(api, task, ToolCall("c1", "write", {}), ToolCall("c2", "drop", {}), asks="Which?")
    _, write, drop = (await detail(api, task))["pendingDecisions"]
    answer = await decide(api, task, decision("approve", write["toolId"]))
    left = fits(answer, "PendingDecisions")["pendingDecisions"]
    assert [one.get("toolId", one.get("id")) for one in left] == ["q1", drop["toolId"]]
    assert "baton-message-id" not in answer.headers
    version = answer.headers["etag"]
    both = decision("question", "q1", "this one", "that one"), decision("reject", drop["toolId"])
    refused(await decide(api, task, *both, **{"If-Match": '"1"'}), 412, "outdated")
    keyed = {"If-Match": version, "Idempotency-Key": "k"}
    answer = await decide(api, task, *both, **keyed)
    assert fits(answer, "PendingDecisions") == {"pendingDecisions": []}
    message = (await api.http.get(f"/baton/v1/messages/{answer.headers['baton-message-id']}")).json()
    assert (message["text"], message["state"]) == ("this one\nthat one", "accepted")
    assert (await own(api, task))["state"] == "running"
    again = await decide(api, task, *both, **keyed)
    assert (again.status_code, again.json()) == (200, answer.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["baton-message-id"] == answer.headers["baton-message-id"]
    states = [(await api.http.get(f"/baton/v1/approvals/{one['toolId']}")).json()["state"] for one in (write, drop)]
    assert states == ["approved", "declined"]


async def test_of_decisions_of_which_one_does_not_fit_none_is_recorded(api: RunningApi) -> None:
    task = await make(api)
    await hold(api, task, ToolCall("c1", "write", {}), asks="Which?")
    before = await detail(api, task)
    approve = decision("approve", before["pendingDecisions"][1]["toolId"])
    refused(await decide(api, task, approve, decision("question", "q9", "x")), 412, "outdated")
    refused(
        await decide(api, task, decision("question", "q1", "x"), decision("approve", str(uuid4()))),
        404,
        "decision-not-found",
    )
    refused(await decide(api, task, approve, decision("decline", approve["id"])), 409, "already-decided")
    assert await detail(api, task) == before


@pytest.mark.parametrize(
    ("decisions", "where"),
    [
        ([], "decisions"),
        ([decision("perhaps", "q1")], "decisions.0.type"),
        ([decision("question", "q1")], "decisions.0.answers"),
        ([decision("approve", "q1", "yes")], "decisions.0.answers"),
        ([decision("tool", "q1", approved=False)], "decisions.0.approved"),
        ([decision("question", "q1", "")], "decisions.0.answers.0.selectedOptions.0"),
        ([decision("question", "q1", answers=[{"selectedOptions": []}])], "decisions.0.answers.0.selectedOptions"),
        ([decision("question", "q1", answers=[{"selectedOptions": ["a"], "questionIndex": 1}])], "decisions.0.answers"),
        ([decision("question", "q1", answers=[{"selectedOptions": ["a"]}] * 2)], "decisions.0.answers"),
        ([{"type": "approve"}], "decisions.0.id"),
        (None, "decisions"),
    ],
)
async def test_decisions_that_do_not_fit(api: RunningApi, decisions: Any, where: str) -> None:
    task, _ = await single(api)
    await api.ask(task, "Which?")
    answer = await api.http.post(f"{TASKS}/{task}/decisions", json={"decisions": decisions})
    problem = refused(answer, 400, "invalid-request")
    assert [one.split(":")[0] for one in problem["violations"]] == [where]
    assert (await detail(api, task))["status"] == "STOPPED"


async def test_of_two_answers_at_once_one_counts(api: RunningApi) -> None:
    for _ in range(8):
        task = await make(api)
        await hold(api, task, ToolCall("c1", "write", {}), asks="Which?")
        _, tool = (await detail(api, task))["pendingDecisions"]
        answers = await asyncio.gather(
            *(
                decide(api, task, decision("question", "q1", word), decision("approve", tool["toolId"]))
                for word in ("this", "that")
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        (stored,) = (await api.http.get(f"/baton/v1/tasks/{task}/messages")).json()["items"]
        taken = next(answer for answer in answers if answer.status_code == 200)
        assert taken.headers["baton-message-id"] == stored["id"]
        assert stored["text"] == ("this", "that")[answers.index(taken)]


async def test_a_decision_about_another_task(api: RunningApi) -> None:
    task, other = await make(api), await make(api)
    await hold(api, task, ToolCall("c1", "write", {}))
    (tool,) = (await detail(api, task))["pendingDecisions"]
    refused(await decide(api, other, decision("approve", tool["toolId"])), 404, "decision-not-found")
    refused(await decide(api, task, decision("approve", "c1")), 404, "decision-not-found")
    assert len((await detail(api, task))["pendingDecisions"]) == 1


async def test_stop(api: RunningApi) -> None:
    task, execution = await single(api)
    await turn(api, task)
    for _ in range(2):
        answer = await api.http.post(f"{TASKS}/{task}/stop")
        assert fits(answer, "StopTaskResponse", 202) == {"taskId": task, "status": "STOPPING"}
        assert (answer.headers["etag"], answer.headers["baton-execution-id"]) == ('"3"', execution)
    async with api.pool.transaction() as connection:
        await steps.record_step(
            connection, await key_of(api, task), 1, ModelReply("so far", (), {"text": "so far"}), (), (), (), RULES
        )
    assert (await detail(api, task))["status"] == "STOPPED"
    await api.http.post(f"{TASKS}/{task}/messages", json={"message": "go on"})
    assert (await detail(api, task))["status"] == "RUNNING"
    for state, status in (("succeeded", "STOPPED"), ("failed", "ERRORED"), ("cancelled", "STOPPED")):
        await api.set_task(task, state=state, turn_open=False)
        answer = await api.http.post(f"{TASKS}/{task}/stop")
        assert fits(answer, "StopTaskResponse", 202) == {"taskId": task, "status": status}
    await api.set_task(task, state="pending", turn_open=False)
    assert "pending" in refused(await api.http.post(f"{TASKS}/{task}/stop"), 409, "conflict")["detail"]


async def test_a_stopped_task_still_shows_what_it_asked(api: RunningApi) -> None:
    task = await make(api)
    await hold(api, task, ToolCall("c1", "write", {}), asks="Which?")
    before = (await detail(api, task))["pendingDecisions"]
    await api.http.post(f"{TASKS}/{task}/stop")
    assert (await detail(api, task))["pendingDecisions"] == before
    answer = await decide(api, task, decision("question", "q1", "x"), decision("approve", before[1]["toolId"]))
    assert fits(answer, "PendingDecisions") == {"pendingDecisions": []}
    assert (await detail(api, task))["status"] == "RUNNING"
    assert (await api.http.get(f"/baton/v1/approvals/{before[1]['toolId']}")).json()["state"] == "approved"


async def test_messages_by_page(api: RunningApi) -> None:
    task = await make(api, "!say hello")
    for number in range(4):
        await api.http.post(f"{TASKS}/{task}/messages", json={"message": f"number {number}"})
    answer = await api.http.get(f"{TASKS}/{task}/messages")
    whole = fits(answer, "TaskMessages")
    assert answer.headers["etag"] == '"5"'
    assert "more" not in whole
    contents = [one["data"]["content"] for one in whole["results"]]
    assert contents == ["!say hello", *(f"number {number}" for number in range(4))]
    assert all(one["data"]["role"] == "user" for one in whole["results"])
    seen, token = [], None
    for counted in (2, 2, 1):
        query = {"limit": "2"} | ({} if token is None else {"paginationToken": token})
        page = fits(await api.http.get(f"{TASKS}/{task}/messages", params=query), "TaskMessages")
        assert len(page["results"]) == counted
        seen += page["results"]
        token = page.get("more")
        assert (token is None) == (counted == 1)
    assert seen == whole["results"]


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("paginationToken=x", "paginationToken"),
        ("paginationToken=", "paginationToken"),
        ("paginationToken=WyItMSJd", "paginationToken"),
        ("paginationToken=%00", "paginationToken"),
        ("paginationToken=" + "A" * 5000, "paginationToken"),
    ],
)
async def test_a_page_of_messages_that_there_is_not(api: RunningApi, query: str, where: str) -> None:
    task, _ = await single(api)
    problem = refused(await api.http.get(f"{TASKS}/{task}/messages?{query}"), 400, "invalid-request")
    assert [one.split(":")[0] for one in problem["violations"]] == [f"query.{where}"]


def test_every_event_that_is_shown_has_an_entry_of_its_own() -> None:
    """An entry is a function of one event, and of what the task was told."""
    for body in BODIES:
        entry = log.entry(event(body, state=TaskState.FAILED), "do it")
        assert (entry is not None) == (body.type in log.SHOWN)
        if entry is None:
            continue
        assert set(entry) == {"data", "groupId", "timestamp"}
        assert entry["timestamp"] == "2026-01-02T03:04:05+00:00"
        data = cast("dict[str, object]", entry["data"])
        assert (data.get("content") == "do it") == isinstance(body, events.TaskStarted)
        assert data.get("status", "ERRORED") == "ERRORED"


@pytest.mark.parametrize(
    ("body", "group"),
    [
        (ended(turn=3), "turn-3"),
        (events.ToolStarted(turn=3, step=1, call_id="c", name="n", arguments={}), "turn-3"),
        (events.MessageEdited(message_id=UUID(int=1), seq=1, text="x"), str(UUID(int=1))),
        (events.QuestionAsked(question_id="q1", text="Which?"), "q1"),
        (events.TaskPaused(by="me"), "event-7"),
    ],
)
def test_entries_that_belong_together_have_one_group(body: events.Body, group: str) -> None:
    entry = log.entry(event(body), "do it")
    assert entry is not None
    assert entry["groupId"] == group


async def test_nobody_elses_and_no_task(api: RunningApi) -> None:
    task, _ = await single(api)
    await api.ask(task, "Which?")
    async with api.pool.connection() as connection:
        agent = await agents.insert(connection, Agent(await api.tenant_id(), uuid4(), 0, "second", "scripted"))
    strangers = api.client(api.other_key), api.client(await api.new_key(agent_number=agent.number))
    said = {"decisions": [decision("question", "q1", "x")]}
    for http, known in ((strangers[0], task), (strangers[1], task), (api.http, str(uuid4())), (api.http, "7")):
        answers = [
            await http.get(f"{TASKS}/{known}"),
            await http.get(f"{TASKS}/{known}/messages"),
            await http.post(f"{TASKS}/{known}/messages", json={"message": "x"}),
            await http.post(f"{TASKS}/{known}/decisions", json=said),
            await http.post(f"{TASKS}/{known}/stop"),
        ]
        for answer in answers:
            refused(answer, 404, "task-not-found")
    assert (await strangers[1].get(TASKS)).json()["total"] == 0
    mine = await strangers[1].post(TASKS, json={"agentConfig": AGENT, "message": "x"})
    assert (await own(api, mine.json()["taskId"]))["agent"]["name"] == "second"
    assert [one["taskId"] for one in (await strangers[1].get(TASKS)).json()["tasks"]] == [mine.json()["taskId"]]
    assert (await detail(api, task))["status"] == "STOPPED"


async def test_who_may_do_what(api: RunningApi) -> None:
    task, _ = await single(api)
    said = {"decisions": [decision("question", "q1", "x")]}
    body = {"agentConfig": AGENT, "message": "x"}
    calls = {
        ("GET", TASKS): Scope.READ,
        ("GET", f"{TASKS}/{task}"): Scope.READ,
        ("GET", f"{TASKS}/{task}/messages"): Scope.READ,
        ("POST", f"{TASKS}/{task}/messages"): Scope.SEND,
        ("POST", f"{TASKS}/{task}/decisions"): Scope.SEND,
        ("POST", f"{TASKS}/{task}/stop"): Scope.WRITE,
        ("POST", TASKS): Scope.WRITE,
    }
    for (method, path), scope in calls.items():
        content = None if method == "GET" else said if path.endswith("decisions") else body
        for given in (Scope.READ, Scope.SEND, Scope.WRITE):
            if path.endswith("decisions"):
                await api.ask(task, "Which?")
            answer = await api.client(await api.new_key(given)).request(method, path, json=content)
            if given is scope:
                assert answer.status_code in (200, 201, 202), (method, path, answer.text)
            else:
                refused(answer, 403, "forbidden")
        stranger = await api.client(None).request(method, path, json=content)
        refused(stranger, 401, "unauthenticated")
        assert stranger.headers["www-authenticate"] == "Bearer"


async def test_problems_of_every_kind_have_the_shape(api: RunningApi) -> None:
    task, _ = await single(api)
    path = f"{TASKS}/{task}/messages"
    text = {"Content-Type": "application/json"}
    refused(await api.http.post(path, content=b"{", headers=text), 400, "invalid-request")
    refused(await api.http.post(path, content=b"", headers=text), 400, "invalid-request")
    refused(await api.http.post(path, content=b'{"message": "\\ud800"}', headers=text), 400, "invalid-request")
    refused(
        await api.http.post(path, content=b"x", headers={"Content-Type": "text/plain"}), 415, "unsupported-media-type"
    )
    big = b'{"message": "' + b"x" * api.settings.max_body_bytes + b'"}'
    refused(await api.http.post(path, content=big, headers=text), 413, "too-large")
    refused(await api.http.get(f"{TASKS}/{task}/nothing"), 404, "no-such-path")
    refused(await api.http.get(f"{TASKS}/"), 404, "no-such-path")
    refused(await api.http.delete(f"{TASKS}/{task}"), 405, "method-not-allowed")
    await api.set_task(task, state="cancelled")
    assert "cancelled" in refused(await api.http.post(path, json={"message": "x"}), 409, "task-closed")["detail"]


async def test_postgresql_too_slow_is_a_504_and_away_a_502(database_url: str) -> None:
    async with running_api(database_url, statement_timeout_seconds=0.5, pool_timeout_seconds=0.5) as lone:
        task, execution = await single(lone)
        path = f"{TASKS}/{task}/messages"
        async with lone.pool.transaction() as holder:
            await holder.execute("SELECT FROM executions WHERE id = $1 FOR UPDATE", UUID(execution))
            answer = await lone.http.post(path, json={"message": "x"})
            refused(answer, 504, "upstream-timeout")
            assert answer.headers["retry-after"] == "1"
        assert (await lone.http.post(path, json={"message": "x"})).status_code == 202
        await lone.app.state.baton.pool.close()
        answer = await lone.http.post(path, json={"message": "x"})
        refused(answer, 502, "upstream-unavailable")
        assert answer.headers["retry-after"] == "1"
