"""The scripted model's lines, as far as tests of the CLI need them, turned into events."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from baton.domain.states import TaskState
from tests.support.fake_state import FakeExecution, FakeTask


async def play(execution: FakeExecution, pace: float) -> None:
    """Run a plan to its end. ``pace``: what a second of `!sleep` takes."""
    tasks = [{"id": task.id, "position": task.plan.position, "title": task.plan.title} for task in execution.tasks]
    await execution.emit("execution.created", {"title": execution.title, "tasks": tasks})
    async with asyncio.TaskGroup() as group:
        while not execution.state.is_over:
            count = len(execution.events)
            for task in execution.tasks:
                if task.state is TaskState.PENDING and await _starts(task):
                    group.create_task(_run(task, pace))
            async with execution.grown:
                while len(execution.events) == count and not execution.state.is_over:
                    await execution.grown.wait()


async def _starts(task: FakeTask) -> bool:
    """Start a task whose dependencies have succeeded, fail one whose dependencies have failed."""
    needs = [task.execution.task(position).state for position in task.plan.depends_on]
    if any(state in (TaskState.FAILED, TaskState.CANCELLED) for state in needs):
        task.error = "dependency_failed"
        await task.execution.emit("task.failed", {"code": "dependency_failed"}, task, TaskState.FAILED)
        return False
    starts = all(state is TaskState.SUCCEEDED for state in needs)
    if starts:
        await task.execution.emit("task.started", {}, task, TaskState.RUNNING)
    return starts


async def _run(task: FakeTask, pace: float) -> None:
    emit, turn, step = task.execution.emit, 1, 1
    said: list[str] = []

    async def begin() -> None:
        claimed = [{"message_id": m["message_id"], "seq": m["seq"]} for m in task.messages if not m.get("turn")]
        for message in task.messages:
            message.setdefault("turn", turn)
        await emit("turn.started", {"turn": turn, "messages": claimed}, task)
        await emit("step.started", {"turn": turn, "step": step}, task)

    async def say(text: str) -> None:
        for word in ("\n" if said else "", *text.splitlines(keepends=True)):
            if word:
                await emit("text.delta", {"turn": turn, "step": step, "attempt": 1, "text": word}, task)
        said.append(text)

    async def complete() -> None:
        await emit("step.completed", {"turn": turn, "step": step, "text": "\n".join(said), "calls": []}, task)

    async def end(state: TaskState, **more: Any) -> None:
        data: dict[str, Any] = {
            "turn": turn,
            "outcome": str(state),
            "result": None,
            "error": None,
            "messages": [],
            **more,
        }
        await emit("turn.ended", data, task, state)

    await begin()
    for line in task.plan.description.splitlines():
        word, _, rest = line.partition(" ")
        if word == "!say":
            await say(rest)
        elif word == "!sleep":
            await asyncio.sleep(float(rest) * pace)
        elif word == "!results":
            for position in task.plan.depends_on:
                needed = task.execution.task(position)
                await say(f"{needed.plan.title}: {needed.result}")
        elif word == "!fail":
            for attempt in range(1, int(rest.split()[0]) + 1):
                which = {"turn": turn, "step": step, "attempt": attempt}
                await emit("step.failed", {**which, "code": "scripted_failure", "retrying": True}, task)
                await emit("step.voided", which, task)
        elif word == "!fatal":
            task.error = "scripted_fatal"
            await end(TaskState.FAILED, error={"code": "scripted_fatal"})
            return
        elif word == "!ask":
            asked = json.loads(rest) if rest.startswith("{") else {"question": rest}
            question = {
                "id": f"q_{uuid4().hex[:8]}",
                "text": asked["question"],
                "choices": asked.get("choices", []),
                "schema": asked.get("schema"),
            }
            await complete()
            said.clear()
            task.questions.append(question)
            task.waiting_since = datetime.now(UTC).isoformat()
            task.answered.clear()
            data = {"question_id": question["id"], **{k: question[k] for k in ("text", "choices", "schema")}}
            await emit("question.asked", data, task)
            await end(TaskState.WAITING)
            await task.answered.wait()
            turn += 1
            await begin()
            await say(f"You said: {task.messages[-1]['text']}")
    await complete()
    task.result = "\n".join(said)
    await end(TaskState.SUCCEEDED, result=task.result)
