"""A program that walks through an API with the client that openapi-python-client has made of the API's own document.

It is run by a Python that has the generator and nothing of ours, in the directory of the generated package. Its
arguments: the package (a dialect's name), the API's root, a key, the task queue, the uuid and the integer of an agent.
Every answer is read into the generated types. It prints what it was told, as one line of JSON.
"""

import importlib
import json
import pkgutil
import sys
import time
from collections.abc import Callable
from typing import Any

PROMPT = '!say Let me see.\n!ask {"question": "Which region?", "choices": ["Europe", "Asia"]}\n!finish Done.'
ANSWER = "Europe"


class Api:
    """The generated functions by their names, or by what these begin with."""

    def __init__(self, package: str, url: str, key: str, header: tuple[str, str] = ("Authorization", "Bearer")) -> None:
        self.package = package
        client = importlib.import_module(f"{package}.client")
        self.client = client.AuthenticatedClient(
            base_url=url, token=key, auth_header_name=header[0], prefix=header[1], raise_on_unexpected_status=True
        )
        api = importlib.import_module(f"{package}.api")
        self.modules = {
            found.name.rpartition(".")[2]: found.name
            for found in pkgutil.walk_packages(api.__path__, f"{package}.api.")
            if not found.ispkg
        }

    def call(self, function: str, *arguments: Any, **more: Any) -> Any:
        """What was answered, as the type that was generated for it; as JSON where it has none."""
        answer = self._function(function)(*arguments, client=self.client, **more)
        assert answer.status_code < 300, (function, answer.status_code, answer.content)
        if answer.parsed is not None:
            return answer.parsed
        return json.loads(answer.content)

    def refused(self, function: str, *arguments: Any, **more: Any) -> tuple[int, str]:
        """The status and the generated type of an error."""
        answer = self._function(function)(*arguments, client=self.client, **more)
        return int(answer.status_code), type(answer.parsed).__name__

    def _function(self, name: str) -> Callable[..., Any]:
        """The function of that name; else the one whose name goes on with its path."""
        if name not in self.modules:
            (name,) = (short for short in self.modules if short.startswith(f"{name}_"))
        return importlib.import_module(self.modules[name]).sync_detailed

    def body(self, name: str, content: dict[str, Any]) -> Any:
        """A generated body."""
        models: dict[str, Any] = vars(importlib.import_module(f"{self.package}.models"))
        names = [key for key in models if key == name or (key.startswith(name) and key.endswith("Request"))]
        return models[names[0]].from_dict(content)

    def frames(self, path: str, last: Callable[[str], bool]) -> int:
        """How many lines of a stream come up to the one that is the ``last``."""
        with self.client.get_httpx_client().stream("GET", path, timeout=60) as stream:
            assert stream.status_code == 200, stream.read()
            for number, line in enumerate(stream.iter_lines()):
                if last(line):
                    return number
        raise AssertionError(f"{path} ended too early")


