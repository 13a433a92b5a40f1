"""Do lists stay small, whatever their rows hold, and does whoever reads on get all of it?"""

from random import Random
from typing import Any, Final
from uuid import UUID

import pytest

from baton.domain.events import MessageAccepted, NewEvent
from tests.support.api import RunningApi, delta

V1: Final = "/baton/v1"
PAGE: Final = 1024 * 1024
#: What compresses a hundredfold counts for what it holds.
LARGE: Final = "y" * 700_000


async def start(api: RunningApi, count: int, **body: Any) -> list[str]:
    """Single tasks with large rows; their executions, newest first."""
    started: list[str] = []
    for _ in range(count):
        answer = await api.http.post(f"{V1}/executions", json={"prompt": "x", **body})
        assert answer.status_code == 201, answer.text
        started.insert(0, answer.json()["id"])
    return started


async def pages(api: RunningApi, path: str) -> list[list[dict[str, Any]]]:
    """All pages of a list, none of them much larger than what its last row takes."""
    found: list[list[dict[str, Any]]] = []
    cursor = ""
    while True:
        answer = await api.http.get(path + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        assert len(answer.content) < PAGE + 2 * len(LARGE)
        found.append(answer.json()["items"])
        if not (cursor := answer.json()["next_cursor"]):
            return found


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"metadata": {"a": LARGE}}, f"{V1}/executions?limit=200"),
        ({"prompt": LARGE}, f"{V1}/tasks?limit=200"),
    ],
    ids=["executions", "tasks"],
)
async def test_pages_are_cut_by_bytes_and_go_on(lone_api: RunningApi, body: dict[str, Any], path: str) -> None:
    started = await start(lone_api, 5, **body)
    found = await pages(lone_api, path)
    assert [len(page) for page in found] == [2, 2, 1]
    ids = [row.get("execution_id", row["id"]) for page in found for row in page]
    assert ids == started, "nothing twice, nothing skipped"


async def test_titles_count_too(lone_api: RunningApi) -> None:
    """Twill's list shows nothing large but them."""
    started = await start(lone_api, 3, title=LARGE)
    tasks: list[str] = []
    cursor, found = "", {}
    for expected in (2, 1):
        found = (await lone_api.http.get(f"/api/v1/tasks?limit=50{cursor}")).json()
        assert len(found["tasks"]) == expected
        tasks += [task["id"] for task in found["tasks"]]
        cursor = f"&cursor={found['nextCursor']}"
    assert found["nextCursor"] is None
    executions = [(await lone_api.http.get(f"{V1}/tasks/{task}")).json()["execution_id"] for task in tasks]
    assert executions == started


async def test_one_row_is_given_however_large(lone_api: RunningApi) -> None:
    await start(lone_api, 2, metadata={"a": LARGE * 2})
    assert [len(page) for page in await pages_of_any_size(lone_api)] == [1, 1]


async def pages_of_any_size(api: RunningApi) -> list[list[Any]]:
    found: list[list[Any]] = []
    cursor = ""
    while True:
        answer = (await api.http.get(f"{V1}/executions?limit=200" + (f"&cursor={cursor}" if cursor else ""))).json()
        found.append(answer["items"])
        if not (cursor := answer["next_cursor"]):
            return found


async def test_messages(lone_api: RunningApi) -> None:
    (execution,) = await start(lone_api, 1)
    task = (await lone_api.http.get(f"{V1}/executions/{execution}")).json()["tasks"][0]["id"]
    for _ in range(4):
        assert (await lone_api.http.post(f"{V1}/tasks/{task}/messages", json={"text": LARGE})).status_code == 202
    assert [len(page) for page in await pages(lone_api, f"{V1}/tasks/{task}/messages?limit=100")] == [2, 2]


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("/v1/ai/agents/tasks", "size"),
        ("/api/v1/executions", "limit"),
        ("/agents/v2/executions", "pageSize"),
        ("/api/v1/tasks/plan/plan-executions", "limit"),
    ],
)
async def test_a_page_by_number_is_whole_or_refused(lone_api: RunningApi, path: str, size: str) -> None:
    """What is cut from it would be on no page."""
    body = {"prompt": "p" * 2_500_000, "metadata": {"a": "y" * 1_200_000}}
    await start(lone_api, 3, **body)
    refused = await lone_api.http.get(f"{path}?{size}=50")
    if path.endswith("plan-executions"):
        assert refused.status_code == 200, "these are no plans"
        return
    assert refused.status_code in (400, 422), refused.text[:300]
    assert "ask for fewer" in refused.text
    one = await lone_api.http.get(f"{path}?{size}=1")
    assert one.status_code == 200, one.text[:300]


