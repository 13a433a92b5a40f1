"""`ask_user`: the tool that is never executed. Calling it ends the turn with a question."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, ValidationError
from pydantic_ai.tools import GenerateToolJsonSchema, ToolDefinition

from baton.agents.tools.answer_schema import schema_problem
from baton.agents.tools.failure import BAD_ARGUMENTS, ToolFailed, bad_arguments
from baton.domain.catalog import ASK_USER
from baton.domain.conversation import ToolCall
from baton.domain.json import JsonObject


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("text is missing")
    return text


_Text = Annotated[str, AfterValidator(_not_blank)]
#: Up to ten years: beyond that calendars end.
_Seconds = Annotated[PositiveFloat, Field(le=10 * 365 * 86_400)]


class _Arguments(BaseModel):
    """Ask the person you work for, and wait for the answer. Ask only for what you cannot find out yourself."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)

    question: Annotated[_Text, Field(description="What you want to know.")]
    choices: Annotated[
        list[_Text], Field(description="Answers to offer. The person may still answer something else.")
    ] = []
    answer_schema: Annotated[
        dict[str, Any] | None,
        Field(alias="schema", description="A JSON Schema (draft 2020-12) that the answer has to obey."),
    ] = None
    deadline_seconds: Annotated[
        _Seconds | None, Field(description="After this time the default is taken for the answer.")
    ] = None
    default: Annotated[_Text | None, Field(description="The answer that is taken at the deadline.")] = None
    remind_after_seconds: Annotated[_Seconds | None, Field(description="When to remind the person.")] = None
    escalate_after_seconds: Annotated[_Seconds | None, Field(description="When to ask someone else, too.")] = None


@dataclass(frozen=True, slots=True)
class AskUserQuestion:
    """What a call of `ask_user` asks. Times count from when the question is asked; None: never."""

    text: str
    choices: tuple[str, ...] = ()
    schema: JsonObject | None = None
    deadline_seconds: float | None = None
    default: str | None = None
    remind_after_seconds: float | None = None
    escalate_after_seconds: float | None = None


def _definition() -> ToolDefinition:
    schema = _Arguments.model_json_schema(schema_generator=GenerateToolJsonSchema)
    del schema["title"]
    return ToolDefinition(name=ASK_USER, description=schema.pop("description"), parameters_json_schema=schema)


ASK_USER_DEFINITION: Final = _definition()


def question_of(call: ToolCall) -> AskUserQuestion:
    """The question that ``call`` asks. Raises ToolFailed, with an explanation for the model, where it asks none."""
    try:
        asked = _Arguments.model_validate(call.arguments)
    except ValidationError as error:
        raise bad_arguments(ASK_USER, error) from error
    if asked.answer_schema is not None and (problem := schema_problem(asked.answer_schema)):
        raise ToolFailed(BAD_ARGUMENTS, f"{ASK_USER} was not called. schema: {problem}")
    return AskUserQuestion(
        text=asked.question,
        choices=tuple(dict.fromkeys(asked.choices)),
        schema=asked.answer_schema,
        deadline_seconds=asked.deadline_seconds,
        default=asked.default,
        remind_after_seconds=asked.remind_after_seconds,
        escalate_after_seconds=asked.escalate_after_seconds,
    )
