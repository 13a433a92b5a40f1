"""What happens to a question that nobody answers: a reminder, an escalation, and at its deadline the default."""

from dataclasses import replace
from datetime import UTC, datetime

from baton.domain.authors import DEADLINE
from baton.domain.conversation import Question
from baton.domain.events import QuestionEscalated, QuestionReminded
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Standing, put
from baton.domain.messages import Draft
from baton.domain.states import TaskState
from baton.store import messages, rings
from baton.store.changes import RING_SECONDS, Change
from baton.store.pool import Connection

#: What an agent reads where nobody answered and it had named no default.
NO_ANSWER = "No answer came by the deadline."


async def tick(connection: Connection, route: TaskRoute, now: datetime | None = None) -> Standing:
    """Do what is due by ``now`` for the questions that a task waits with. A repeat finds nothing due.

    A default is a message of origin `deadline`, accepted like any other and only while its question is open.
    """
    at = (now or datetime.now(UTC)).isoformat()
    change = await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)
    if change.task.box.state is not TaskState.WAITING:
        return change.standing()
    questions = tuple(_told(change, question, at) for question in change.task.box.questions)
    if questions != change.task.box.questions:
        change.box = put(change.task.box, questions)
    await change.write()
    for question in questions:
        if question.deadline_at and question.deadline_at <= at:
            await _answer(connection, route, question)
    return (await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)).standing()


def _told(change: Change, question: Question, at: str) -> Question:
    if question.remind_at and question.remind_at <= at:
        change.say(QuestionReminded.of(question))
        question = replace(question, remind_at="")
    if question.escalate_at and question.escalate_at <= at:
        change.say(QuestionEscalated.of(question))
        question = replace(question, escalate_at="")
    return question


async def _answer(connection: Connection, route: TaskRoute, question: Question) -> None:
    draft = Draft(
        question.default or NO_ANSWER,
        origin="deadline",
        question=question.id,
        idempotency_key=f"deadline-{question.id}",
    )
    version = (await rings.bell(connection, route)).version  # the default was checked when the question was asked
    await messages.send_message(connection, route, draft, DEADLINE, relay_seconds=RING_SECONDS, checked_version=version)
