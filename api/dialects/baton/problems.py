"""Where Baton's own API is, and the errors that its document declares."""

from typing import Any, Final

PREFIX: Final = "/baton/v1"


def _problems(*answers: tuple[int, str]) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"$ref": "#/components/schemas/ProblemOut"}}
    return {
        status: {"description": description, "content": {"application/problem+json": schema}}
        for status, description in answers
    }


#: The errors that any route may answer with.
PROBLEMS: Final = _problems(
    (401, "Missing or invalid credentials"),
    (403, "The credentials lack the required scope"),
    (404, "Not found, or owned by another tenant"),
    (422, "Invalid request"),
    (429, "Rate limit exceeded: retry after `Retry-After` seconds"),
    (503, "Temporarily unavailable, nothing was stored: retry"),
)

#: What reading a body may come to, beside those.
BODY_PROBLEMS: Final = PROBLEMS | _problems((413, "The body is too large"))

#: What making or changing an agent may come to, beside those.
CHANGE_AGENT_PROBLEMS: Final = BODY_PROBLEMS | _problems(
    (409, "An agent with this name already exists"),
    (412, "The agent has changed"),
)

#: What deciding on an approval may come to, beside those.
DECIDE_PROBLEMS: Final = PROBLEMS | _problems(
    (409, "Already decided otherwise: `state` is the approval's state"),
    (412, "The call is not the one the caller saw"),
    (413, "The body is too large"),
)

#: What sending a message may come to, beside those.
SEND_PROBLEMS: Final = PROBLEMS | _problems(
    (409, "The task's state does not allow this"),
    (412, "The task has changed"),
    (413, "The body is too large"),
)

#: What editing, withdrawing or redriving a message may come to, beside those.
CHANGE_PROBLEMS: Final = PROBLEMS | _problems(
    (409, "Too late: `state` is the state of the message or task"),
    (412, "The task has changed"),
    (413, "The body is too large"),
)
