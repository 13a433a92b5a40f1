"""A program that works with Asteroid's published Python client, by its typed calls alone.

It is run by a Python that has that client (`asteroid_odyssey`) and nothing of ours. Its arguments: the API's root, a
key, the uuid of an agent, that of one which asks before it reads the clock, the client's generation (`old` or `new`).
It prints what it was told, as one line of JSON.
"""

import importlib
import json
import sys
import time
from typing import Any

#: Ours does not have it: two versions of it exclude one another.
sdk: Any = importlib.import_module("asteroid_odyssey")

TASK = (
    '!say Let me see.\n!tool clock {}\n!ask {"question": "Which region?", "choices": ["Europe", "Asia"]}\n!finish Done.'
)


def main(url: str, key: str, agent: str, careful_agent: str, generation: str) -> None:
    """Create, wait, answer, wait, list; then control another one."""
    old = generation == "old"
    host = f"{url}/agents/v2" if old else url
    with sdk.ApiClient(sdk.Configuration(host=host, api_key={"ApiKeyAuth": key})) as client:
        agents, executions = sdk.AgentsApi(client), sdk.ExecutionApi(client)

        def start(task: str, by: str = agent) -> Any:
            request = sdk.AgentsAgentExecuteAgentRequest(inputs={"task": task}, metadata={"trace": "t-1"})
            return agents.agent_execute_post(by, request)

        def wait_for(execution_id: str, status: str) -> Any:
            deadline = time.monotonic() + 60
            while True:
                found = executions.execution_get(execution_id)
                if found.status == status:
                    return found
                assert time.monotonic() < deadline, f"it is {found.status}, and not {status}"
                time.sleep(0.05)

        def add(execution_id: str, message: str) -> str:
            body = sdk.AgentsExecutionUserMessagesAddTextBody(message=message)
            return executions.execution_user_messages_add(execution_id, body)

        known = agents.agent_list(page=1, page_size=100)
        named = agents.agent_list(search_name="CAREF")
        started = start(TASK)
        waiting = wait_for(started.execution_id, "paused_by_agent")
        asked = executions.execution_activities_get(started.execution_id, order="desc", limit=1)
        added = add(started.execution_id, "Europe")
        finished = wait_for(started.execution_id, "completed")
        activities = executions.execution_activities_get(started.execution_id)
        listed = executions.executions_list(page=1, page_size=1, status=["completed", "failed"], agent_id=agent)

        found = [
            executions.executions_list(execution_id=started.execution_id),
            executions.executions_list(execution_id=started.execution_id[:13].upper()),
            executions.executions_list(metadata_key="trace", metadata_value="t-1", status=["completed"]),
            executions.executions_list(metadata_key="trace", metadata_value="t-2"),
        ]

        other = start("!ask Which?").execution_id
        wait_for(other, "paused_by_agent")
        told: list[Any] = []
        for status, call in (("paused", "pause"), ("running", "resume"), ("cancelled", "cancel")):
            if old:
                change = sdk.AgentsExecutionUpdateExecutionStatusRequest(status=status)
                told.append(executions.execution_status_update(other, change))
            else:
                told.append(getattr(executions, f"execution_{call}")(other).to_dict())
            wait_for(other, "paused_by_agent" if status == "running" else status)

        held = start("!tool clock {}", careful_agent).execution_id
        wait_for(held, "awaiting_confirmation")
        confirming = executions.execution_activities_get(held, order="desc", limit=1)
        awaiting = executions.executions_list(status=["awaiting_confirmation"])
        failed = wait_for(start("!fatal broken").execution_id, "failed")
        failing = executions.execution_activities_get(failed.id, order="desc", limit=1)

        refused: dict[str, Any] = {}
        for name, tried in (
            ("cancelled", lambda: add(other, "too late")),
            ("unknown", lambda: executions.execution_get("00000000-0000-4000-8000-000000000000")),
            ("empty", lambda: add(other, " ")),
            ("unserved", lambda: executions.executions_list(outcome_label="success")),
        ):
            try:
                tried()
            except sdk.ApiException as error:
                refused[name] = [type(error).__name__, error.status, json.loads(error.body)]

        print(
            json.dumps(
                {
                    "agents": [one.id for one in known.items],
                    "named": [one.to_dict() for one in named.items],
                    "found": [[one.id for one in page.items] for page in found],
                    "started": started.to_dict(),
                    "waiting": waiting.to_dict(),
                    "asked": [one.to_dict() for one in asked],
                    "added": added,
                    "finished": finished.to_dict(),
                    "activities": [
                        [type(one.payload.actual_instance).__name__, one.to_dict()["payload"]] for one in activities
                    ],
                    "listed": listed.to_dict(),
                    "told": told,
                    "held": held,
                    "confirming": [one.to_dict()["payload"] for one in confirming],
                    "awaiting": [one.id for one in awaiting.items],
                    "failed": failed.to_dict(),
                    "failing": [one.to_dict()["payload"] for one in failing],
                    "refused": refused,
                },
                default=str,
            )
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
