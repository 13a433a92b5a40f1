"""What is published of the send call: schemas, answers, the way in. Names, types and codes are the vendor's."""

from typing import Any, Final

Json = dict[str, Any]

SECURITY: Final[Json] = {
    "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A key or a token."}
}

#: The task that a path names.
TASK_PARAMETER: Final[Json] = {
    "in": "path",
    "name": "taskId",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}

#: As they are published, contradictions and all: an `agentConfig` is any object with a name.
PUBLISHED: Final[Json] = {
    "SendMessageRequest": {
        "type": "object",
        "properties": {
            "agentConfig": {"oneOf": [{"$ref": "#/components/schemas/DataEngineerAgentConfigOverride"}]},
            "grantedPermissions": {
                "type": ["array", "null"],
                "items": {"$ref": "#/components/schemas/AllowedTool"},
            },
            "message": {"type": "string", "minLength": 1},
        },
        "required": ["message"],
    },
    "SendMessageResponse": {
        "type": "object",
        "properties": {"taskId": {"type": "string", "format": "uuid"}},
    },
    "ProblemDetail": {
        "type": "object",
        "properties": {
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "status": {"type": "integer", "format": "int32"},
            "title": {"type": "string"},
            "type": {"type": "string", "format": "uri"},
            "violations": {"type": "array", "items": {"type": "string"}},
        },
    },
    "DataEngineerAgentConfigOverride": {
        "allOf": [
            {"$ref": "#/components/schemas/AgentConfigOverride"},
            {
                "type": "object",
                "properties": {
                    "mode": {"type": ["string", "null"], "enum": ["PLAN", "ACT"]},
                    "name": {"type": "string", "minLength": 1},
                    "targetBranchName": {"type": ["string", "null"]},
                },
            },
        ],
        "required": ["name"],
    },
    "AllowedTool": {
        "type": "object",
        "properties": {"toolName": {"type": "string", "minLength": 1}},
        "required": ["toolName"],
    },
    "AgentConfigOverride": {
        "type": "null",
        "discriminator": {"propertyName": "name"},
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    },
}


#: The answer to a message.
SENT: Final[dict[int | str, Json]] = {
    202: {
        "description": "Stored; the agent will receive it",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/SendMessageResponse"}}},
    }
}


def _problems(*answers: tuple[int, str]) -> dict[int | str, Json]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetail"}}}
    return {status: {"description": description, "content": content} for status, description in answers}


#: The errors that any route may answer with. The 422 is declared for all, lest the framework declare one of its own.
READ_ERRORS: Final = _problems(
    (400, "Invalid request"),
    (401, "Missing or invalid key"),
    (403, "The key lacks the required scope"),
    (404, "Not found, or owned by another tenant"),
    (422, "The answer violates the question's schema, or the Idempotency-Key was used for another message"),
    (429, "Rate limit exceeded"),
    (500, "Internal error"),
    (502, "PostgreSQL cannot be reached"),
    (504, "PostgreSQL did not answer in time"),
)

#: The errors of routes that change something.
WRITE_ERRORS: Final = READ_ERRORS | _problems(
    (409, "The task's state does not allow this"),
    (412, "The task has changed"),
    (413, "The body is too large"),
    (415, "The body is not JSON"),
)
