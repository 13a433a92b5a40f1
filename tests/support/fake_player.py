"""The scripted model's lines, as far as tests of the CLI need them, turned into events."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from baton.domain import events
from baton.domain.events.executions import PlannedTask
from baton.domain.events.parts import MessageRef
from baton.domain.mailbox import Ending
from baton.domain.states import TaskState
from tests.support.fake_state import FakeExecution, FakeTask


async def play(execution: FakeExecution, pace: float) -> None:
    """Run a plan to its end. ``pace``: what a second of `!sleep` takes."""
    tasks = tuple(
        PlannedTask(id=UUID(task.id), position=task.plan.position, title=task.plan.title) for task in execution.tasks
    )
    await execution.emit(events.ExecutionCreated(title=execution.title, tasks=tasks))
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
        await task.execution.emit(events.TaskFailed(code="dependency_failed"), task, TaskState.FAILED)
        return False
    starts = all(state is TaskState.SUCCEEDED for state in needs)
    if starts:
        await task.execution.emit(events.TaskStarted(), task, TaskState.RUNNING)
    return starts


async def _run(task: FakeTask, pace: float) -> None:
    emit, turn, step = task.execution.emit, 1, 1
    said: list[str] = []

    async def begin() -> None:
        claimed = tuple(
            MessageRef(message_id=UUID(m["message_id"]), seq=m["seq"]) for m in task.messages if not m.get("turn")
        )
        for message in task.messages:
            message.setdefault("turn", turn)
        await emit(events.TurnStarted(turn=turn, messages=claimed), task)
        await emit(events.StepStarted(turn=turn, step=step), task)

    async def say(text: str) -> None:
        for word in ("\n" if said else "", *text.splitlines(keepends=True)):
            if word:
                await emit(events.TextDelta(turn=turn, step=step, attempt=1, text=word), task)
        said.append(text)

    async def complete() -> None:
        await emit(events.StepCompleted(turn=turn, step=step, text="\n".join(said)), task)

    async def end(state: TaskState, *, result: str | None = None, error: str | None = None) -> None:
        outcome = Ending.FAILED if error else Ending.ANSWERED
        await emit(events.TurnEnded(turn=turn, outcome=outcome, result=result, error=error), task, state)

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
                failed = events.StepFailed(
                    turn=turn, step=step, attempt=attempt, code="scripted_failure", retrying=True
                )
                await emit(failed, task)
                await emit(events.StepVoided(turn=turn, step=step, attempt=attempt), task)
        elif word == "!fatal":
            task.error = "scripted_fatal"
            await end(TaskState.FAILED, error=task.error)
            return
        elif word == "!ask":
            asked = json.loads(rest) if rest.startswith("{") else {"question": rest}
            question: dict[str, Any] = {
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
            body = events.QuestionAsked(
                question_id=question["id"],
                text=question["text"],
                choices=tuple(question["choices"]),
                schema=question["schema"],
            )
            await emit(body, task)
            await end(TaskState.WAITING)
            await task.answered.wait()
            turn += 1
            await begin()
            await say(f"You said: {task.messages[-1]['text']}")
    await complete()
    task.result = "\n".join(said)
    await end(TaskState.SUCCEEDED, result=task.result)
