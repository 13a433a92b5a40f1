"""A task's result as JSON: what the answer that ends the task must be, and what becomes of one that is not.

The model is told what is wrong and answers again; after `TRIES` answers in one turn the task asks whether to go on.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

from baton.domain.answer_rules import BadSchema, rule_of
from baton.domain.answers import json_problems
from baton.domain.conversation import RecordedStep, Transcript
from baton.domain.errors import InvalidInput
from baton.domain.json import JsonObject, JsonValue, unstorable
from baton.domain.plain_answers import is_choice, stops

TRIES: Final = 3
"""How many answers of one turn may be wrong before the task asks."""

RESULT: Final = "result"
"""What the question is about: see `baton.domain.allowance.PREFIX`."""

GO_ON: Final = "Go on trying"
AS_TEXT: Final = "Take it as text"
GIVE_UP: Final = "Give up"
CHOICES: Final = (GO_ON, AS_TEXT, GIVE_UP)

_FENCED: Final = re.compile(r"\s*```[a-zA-Z]*[ \t]*\r?\n(.*)\n[ \t]*```\s*", re.DOTALL)
_LONGEST_TOLD: Final = 500


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer that would end its task. ``text`` is the task's result, which ``is_json`` where a schema says what it
    must be; ``wrong``: why it is none."""

    text: str
    is_json: bool = False
    wrong: tuple[str, ...] = ()

    @property
    def value(self) -> JsonValue:
        """The result itself."""
        return value_of(self.text, is_json=self.is_json)

    @property
    def refused(self) -> str:
        """Why it is none, in a line."""
        return "; ".join(self.wrong)


NO_RESULT: Final = Judged("")


def check_result_schema(schema: JsonObject, where: tuple[str | int, ...] = ("body", "result_schema")) -> None:
    """Raises `InvalidInput` for a JSON Schema that no answer can be checked against. The empty one asks for nothing."""
    if not schema:
        return
    if reason := unstorable(schema):
        raise InvalidInput(f"result_schema: {reason}", where)
    try:
        rule_of(schema)
    except BadSchema as error:
        raise InvalidInput(f"result_schema: {error}", where) from error


def judge(schema: JsonObject, answer: str) -> Judged:
    """What ``answer`` is as the result of a task whose schema is this: nothing but JSON, which may stand in a fence."""
    if not schema:
        return Judged(answer)
    fenced = _FENCED.fullmatch(answer)
    value, wrong = json_problems(schema, fenced[1] if fenced else answer.strip())
    if reason := unstorable(value):  # what else is wrong with it may repeat that
        wrong = (reason,)
    return Judged(answer, wrong=wrong) if wrong else Judged(json.dumps(value, ensure_ascii=False), is_json=True)


def value_of(text: str | None, *, is_json: bool) -> JsonValue:
    """A result as it is stored. A worker from before there were schemas, which runs beside newer ones while they are
    deployed, writes texts where JSON was, and does not say so."""
    if not is_json or text is None:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def as_text(result: JsonValue) -> str | None:
    """A result for those who know texts alone."""
    return result if result is None or isinstance(result, str) else json.dumps(result, ensure_ascii=False)


def asked_of_model(schema: JsonObject) -> str:
    """What the model is told of the schema, "" for nothing."""
    if not schema:
        return ""
    shown = json.dumps(schema, ensure_ascii=False)
    return (
        "# The result\n\nThe answer that ends your work must be one JSON value and nothing else, valid by this JSON "
        f"Schema (draft 2020-12):\n\n{shown}"
    )


def told_of(wrong: str) -> str:
    """What the model is told of an answer that is not valid."""
    return f"[Your answer is not a valid result: {wrong}. Answer again, with the JSON and nothing else.]"


def question_after(transcript: Transcript, refused: int) -> str | None:
    """What the task asks instead of having its model answer once more; None while that may be tried.

    ``refused``: how many answers of the turn were wrong. A summary may stand for all of these but the last.
    """
    if refused < TRIES:
        return None
    last = _last_refused(transcript)
    told = "" if last is None else last.refused
    told = told if len(told) <= _LONGEST_TOLD else told[: _LONGEST_TOLD - 1] + "…"
    return f"The agent's answer is not a valid result after {TRIES} tries: {told}. What now?"


def gives_up(answer: str) -> bool:
    """Whether ``answer`` to that question is to give up. "No" is not: the question is what to do."""
    return stops(answer)


def takes_text(answer: str) -> bool:
    """Whether it is to take the last one as it is."""
    return is_choice(answer, AS_TEXT)


def taken_as_text(transcript: Transcript, answer: str) -> str | None:
    """The last answer, which was not valid, where ``answer`` is to take it as it is; None if the model is to go on.

    That is so, too, where other messages came with it, or the model has answered since: a message may be redriven late.
    """
    if not takes_text(answer) or len(transcript.turns[-1].messages) > 1:
        return None
    answers = [step for turn in transcript.turns for step in turn.steps if step.response is not None]
    return answers[-1].text if answers and answers[-1].refused else None


def _last_refused(transcript: Transcript) -> RecordedStep | None:
    steps = (step for turn in reversed(transcript.turns) for step in reversed(turn.steps))
    return next((step for step in steps if step.refused), None)