async def test_chats_steps_begin_with_the_newest_and_go_back(lone_api: RunningApi) -> None:
    (execution,) = await start(lone_api, 1)
    task = (await lone_api.http.get(f"{V1}/executions/{execution}")).json()["tasks"][0]
    for n in range(5):
        sent = await lone_api.http.post(f"{V1}/tasks/{task['id']}/messages", json={"text": f"{n}{LARGE}"})
        assert sent.status_code == 202
        async with lone_api.pool.connection() as connection:
            await connection.execute(
                "INSERT INTO turns (tenant_id, task_id, turn) VALUES ($1, $2, $3)",
                *(await lone_api.tenant_id(), UUID(task["id"]), n + 1),
            )
            await connection.execute(
                "INSERT INTO steps (tenant_id, task_id, turn, step, state, text, first_event, started_at)"
                " VALUES ($1, $2, $3, 0, 'recorded', $4, 0, clock_timestamp())",
                *(await lone_api.tenant_id(), UUID(task["id"]), n + 1, f"said {n}"),
            )
    path: str | None = f"/v1/chat/tasks/{task['number']}/steps"
    pages: list[list[str]] = []
    while path:
        answer = await lone_api.http.get(path)
        assert (answer.status_code, len(answer.content) < 3 * PAGE) == (200, True)
        steps = [one["data"]["content"] for one in answer.json()["steps"] if one["type"] == "message"]
        pages.insert(0, [content[:6].rstrip("y") for content in steps])
        link = answer.headers.get("link")
        path = link and link.partition(">")[0].removeprefix("<")
    assert [content for page in pages for content in page] == [
        *("x", "0", "said 0", "1", "said 1", "2", "said 2", "3", "said 3", "4", "said 4")
    ], "all of it in order, and nothing twice"
    assert len(pages) == 3
    refused = await lone_api.http.get(f"/v1/chat/tasks/{task['number']}/steps?cursor=x")
    assert refused.status_code == 422


async def test_asteroids_activities_end_after_a_megabyte(lone_api: RunningApi) -> None:
    (execution,) = await start(lone_api, 1)
    for n in range(5):
        said = MessageAccepted(message_id=UUID(int=n), seq=n + 1, text=LARGE, origin="x", sender="me")
        await lone_api.append(execution, NewEvent(said))
    answer = await lone_api.http.get(f"/agents/v2/executions/{execution}/activities?order=desc&limit=100")
    assert answer.status_code == 200
    assert 1 <= len(answer.json()) <= 3
    assert answer.headers["baton-truncated"] == "true"
    few = await lone_api.http.get(f"/agents/v2/executions/{execution}/activities?order=desc&limit=1")
    assert (len(few.json()), "baton-truncated" in few.headers) == (1, False), "as many as were asked for"


async def test_activities_that_are_all_given_are_not_truncated(lone_api: RunningApi) -> None:
    (execution,) = await start(lone_api, 1)
    said = MessageAccepted(message_id=UUID(int=1), seq=1, text=LARGE * 2, origin="x", sender="me")
    await lone_api.append(execution, NewEvent(said))
    answer = await lone_api.http.get(f"/agents/v2/executions/{execution}/activities")
    assert answer.json()[-1]["payload"]["message"] == LARGE * 2
    assert "baton-truncated" not in answer.headers


