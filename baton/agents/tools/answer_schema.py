"""Whether a JSON Schema can be a rule for what people say, in words for the model."""

from baton.domain.answer_rules import BadSchema, rule_of
from baton.domain.json import JsonObject


def schema_problem(schema: JsonObject) -> str | None:
    """Why answers cannot be checked against ``schema``; None where they can."""
    try:
        rule_of(schema)
    except BadSchema as error:
        return str(error)
    return None
