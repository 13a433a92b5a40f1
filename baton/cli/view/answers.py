"""From what a person types to an answer: choices by number, everything else as it is."""

from typing import Any

from baton.client.schemas.tasks import QuestionOut
from baton.domain.conversation import Question


def question_of(shown: QuestionOut) -> Question:
    """A question as a task shows it."""
    return Question(shown.id, shown.text, tuple(shown.choices), shown.schema_)


def choices_of(question: Question) -> tuple[str, ...]:
    """What is offered: the question's choices, else the strings that its schema allows."""
    if question.choices or not question.schema:
        return question.choices
    allowed = question.schema.get("enum")
    texts = [value for value in allowed if isinstance(value, str)] if isinstance(allowed, list) else []
    return tuple(texts) if isinstance(allowed, list) and len(texts) == len(allowed) else ()


def labelled(question: Question) -> list[tuple[str, str]]:
    """Each choice with what to type for it: 1, 2, 3, …, or letters where a choice is a number itself."""
    choices = choices_of(question)
    if any(choice.strip().isdecimal() for choice in choices) and len(choices) <= 26:
        return [(chr(ord("a") + index), choice) for index, choice in enumerate(choices)]
    return [(str(index), choice) for index, choice in enumerate(choices, start=1)]


def answer_to(question: Question, typed: str) -> str:
    """The answer that ``typed`` stands for: a choice by its own words, in any case, or by its label; else the text."""
    wanted = typed.strip().casefold()
    for _, choice in labelled(question):
        if choice.strip().casefold() == wanted:
            return choice
    labelled_choice = choice_labelled(question, wanted)
    return typed.strip() if labelled_choice is None else labelled_choice


def choice_labelled(question: Question, label: str) -> str | None:
    """The choice with this label; None if there is none."""
    return dict(labelled(question)).get(label)


def rule_of(question: Question) -> str:
    """What the question's schema demands, in words; empty for a question without one."""
    schema = question.schema
    if not schema or choices_of(question):
        return ""
    match schema.get("type"):
        case "string":
            return "a text" + _bounds(schema, "minLength", "maxLength", " characters")
        case "integer":
            return "a whole number" + _bounds(schema, "minimum", "maximum")
        case "number":
            return "a number" + _bounds(schema, "minimum", "maximum")
        case "boolean":
            return "true or false"
        case "object":
            properties = schema.get("properties")
            named = isinstance(properties, dict) and ", ".join(properties)
            return f"JSON: an object with {named}" if named else "JSON: an object"
        case "array":
            return "JSON: a list"
        case _:
            return "JSON that obeys the question's schema"


def _bounds(schema: dict[str, Any], least: str, most: str, unit: str = "") -> str:
    low, high = schema.get(least), schema.get(most)
    if low is not None and high is not None:
        return f", {low} to {high}{unit}"
    if low is not None:
        return f", at least {low}{unit}"
    return f", at most {high}{unit}" if high is not None else ""