async def test_a_reader_far_behind_is_sent_all_of_a_large_log(lone_api: RunningApi) -> None:
    (execution,) = await start(lone_api, 1)
    for _ in range(4):
        await lone_api.append(execution, delta(LARGE), delta("small"))
    seen = 0
    async with lone_api.http.stream("GET", f"{V1}/executions/{execution}/events") as stream:
        async for line in stream.aiter_lines():
            seen += line.startswith("id:")
            if seen == 10:
                break
    assert seen == 10


#: Of what is read with all tasks of a plan.
PLAN: Final = 4 * 1024 * 1024


def some_text(kind: str) -> str:
    """Two megabytes and a half; `dense` ones take as much on disk."""
    return "y" * 2_500_000 if kind == "thin" else Random(1).randbytes(1_250_000).hex()


async def plan_that_asks(api: RunningApi, text: str) -> tuple[str, list[str]]:
    """A plan of four tasks that ask ``text``: its id, and theirs."""
    tasks = [{"id": number, "title": f"t{number}", "description": "x"} for number in range(1, 5)]
    started = (await api.http.post(f"{V1}/executions", json={"plan": {"title": "large", "tasks": tasks}})).json()
    ids = [task["id"] for task in started["tasks"]]
    for task in ids:
        await api.ask(task, text)
    return started["id"], ids


@pytest.mark.parametrize("kind", ["thin", "dense"])
async def test_a_large_plan_is_shown_without_its_last_texts(lone_api: RunningApi, kind: str) -> None:
    text = some_text(kind)
    execution, ids = await plan_that_asks(lone_api, text)
    answer = await lone_api.http.get(f"{V1}/executions/{execution}")
    assert len(answer.content) < PLAN + len(text)
    tasks = answer.json()["tasks"]
    assert [(task["id"], task["state"]) for task in tasks] == [(id, "waiting") for id in ids], "all tasks are there"
    assert [task["truncated"] for task in tasks] == [False, False, True, True]
    assert [len(task["questions"]) for task in tasks] == [1, 1, 0, 0]
    itself = (await lone_api.http.get(f"{V1}/tasks/{ids[3]}")).json()
    assert (itself["truncated"], itself["questions"][0]["text"]) == (False, text)
    paused = await lone_api.http.post(f"{V1}/executions/{execution}/pause")
    assert (paused.status_code, paused.json()["tasks"][3]["truncated"]) == (200, True)


async def test_kubiyas_plan_says_where_a_question_is(lone_api: RunningApi) -> None:
    text = some_text("thin")
    execution, ids = await plan_that_asks(lone_api, text)
    answer = await lone_api.http.get(f"/api/v1/tasks/plan/{execution}")
    assert len(answer.content) < PLAN + len(text)
    waiting = answer.json()["waiting_tasks"]
    assert [task["question"] == text for task in waiting] == [True, True, False, False]
    assert [task.get("truncated", False) for task in answer.json()["tasks"]] == [False, False, True, True]
    where = f"/api/v1/executions/{ids[3]}"
    assert where in waiting[3]["question"]
    assert (await lone_api.http.get(where)).json()["questions"][0]["text"] == text


async def test_asteroids_result_says_what_it_leaves_out(lone_api: RunningApi) -> None:
    text = some_text("thin")
    execution, ids = await plan_that_asks(lone_api, "?")
    for task in ids:
        await lone_api.set_task(task, state="succeeded", result=text, open_questions=[], waiting_since=None)
    async with lone_api.pool.connection() as connection:
        await connection.execute("UPDATE executions SET state = 'succeeded' WHERE id = $1", UUID(execution))
    answer = await lone_api.http.get(f"/agents/v2/executions/{execution}")
    assert len(answer.content) < PLAN + len(text)
    results = answer.json()["executionResult"]["result"]
    assert [result["result"] == text for result in results] == [True, True, False, False]
    assert [result.get("taskId") for result in results] == [None, None, *ids[2:]]
    assert (await lone_api.http.get(f"{V1}/tasks/{ids[3]}")).json()["result"] == text
