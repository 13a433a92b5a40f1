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
    (401, "No credentials, or none that count"),
    (403, "The credentials are good, but not for this"),
    (404, "There is none, or it belongs to somebody else"),
    (422, "What was sent does not fit"),
    (429, "Too many requests: `Retry-After` says when there may be more"),
    (503, "Nothing was stored: try again"),
)

#: What reading a body may come to, beside those.
BODY_PROBLEMS: Final = PROBLEMS | _problems((413, "The body is too large"))

#: What making or changing an agent may come to, beside those.
CHANGE_AGENT_PROBLEMS: Final = BODY_PROBLEMS | _problems(
    (409, "There is an agent of that name already"),
    (412, "The agent has changed since"),
)

#: What deciding on an approval may come to, beside those.
DECIDE_PROBLEMS: Final = PROBLEMS | _problems(
    (409, "Something else was decided: `state` says what became of the approval"),
    (412, "The call is another than the one that was seen"),
    (413, "The body is too large"),
)

#: What sending a message may come to, beside those.
SEND_PROBLEMS: Final = PROBLEMS | _problems(
    (409, "The task's state does not allow it"),
    (412, "The task has changed since"),
    (413, "The body is too large"),
)

#: What editing, withdrawing or redriving a message may come to, beside those.
CHANGE_PROBLEMS: Final = PROBLEMS | _problems(
    (409, "It is too late: `state` is the one that the message is in, or the task's"),
    (412, "The task has changed since"),
    (413, "The body is too large"),
)
