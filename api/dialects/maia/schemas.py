"""The bodies that Maia's clients send. What else they send is left alone, but in decisions: these mean consent."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, StringConstraints

from baton.domain.approvals import Verdict

PREFIX: Final = "/v1/ai/agents/tasks"

#: What a decision's `type` may say. `tool` is what pending decisions call a call that needs consent: to send it back is
#: to consent, since a decision has no other word for it.
WORDS: Final[dict[str, Verdict | None]] = {
    "tool": Verdict.APPROVE,
    "approve": Verdict.APPROVE,
    "approved": Verdict.APPROVE,
    "allow": Verdict.APPROVE,
    "accept": Verdict.APPROVE,
    "decline": Verdict.DECLINE,
    "declined": Verdict.DECLINE,
    "reject": Verdict.DECLINE,
    "rejected": Verdict.DECLINE,
    "deny": Verdict.DECLINE,
    "denied": Verdict.DECLINE,
    "question": None,
    "answer": None,
}

Text = Annotated[StrictStr, StringConstraints(min_length=1)]
ToolName = Annotated[StrictStr, StringConstraints(min_length=1, max_length=255)]
Mode = Literal["PLAN", "ACT"]
Status = Literal["RUNNING", "STOPPED", "STOPPING", "ERRORED"]


class AgentConfig(BaseModel):
    """Which agent, and how it is to work; kept as it is. PLAN: it may call no tool that changes things."""

    model_config = ConfigDict(extra="allow")

    name: Text
    mode: Mode | None = None


class AllowedTool(BaseModel):
    """A tool whose calls need no permission any more."""

    model_config = ConfigDict(extra="ignore")

    toolName: ToolName


Grants = Annotated[list[AllowedTool] | None, Field(max_length=100)]


class CreateTaskRequest(BaseModel):
    """A new task: its agent, what it is to do, and the tools that it may call without asking."""

    model_config = ConfigDict(extra="ignore")

    agentConfig: AgentConfig
    message: Text
    grantedPermissions: Grants = None


class SendMessage(BaseModel):
    """A message to a task. A mode, and permissions, count from the turn that reads it."""

    model_config = ConfigDict(extra="ignore")

    message: Text
    agentConfig: AgentConfig | None = None
    grantedPermissions: Grants = None


class Answer(BaseModel):
    """What was chosen, or written, in answer to a question of a decision."""

    model_config = ConfigDict(extra="forbid")

    questionIndex: Annotated[StrictInt, Field(ge=0)] = 0
    selectedOptions: Annotated[list[Text], Field(min_length=1, max_length=100)]


class Decision(BaseModel):
    """A decision: `type` says which, `id` about what. It takes nothing else, lest something be overlooked."""

    model_config = ConfigDict(extra="forbid")

    type: Annotated[Text, Field(json_schema_extra={"enum": [*WORDS]}, description="In any case.")]
    id: Text
    answers: list[Answer] | None = None


class SubmitDecisionsRequest(BaseModel):
    """Decisions about one task: all of them are recorded, or none."""

    model_config = ConfigDict(extra="forbid")

    decisions: Annotated[list[Decision], Field(min_length=1, max_length=100)]
