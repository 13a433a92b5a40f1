"""The commands that Temporal's UI shows run as they stand there."""

import re
import shlex
from uuid import UUID

from activities.details import of_waiting
from baton.domain.ids import TaskById, whole_tenant
from baton.service.metadata import Describing
from baton.store import mailboxes, routes
from tests.dialects.commands import Command
from tests.dialects.test_approvals import waiting as asking_for_consent
from tests.dialects.test_receipts import waiting
from tests.support.api import RunningApi
from workflows.contracts import TASK


async def commands_of(api: RunningApi, task: str) -> list[list[str]]:
    """What the details of a waiting task and of its run have to be typed, as a shell reads it."""
    async with api.pool.transaction() as connection:
        tenant = await connection.fetchval("SELECT id FROM tenants WHERE name = $1", api.tenant)
        route = await routes.route(connection, whole_tenant(tenant), TaskById(UUID(task)))
        locked = await mailboxes.lock(connection, tenant, route.execution_id, route.task_id)
    shown = of_waiting(locked.box, words=True).replace(TASK, task) + "\n" + Describing().task(route).details
    return [shlex.split(line) for line in re.findall(r"^`?(baton [^`\n]+)`?$", shown, re.MULTILINE)]


async def test_the_command_that_answers_answers(api: RunningApi, baton: Command) -> None:
    work = await waiting(api, "Which")
    send, explain, watch = await commands_of(api, work.task_id)
    assert ([send[1], *explain[1:]], watch[1]) == (["send", "explain", work.task_id], "watch")
    assert (await baton(*explain[1:])).code == 0
    sent = await baton(*send[1:])
    assert sent.code == 0, sent.err
    messages = (await api.http.get(f"/baton/v1/tasks/{work.task_id}/messages")).json()["items"]
    assert [message["text"] for message in messages] == ["ANSWER"]
    again = await baton(*send[1:])
    assert again.code != 0, "that question is not open any more"


async def test_the_commands_that_decide_decide(api: RunningApi, baton: Command) -> None:
    task, (approval,) = await asking_for_consent(api)
    approve, decline, *_ = await commands_of(api, task["id"])
    assert approve[1:] == ["approve", approval["id"]]
    declined = await baton(*decline[1:])
    assert declined.code == 0, declined.err
    assert (await api.http.get(f"/baton/v1/approvals/{approval['id']}")).json()["state"] == "declined"
    assert (await baton(*approve[1:])).code == 4
