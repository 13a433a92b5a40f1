"""`baton prune`, and what callers of each API are told of an execution that is gone."""

import re
from typing import Any
from uuid import UUID

from tests.dialects.access_table import TABLE
from tests.dialects.commands import Command
from tests.dialects.requests import start_plan, start_task, task_ids
from tests.dialects.test_access_matrix import filled, place_of
from tests.support.api import RunningApi

_PLACE = re.compile(r"\{(\w+)\}")
#: What is asked of an execution, or of a part of it.
_OF_EXECUTIONS = {"EXECUTION", "PLAN", "TASK", "TASK_NUMBER", "MESSAGE"}


async def finish(api: RunningApi, *executions: str) -> None:
    """Have executions been over for 40 days."""
    ids = [UUID(one) for one in executions]
    async with api.pool.connection() as connection:
        for statement in (
            "UPDATE messages SET state = 'processed', ended_at = now() WHERE task_id IN"
            " (SELECT id FROM tasks WHERE execution_id = ANY ($1))",
            "UPDATE tasks SET state = 'succeeded', unclaimed = 0, ring_at = NULL WHERE execution_id = ANY ($1)",
            "UPDATE executions SET state = 'succeeded', ring_at = NULL, completed_at = now() - interval '40 days'"
            " WHERE id = ANY ($1)",
        ):
            await connection.execute(statement, ids)


async def test_what_is_gone_is_a_404_in_every_dialect(api: RunningApi, baton: Command) -> None:
    """Also where a process remembers the way to it."""
    http = api.http
    execution, plan = await start_task(http), await start_plan(http)
    task = execution["tasks"][0]
    sent = (await http.post(f"/baton/v1/tasks/{task['id']}/messages", json={"text": "x"})).json()["id"]
    names: dict[str, Any] = {
        "EXECUTION": execution["id"],
        "TASK": task["id"],
        "TASK_NUMBER": task["number"],
        "PLAN": plan,
        "PLAN_TASK": (await task_ids(http, plan))[1],
        "MESSAGE": sent,
        "ONE": 1,
    }
    asked: list[tuple[str, str, Any]] = []
    for route, entry in TABLE.items():
        method, _, path = route.partition(" ")
        places = {place: entry.ids.get(place) or place_of(path, place) for place in _PLACE.findall(path)}
        if not _OF_EXECUTIONS.intersection(places.values()) or not names.keys() >= set(places.values()):
            continue
        body = None if entry.body is None or "$" in str(entry.body) else filled(entry.body, names)
        if method == "GET" or body is not None:
            asked.append((method, _PLACE.sub(lambda m, p=places: str(names[p[m[1]]]), path) + entry.query, body))
    assert len({path.split("/")[1] for _, path, _ in asked}) >= 4
    headers = {"X-Asteroid-Agents-Api-Key": api.key}
    for method, path, _ in asked:
        if method == "GET":
            async with http.stream(method, path, headers=headers) as answer:
                assert answer.status_code != 404, path
    await finish(api, execution["id"], plan)
    ran = await baton("prune", "--older-than", "30d", "--tenant", api.tenant)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{api.tenant}: removed 2 executions with ")
    found = {
        f"{method} {path}": answer.status_code
        for method, path, body in asked
        if (answer := await http.request(method, path, headers=headers, json=body)).status_code != 404
    }
    assert found == {}


async def test_a_dry_run_removes_nothing(api: RunningApi, baton: Command) -> None:
    execution = (await start_task(api.http))["id"]
    await finish(api, execution)
    log = (await api.http.get(f"/baton/v1/executions/{execution}")).json()["last_event"]
    said = f"{api.tenant}: %s {{}} executions with {{}} events, and 0 deltas of others\n"
    for options, verb, count in (
        (["--dry-run"], "would remove", 1),
        (["--deltas-only"], "removed", 0),
        (["--dry-run", "--batch", "1"], "would remove", 1),
        (["--batch", "1", "--pause", "0"], "removed", 1),
        ([], "removed", 0),
    ):
        ran = await baton("prune", "--older-than", "30d", "--tenant", api.tenant, *options)
        assert (ran.code, ran.out) == (0, (said % verb).format(count, log * count)), options
    assert (await api.http.get(f"/baton/v1/executions/{execution}")).status_code == 404


async def test_what_cannot_be_pruned(baton: Command) -> None:
    for options, code, words in (
        (["--older-than", "30"], 2, "30d, 12h"),
        (["--older-than", "12h"], 2, "a day at least"),
        (["--older-than", "30d", "--tenant", "nobody"], 1, "there is no tenant 'nobody'"),
        ([], 2, "--older-than"),
    ):
        ran = await baton("prune", *options)
        assert (ran.code, ran.out) == (code, ""), options
        assert words in " ".join(ran.err.split()), ran.err
