"""What Temporal's UI shows of a task that waits, and of a plan: in Markdown, bounded, with the line that answers.

All of it stands in a history, once per turn: the workflow puts in what it knows itself, such as the task's id for
`TASK`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from baton.domain.approvals import Approval
from baton.domain.conversation import Question
from baton.domain.doubts import is_about_call
from baton.domain.mailbox import Mailbox
from baton.domain.markdown import block, code, plain
from baton.domain.states import TaskState
from baton.store.plans import PlanStanding
from workflows.contracts import TASK

#: Of a question, Temporal's UI shows so many characters.
QUESTION_CHARACTERS: Final = 200
_CHOICE_CHARACTERS: Final = 60
_NAME_CHARACTERS: Final = 40
_TITLE_CHARACTERS: Final = 60
#: So many are shown of the questions and approvals that are open, of the choices, of a call's arguments, and of tasks.
_ASKED: Final = 3
_CHOICES: Final = 6
_ARGUMENTS: Final = 10
_TASKS: Final = 12
#: Which of a plan's tasks come first.
_FIRST: Final = (
    TaskState.WAITING,
    TaskState.PAUSED,
    TaskState.FAILED,
    TaskState.RUNNING,
    TaskState.PENDING,
    TaskState.CANCELLED,
    TaskState.SUCCEEDED,
)


def of_waiting(box: Mailbox, *, words: bool) -> str:
    """What a waiting task asks, and how to answer. ``words``: whether Temporal may have what somebody wrote.

    Of a tool call the names of its arguments at most, never what they hold.
    """
    said = [_question(question, words=words) for question in box.questions[:_ASKED]]
    said += [_approval(approval, words=words) for approval in box.approvals[:_ASKED]]
    more = max(0, len(box.questions) - _ASKED) + max(0, len(box.approvals) - _ASKED)
    if more:
        said.append(f"And {more} more: `baton inbox`")
    return "\n\n".join(said)


def _question(question: Question, *, words: bool) -> str:
    said = [f"**Asks** since {_time(question.asked_at)}"]
    if words:
        text = question.text.partition("\n")[0] if is_about_call(question) else question.text
        said.append(block(text, QUESTION_CHARACTERS))
        if question.choices:
            said.append(f"Choices: {_some([code(one, _CHOICE_CHARACTERS) for one in question.choices], _CHOICES)}")
    if question.deadline_at:
        default = f", then the answer is {code(question.default, _CHOICE_CHARACTERS)}"
        said.append(f"Deadline: {_time(question.deadline_at)}{default if words and question.default else ''}")
    said.append(f"`baton send {TASK} --question {question.id} 'ANSWER'`")
    return "\n\n".join(said)


def _approval(approval: Approval, *, words: bool) -> str:
    names = [code(name, _NAME_CHARACTERS) for name in approval.arguments] if words else []
    given = f" with {_some(names, _ARGUMENTS)}" if names else ""
    return (
        f"**Wants to call** {code(approval.tool, _TITLE_CHARACTERS)}{given} since {_time(approval.asked_at)}\n\n"
        f"`baton approve {approval.id}`\n\n`baton decline {approval.id} 'REASON'`"
    )


def of_plan(standing: PlanStanding, *, words: bool) -> str:
    """A plan's state, how many of its tasks are where, and links to those that people care for first."""
    said = ", ".join(f"{count} {state}" for state, count in standing.counts.items() if count)
    now = _time(datetime.now(UTC).isoformat())
    shown = sorted(standing.tasks, key=lambda task: (_FIRST.index(task.state), task.position))
    lines = [
        f"- [task {task.position}]({TASK}{task.id}) {task.state}"
        + (f": {plain(task.title, _TITLE_CHARACTERS)}" if words else "")
        for task in shown[:_TASKS]
    ]
    if len(shown) > _TASKS:
        lines.append(f"- and {len(shown) - _TASKS} more")
    return "\n".join((f"**{standing.state}**: {said} (at {now})", "", *lines))


def _some(items: Sequence[str], most: int) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def _time(at: str) -> str:
    """An RFC 3339 time in UTC, to the second."""
    return f"{at[:19]}Z"
