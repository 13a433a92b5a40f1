"""What decisions say: consent to a call, or an answer to a question. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.dialects.maia.schemas import WORDS, Answer, Decision
from api.dialects.maia.translate import ORIGIN
from api.ids import approval_id, canonical
from api.options import SendOptions
from baton.domain import approvals
from baton.domain.approvals import Verdict
from baton.domain.errors import InvalidInput
from baton.domain.ids import ApprovalId
from baton.domain.messages import Draft


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Decisions by what they are about: calls, and questions (a message each)."""

    calls: tuple[tuple[ApprovalId, approvals.Decision], ...]
    answers: tuple[Draft, ...]


def verdicts(decisions: Sequence[Decision], options: SendOptions) -> Verdicts:
    """Read decisions. Each answer has an idempotency key of its own, from the request's and its question.

    Raises `InvalidInput` that names the decision, and `ApprovalNotFound` for an id that no call has.
    """
    calls: list[tuple[ApprovalId, approvals.Decision]] = []
    answers: list[Draft] = []
    for number, decision in enumerate(decisions):
        where = ("body", "decisions", number)
        verdict = _verdict(decision, where)
        if verdict is not None:
            calls.append((approval_id(decision.id), approvals.Decision(verdict)))
            continue
        key, question = options.idempotency_key, canonical(decision.id)
        answers.append(
            Draft(
                text=_text(decision.answers or (), (*where, "answers")),
                origin=ORIGIN,
                idempotency_key=None if key is None else f"{key} {question}",
                question=question,
            )
        )
    return Verdicts(tuple(calls), tuple(answers))


def _verdict(decision: Decision, where: tuple[str | int, ...]) -> Verdict | None:
    """What is decided about a call; None where a question is answered."""
    said = decision.type.strip().lower()
    if said not in WORDS:
        raise InvalidInput(f"must be one of {', '.join(WORDS)}", (*where, "type"))
    verdict = WORDS[said]
    if verdict is not None and decision.answers:
        raise InvalidInput("only a question takes answers", (*where, "answers"))
    return verdict


def _text(answers: Sequence[Answer], where: tuple[str | int, ...]) -> str:
    """The answer to a question, which is one: several options are lines of it."""
    if [answer.questionIndex for answer in answers] != [0]:
        raise InvalidInput("there is one question: answer it once, with questionIndex 0", where)
    return "\n".join(answers[0].selectedOptions)
