"""What somebody typed into Temporal's own UI or CLI: who it was, and how a refusal is told."""

from typing import Final

from activities.encoding import outcome
from baton.domain.authors import Author
from baton.domain.errors import AnswerRefused, DomainError
from baton.domain.mailbox import Standing
from workflows.contracts import REST, Outcome
from workflows.typed import TypedOutcome

#: Of an identity, so much is kept.
_IDENTITY_CHARACTERS: Final = 200
#: Of a refusal, Temporal's history keeps so much.
_WHY_CHARACTERS: Final = 300


def author(identity: str) -> Author:
    """Who typed it, by the identity that Temporal has: its clients choose that themselves."""
    return Author.in_temporal(identity.replace("\x00", "")[:_IDENTITY_CHARACTERS])


def typed_outcome(
    standing: Standing | None,
    *,
    words: bool,
    refused: DomainError | None = None,
    message: str = "",
    approvals: tuple[str, ...] = (),
) -> TypedOutcome:
    """What the workflow is told. ``standing`` is None where no task was found, ``words`` as in `outcome`."""
    where = Outcome(REST, 0, 0, 0, "") if standing is None else outcome(standing, words=False)
    return TypedOutcome(
        where.next,
        where.turn,
        where.step,
        where.seq,
        where.state,
        refused=refused.code if refused else "",
        why=_why(refused) if refused and words else "",
        message=message,
        approvals=list(approvals),
    )


def _why(refused: DomainError) -> str:
    problems = refused.problems if isinstance(refused, AnswerRefused) else ()
    return "; ".join((refused.message, *problems))[:_WHY_CHARACTERS]
