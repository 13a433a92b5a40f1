"""Calls of tools that may not be repeated, where nobody knows whether they happened: what is asked, what answers mean.

Only the words that are offered let a call count as made, or have it made. Whatever else is said, it is not made again.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from baton.domain.allowance import PREFIX
from baton.domain.conversation import Question, ToolCall, ToolResult
from baton.domain.plain_answers import is_choice

HAPPENED: Final = "It happened"
MAKE_IT: Final = "It did not happen: make the call"
GIVE_UP: Final = "Give up"

#: What a call gives that happened, if no more is said of it.
NO_MORE_KNOWN: Final = "The call happened. Its result is not known."
#: What a call gives that nobody vouches for.
NOT_KNOWN: Final = "It is not known whether this call happened: its worker stopped during it. It was not repeated."
#: What a call gives that was ended from outside while it was under way.
MAY_HAVE_HAPPENED: Final = "Interrupted during the call: it may have taken effect."

_KEY: Final = f"{PREFIX}call:"
_LONGEST_ARGUMENTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Word:
    """A person's word about a call: its ``result``, or None where the call is to be made."""

    result: ToolResult | None


def question_key(call_id: str) -> str:
    """The `call_id` of the question about a call."""
    return _KEY + call_id


def is_about_call(question: Question) -> bool:
    """Whether Baton asks about a call."""
    return question.call_id.startswith(_KEY)


def question_about(call: ToolCall, turn: int) -> Question:
    """What a task asks about ``call`` as ``turn`` ends. Its first line has nothing of the arguments."""
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    if len(arguments) > _LONGEST_ARGUMENTS:
        arguments = arguments[: _LONGEST_ARGUMENTS - 1] + "…"
    return Question(
        id=str(uuid4()),
        text=(
            f"Did this call of {call.name} happen? Its worker stopped during the call.\n{arguments}\n"
            f'With its result: "{HAPPENED}: RESULT".'
        ),
        choices=(HAPPENED, MAKE_IT, GIVE_UP),
        call_id=question_key(call.id),
        turn=turn,
        asked_at=datetime.now(UTC).isoformat(),
    )


def word_on(call_id: str, answer: str | None) -> Word:
    """What ``answer`` says of a call; None: nobody has answered."""
    said = (answer or "").strip()
    if is_choice(said, MAKE_IT):
        return Word(None)
    if is_choice(said, HAPPENED):
        return Word(ToolResult(call_id, NO_MORE_KNOWN))
    start, colon, result = said.partition(":")
    if colon and is_choice(start, HAPPENED):
        return Word(ToolResult(call_id, result.strip() or NO_MORE_KNOWN))
    return Word(ToolResult(call_id, NOT_KNOWN, failed=True))
