"""What can go wrong, by stable code and data. No HTTP status, no vendor's word: each dialect has a table for that."""

from typing import ClassVar

from baton.domain.faults import FAULTS


class DomainError(Exception):
    """A rule was broken. ``code`` is stable, ``message`` tells the caller what to do."""

    code: ClassVar[str]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(DomainError):
    """What was sent does not fit. ``where`` is the path to it, as FastAPI's `loc`.

    ``others`` are further things that are wrong with the same request.
    """

    code = "invalid_input"

    def __init__(
        self,
        message: str,
        where: tuple[str | int, ...] = ("body",),
        kind: str = "value_error",
        others: "tuple[InvalidInput, ...]" = (),
    ) -> None:
        super().__init__(message)
        self.where = where
        self.kind = kind
        self.others = others


class InvalidPlan(InvalidInput):
    """The plan is no DAG of tasks. ``task`` is the offending task's id, where one can be named."""

    code = "invalid_plan"

    def __init__(
        self,
        message: str,
        task: int | None = None,
        where: tuple[str | int, ...] = ("body", "plan"),
        others: "tuple[InvalidPlan, ...]" = (),
    ) -> None:
        super().__init__(message, where, others=others)
        self.task = task


class Unauthenticated(DomainError):
    """Missing or invalid credentials."""

    code = "unauthenticated"


class Forbidden(DomainError):
    """The credentials lack the required scope."""

    code = "forbidden"


class RateLimited(DomainError):
    """Too many requests for now: the same one is welcome again after ``retry_seconds``."""

    code = "rate_limited"

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class NotFound(DomainError):
    """There is none, or it belongs to another tenant: the two are told apart nowhere."""

    code = "not_found"


class ExecutionNotFound(NotFound):
    """No such execution."""

    code = "execution_not_found"


class TaskNotFound(NotFound):
    """No such task."""

    code = "task_not_found"


class AgentNotFound(NotFound):
    """No such agent, or the key may not use it."""

    code = "agent_not_found"


class MessageNotFound(NotFound):
    """No such message."""

    code = "message_not_found"


class ApprovalNotFound(NotFound):
    """No such approval."""

    code = "approval_not_found"


class ArtifactNotFound(NotFound):
    """No such artifact."""

    code = "artifact_not_found"


class CompactionNotFound(NotFound):
    """The task has no such compaction."""

    code = "compaction_not_found"


class Conflict(DomainError):
    """The task's state does not allow this. ``state`` names it."""

    code = "conflict"

    def __init__(self, message: str, state: str) -> None:
        super().__init__(message)
        self.state = state


class TaskClosed(Conflict):
    """The task was cancelled: it takes no more messages."""

    code = "task_closed"


class TaskBusy(Conflict):
    """The task is at work, and the message asked not to queue."""

    code = "task_busy"


class NothingToCompact(Conflict):
    """A summary was asked for, and there is nothing that it could stand for."""

    code = "nothing_to_compact"


class AlreadyDecided(Conflict):
    """The approval is not open any more. ``state`` is the approval's: what became of it."""

    code = "approval_decided"


class NotWaiting(Conflict):
    """The message was to answer a task that waits, and the task does not."""

    code = "not_waiting"


class MessageTaken(Conflict):
    """It is too late to edit or withdraw the message. ``state`` is the message's, ``turn`` the one that took it."""

    code = "message_taken"

    def __init__(self, message: str, state: str, turn: int | None) -> None:
        super().__init__(message, state)
        self.turn = turn


class Outdated(DomainError):
    """What the caller saw is not current any more: nothing was stored. ``version`` and ``questions`` are current."""

    code = "outdated"

    def __init__(self, message: str, version: int, questions: tuple[str, ...]) -> None:
        super().__init__(message)
        self.version = version
        self.questions = questions


class AnswerRefused(DomainError):
    """The answer breaks the question's schema: the task keeps waiting. ``problems`` says where."""

    code = "answer_refused"

    def __init__(self, message: str, problems: tuple[str, ...]) -> None:
        super().__init__(message)
        self.problems = problems


class ArgumentsRefused(AnswerRefused):
    """Edited arguments break their tool's schema: the approval stays open. ``problems`` says where."""

    code = "arguments_refused"


class KeyReused(DomainError):
    """The Idempotency-Key was used for another message."""

    code = "idempotency_key_reused"


class CursorExpired(DomainError):
    """Events after this cursor are gone. ``oldest`` is the first from which on none is missing."""

    code = "cursor_expired"

    def __init__(self, message: str, oldest: int) -> None:
        super().__init__(message)
        self.oldest = oldest


class TooLarge(DomainError):
    """The body is over the limit, ``limit_bytes``."""

    code = "too_large"

    def __init__(self, message: str, limit_bytes: int) -> None:
        super().__init__(message)
        self.limit_bytes = limit_bytes


class Unavailable(DomainError):
    """PostgreSQL or Temporal cannot be reached: nothing was stored, try again.

    ``fault``: what is wrong, a key of `baton.domain.faults.FAULTS`; "" where that is not known. ``said``: the server's
    own sentence, for operators: addresses may stand there, so callers are not told.
    """

    code = "unavailable"

    def __init__(self, message: str, fault: str = "", said: str = "") -> None:
        super().__init__(message)
        self.fault = fault
        self.said = said

    def __str__(self) -> str:
        """What is wrong, and what an operator does about it."""
        told = f"{self.message} (it said: {self.said})" if self.said else self.message
        return f"{told}: {FAULTS[self.fault].remedy}" if self.fault else told


class TooSlow(Unavailable):
    """PostgreSQL did not answer within the time limits: it may have been stored, repeat it with the same key."""

    code = "too_slow"