def wait_for(read: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    """Ask until it is so."""
    deadline = time.monotonic() + 60
    while not done(found := read()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def asteroid(url: str, key: str, queue: str, agent: str, number: int) -> Any:
    api = Api("asteroid", url, key, ("X-Asteroid-Agents-Api-Key", ""))
    assert agent in [one.id for one in api.call("agent_list", page_size=100).items]
    request = api.body("ExecuteAgentRequest", {"inputs": {"task": PROMPT}, "metadata": {"trace": key[-12:]}})
    started = api.call("agent_execute_post", agent, body=request).execution_id
    waiting = wait_for(lambda: api.call("execution_get", started), lambda one: one.status == "paused_by_agent")
    kinds = [one.payload.activity_type for one in api.call("execution_activities_get", started)]
    message = api.body("AgentsExecutionUserMessagesAddTextBody", {"message": ANSWER})
    added = api.call("execution_user_messages_add", started, body=message)
    done = wait_for(lambda: api.call("execution_get", started), lambda one: one.status == "completed")
    polled = api.call("get_execution_result", started)
    listed = api.call(
        "executions_list", execution_id=started[:18].upper(), metadata_key="trace", metadata_value=key[-12:]
    )
    assert [one.id for one in listed.items] == [started]
    return {
        "waiting": waiting.status,
        "kinds": sorted(set(kinds)),
        "added": added,
        "result": done.execution_result.result,
        "polled": polled.execution_result.result,
        "unknown": api.refused("execution_get", "00000000-0000-4000-8000-000000000000"),
    }


def kubiya(url: str, key: str, queue: str, agent: str, number: int) -> Any:
    api = Api("kubiya", url, key)
    assert agent in [one["id"] for one in api.call("list_agents")]
    task: dict[str, Any] = {"id": 1, "title": "One", "description": PROMPT, "details": "", "dependencies": []}
    plan: dict[str, Any] = {"title": "A plan", "team_breakdown": [{"team_id": "t", "tasks": [task]}]}
    request = api.body("ExecutePlan", {"plan": plan, "worker_queue_id": queue})
    execution = api.call("execute_plan", body=request)["execution_id"]

    def read() -> Any:
        return api.call("get_plan_execution", execution)

    waiting = wait_for(read, lambda one: one["status"] == "pending_user_input")
    sent = api.call("send_task_message", execution, 1, body=api.body("SendTaskMessage", {"message": ANSWER}))
    done = wait_for(read, lambda one: one["status"] == "completed")
    assert api.frames(f"/api/v1/tasks/plan/{execution}/stream", lambda line: line == "event: done")
    single = api.body("ExecuteAgent", {"prompt": PROMPT, "worker_queue_id": queue})
    one = api.call("execute_agent", agent, body=single)["execution_id"]
    wait_for(lambda: api.call("get_execution", one), lambda found: found["status"] == "waiting_for_input")
    api.call("send_execution_message", one, body=api.body("SendExecutionMessage", {"message": ANSWER}))
    finished = wait_for(lambda: api.call("get_execution", one), lambda found: found["status"] == "completed")
    return {
        "waiting": waiting["waiting_tasks"][0]["question"],
        "signaled": sent["workflow_signaled"],
        "done": done["completed_tasks"],
        "result": finished["response"],
        "unknown": api.refused("get_plan_execution", "nothing"),
    }


def maia(url: str, key: str, queue: str, agent: str, number: int) -> Any:
    api = Api("maia", url, key)
    config = {"name": "data_engineer_agent", "projectId": "p"}
    request = api.body("CreateTaskRequest", {"agentConfig": config, "message": PROMPT})
    task = api.call("create_task", body=request).task_id

    def read() -> Any:
        return api.call("get_task", task)

    waiting = wait_for(read, lambda one: one.status == "STOPPED" and one.pending_decisions)
    (asked,) = waiting.pending_decisions
    decision = {"type": "answer", "id": asked.id, "answers": [{"selectedOptions": [ANSWER]}]}
    api.call("submit_task_decisions", task, body=api.body("SubmitDecisionsRequest", {"decisions": [decision]}))
    wait_for(read, lambda one: one.status == "STOPPED" and not one.pending_decisions)
    said = [entry.data.to_dict() for entry in api.call("get_task_messages", task, limit=100).results]
    assert task in [one.task_id for one in api.call("list_tasks", project_id="p").tasks]
    # The generator takes no operation whose published schema contradicts itself.
    assert "send_message" not in api.modules
    more = api.client.get_httpx_client().post(
        f"/v1/ai/agents/tasks/{task}/messages", json={"message": "!finish Again."}
    )
    assert more.status_code == 202, more.text
    wait_for(
        lambda: json.dumps([entry.data.to_dict() for entry in api.call("get_task_messages", task, limit=100).results]),
        lambda text: "Again." in text,
    )
    wait_for(read, lambda one: one.status == "STOPPED")
    return {
        "question": asked.questions[0].question,
        "said": "Done." in json.dumps(said),
        "stopped": api.call("stop_task", task).status,
        "unknown": api.refused("get_task", "00000000-0000-4000-8000-000000000000"),
    }


def chat_tasks(url: str, key: str, queue: str, agent: str, number: int) -> Any:
    api = Api("chat_tasks", url, key)
    said = {"agent_id": number, "message": {"role": "user", "content": PROMPT}, "metadata": {}}
    task = api.call("create_task", body=api.body("CreateTaskRequest", said)).task_id
    events = f"/v1/chat/tasks/{task}/events"
    assert api.frames(events, lambda line: line == "event: task.input_required")
    waiting = api.call("get_task", task)
    reply = api.body("AppendMessageRequest", said | {"message": {"role": "user", "content": ANSWER}})
    api.call("reply_to_task", task, body=reply)
    done = wait_for(lambda: api.call("get_task", task), lambda one: one.status == "completed")
    assert api.frames(events, lambda line: line == "event: task.completed")
    return {
        "question": waiting.pending_interaction.question,
        "output": done.output,
        "steps": sorted({str(step.type_) for step in api.call("list_task_steps", task).steps}),
        "idle": api.refused("reply_to_task", task, body=reply),
        "unknown": api.refused("get_task", 999999999),
    }


def twill(url: str, key: str, queue: str, agent: str, number: int) -> Any:
    api = Api("twill", url, key)
    workspace = api.call("get_me").workspace_slug
    repositories = api.call("list_repositories").repositories
    made = api.call("create_task", body=api.body("CreateTaskRequest", {"command": PROMPT}))
    logs = "/api/v1/jobs/{}/logs/stream"
    assert api.frames(logs.format(made.job.id), lambda line: '"complete"' in line)
    asked = api.call("get_task", made.task.slug).latest_job
    sent = api.call("send_message", made.task.id, body=api.body("SendMessageRequest", {"message": ANSWER})).job
    assert api.frames(logs.format(sent.id), lambda line: '"complete"' in line)
    done = wait_for(lambda: api.call("get_task", made.task.id).latest_job, lambda job: job.status == "COMPLETED")
    assert made.task.id in [one.id for one in api.call("list_tasks").tasks]
    jobs = api.call("list_task_jobs", made.task.id).jobs
    return {
        "workspace": bool(workspace),
        "repositories": repositories,
        "asked": asked.final_answer,
        "done": done.final_answer,
        "jobs": [job.id for job in jobs] == [made.job.id, sent.id],
        "archived": api.call("archive_task", made.task.id).success,
        "unknown": api.refused("get_task", "nothing"),
    }


def baton(url: str, key: str, queue: str, agent: str, number: int) -> Any:
    api = Api("baton", url, key)
    assert agent in [str(one.id) for one in api.call("list_agents").items]
    execution = api.call(
        "start_execution", body=api.body("StartExecution", {"prompt": PROMPT}), idempotency_key=key[-20:]
    )
    task = execution.tasks[0].id
    waiting = wait_for(lambda: api.call("get_task", task), lambda one: one.state == "waiting")
    assert task in [one.id for one in api.call("list_tasks", state=[waiting.state]).items]
    why = api.call("explain_task", task)
    accepted = api.call(
        "send_message", task, body=api.body("SendMessage", {"text": ANSWER}), baton_question=waiting.questions[0].id
    )
    done = wait_for(lambda: api.call("get_execution", execution.id), lambda one: one.state == "succeeded")
    assert api.frames(f"/baton/v1/executions/{execution.id}/events", lambda line: line == "event: end")
    receipt = api.call("get_message", accepted.id)
    return {
        "question": waiting.questions[0].text,
        "explained": bool(why.to_dict()),
        "result": done.tasks[0].result,
        "receipt": receipt.state,
        "messages": [one.text for one in api.call("list_messages", task).items],
        "listed": execution.id in [one.id for one in api.call("list_executions").items],
        "unknown": api.refused("get_task", "nothing"),
    }


WALKS = {walk.__name__: walk for walk in (asteroid, kubiya, maia, chat_tasks, twill, baton)}


if __name__ == "__main__":
    name, url, key, queue, agent, number = sys.argv[1:]
    sys.path.insert(0, ".")
    print(json.dumps(WALKS[name](url, key, queue, agent, int(number)), default=str))
