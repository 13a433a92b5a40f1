"""What people type into Temporal's own UI or CLI, what their workflow has done about it, and what they are told."""

from dataclasses import dataclass, field

from temporalio import activity

from workflows.contracts import Outcome, TaskRef


@dataclass(slots=True)
class ContinueTask:
    """Kubiya's `continue_task_signal`, as a person may send it in Temporal's own UI."""

    task_id: int
    user_message: str


@dataclass(slots=True)
class TypedMessage:
    """A message that somebody typed into Temporal's own UI or CLI. ``key`` makes it idempotent.

    ``position`` names the task within its plan where it was sent to the plan's workflow; else ``task`` is set.
    ``question`` is the one that it answers, "" for all that are open; ``answers``: it is refused by a task that asks
    nothing. ``sender`` is the identity that Temporal's history has.
    """

    tenant: str
    execution: str
    key: str
    text: str
    task: str = ""
    position: int = 0
    question: str = ""
    answers: bool = False
    sender: str = ""


@dataclass(slots=True)
class Answer:
    """The answer to a question, as a person may give it by the update `answer`; a text alone answers all that is asked.

    ``question_id``: the question that it answers, refused where that is not open any more.
    """

    text: str
    question_id: str = ""


@dataclass(slots=True)
class Decide:
    """A decision on tool calls that wait for consent, as a person may send it in Temporal's own UI or CLI.

    ``decision`` is `approve` or `decline`; without ``approval_id`` it is for all that the task waits for.
    """

    decision: str
    reason: str = ""
    approval_id: str = ""


@dataclass(slots=True)
class TypedDecision:
    """A decision that somebody typed into Temporal, on its way to PostgreSQL.

    ``turn`` is the task's when it was typed: without an ``approval`` it is for what was asked by then. A retry, or a
    workflow that is reset and hears all its signals again, consents to nothing that was asked since. ``sender`` is the
    identity that Temporal's history has.
    """

    ref: TaskRef
    decision: str
    reason: str
    approval: str
    turn: int = 0
    sender: str = ""


@dataclass(slots=True)
class TypedOutcome(Outcome):
    """What became of something that was typed into Temporal, and where its task stands now.

    ``refused`` is the code of why nothing was stored ("": it was), ``why`` says it in words, where Temporal may have
    them. ``message`` is the id of the message that was accepted, ``approvals`` are those that were decided on.
    """

    refused: str = ""
    why: str = ""
    message: str = ""
    approvals: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class AnswerReceipt:
    """What the update `answer` returns: the id of the message that was accepted, and the task's state and version."""

    message_id: str
    state: str
    version: int


@dataclass(slots=True)
class DecisionReceipt:
    """What the update `decide` returns: the approvals that were decided on, and the task's state and version."""

    approval_ids: list[str]
    state: str
    version: int


@activity.defn(name="accept_message")
async def accept_message(message: TypedMessage) -> TypedOutcome:
    """Accept a message that was typed into Temporal, exactly like a REST send. Idempotent by its key."""
    raise NotImplementedError("activities.messages.MessageActivities.accept_message")


@activity.defn(name="decide_approvals")
async def decide_approvals(decision: TypedDecision) -> TypedOutcome:
    """Record a decision that was typed into Temporal, exactly like one by REST. Idempotent."""
    raise NotImplementedError("activities.approvals.ApprovalActivities.decide_approvals")
