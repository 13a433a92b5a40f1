"""Tool calls that need consent: which do, what was asked, and what was decided."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from baton.domain.errors import InvalidInput
from baton.domain.json import JsonObject, JsonValue, deeper_than, unstorable, unstorable_text

_WILDCARDS: Final = frozenset("*?")
#: How deep the arguments of a call may be nested that somebody edits.
ARGUMENT_LEVELS: Final = 100
#: Longer reasons are cut where they were not given as such: the text of a message that declined a call.
REASON_CHARACTERS: Final = 500


class Policy(StrEnum):
    """Whether an agent may call a tool."""

    ALLOW = "allow"
    ASK = "ask"  #: only if somebody approves the call
    DENY = "deny"


_STRICTNESS: Final = (Policy.ALLOW, Policy.ASK, Policy.DENY)


class ApprovalState(StrEnum):
    """What became of an approval. All but the first are final."""

    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"  #: its task was cancelled before anybody had decided


class Verdict(StrEnum):
    """What a decision says."""

    APPROVE = "approve"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class Approval:
    """A tool call that waits for consent.

    ``digest`` binds the consent to ``tool`` and ``arguments``, see `digest_of`; ``call_id`` is unique within the step
    ``step`` of turn ``turn``; ``asked_at`` is RFC 3339.
    """

    id: str
    call_id: str
    turn: int
    step: int
    tool: str
    arguments: JsonObject
    digest: str
    asked_at: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decides about an approval.

    ``arguments``: what the call is to be made with instead (None: as the model asked). ``digest``: that of the approval
    that the decider saw, None where that is not checked.
    """

    verdict: Verdict
    reason: str = ""
    arguments: JsonObject | None = None
    digest: str | None = None

    def check(self) -> None:
        """Raises `InvalidInput` for a decision that contradicts itself or cannot be stored."""
        if self.arguments is not None and self.verdict is not Verdict.APPROVE:
            raise InvalidInput("only an approval can change the arguments", ("body", "arguments"))
        if self.arguments is not None:
            where = ("body", "arguments")
            if deeper_than(self.arguments, ARGUMENT_LEVELS):
                raise InvalidInput(f"arguments are nested at most {ARGUMENT_LEVELS} deep", where)
            if problem := unstorable(self.arguments):
                raise InvalidInput(problem, where)
        if problem := unstorable_text(self.reason):
            raise InvalidInput(problem, ("body", "reason"))


@dataclass(frozen=True, slots=True)
class ToolRules:
    """What an agent may do with its tools: its ``policies``, and which tools are ``harmless``: they change nothing.

    ``parameters``: by tool, the JSON Schema that arguments must obey, where they can be judged by one.
    ``doubtful``: the policies name a tool that there is not, so that what they were meant to restrict is not known.
    """

    policies: Mapping[str, object]
    harmless: Collection[str] = ()
    parameters: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    doubtful: bool = False

    def policy(self, tool: str, granted: Collection[str]) -> Policy:
        """What holds for ``tool`` in a task in which the ``granted`` tools were consented to, whatever their calls.

        A tool's own name counts before all patterns, of those that with the most characters beside its wildcards, of
        equals the strictest. Where none fits, a tool that changes things is asked for. A policy that says nothing that
        is known denies: it was meant to restrict something. Where the policies are ``doubtful``, a tool that changes
        things and is not named itself is asked for.
        """
        policy = self._named(tool)
        if self.doubtful and policy is Policy.ALLOW and tool not in self.policies and tool not in self.harmless:
            policy = Policy.ASK
        return Policy.ALLOW if policy is Policy.ASK and tool in granted else policy

    def _named(self, tool: str) -> Policy:
        if tool in self.policies:
            return _read(self.policies[tool])
        fitting = [pattern for pattern in self.policies if is_pattern(pattern) and fnmatchcase(tool, pattern)]
        most = max(map(_literal, fitting), default=0)
        unsaid = Policy.ALLOW if tool in self.harmless else Policy.ASK
        said = [_read(self.policies[pattern]) for pattern in fitting if _literal(pattern) == most]
        return max(said, key=_STRICTNESS.index, default=unsaid)

    def refusal(self, tool: str, granted: Collection[str], *, plan_only: bool) -> str | None:
        """Why ``tool`` may not be called, not even if somebody were asked; in words for the model."""
        if self.policy(tool, granted) is Policy.DENY:
            return f"{tool} was not called: this agent is not allowed to."
        if plan_only and tool not in self.harmless:
            return (
                f"{tool} was not called: the task is in plan mode, where nothing may be changed."
                " Say what you would do, and wait to be told to act."
            )
        return None


def is_pattern(name: str) -> bool:
    """Whether a policy's key is a pattern of tools' names: `*` stands for any characters, `?` for one."""
    return not _WILDCARDS.isdisjoint(name)


def _literal(pattern: str) -> int:
    return sum(character not in _WILDCARDS for character in pattern)


def _read(said: object) -> Policy:
    try:
        return Policy(str(said))
    except ValueError:
        return Policy.DENY


def check_policies(policies: JsonObject, where: tuple[str | int, ...] = ("body", "policies")) -> None:
    """Raises `InvalidInput` for policies that are not {tool or "*": "allow" | "ask" | "deny"}."""
    for tool, policy in policies.items():
        if policy not in tuple(Policy):
            raise InvalidInput(f"a policy must be one of {', '.join(Policy)}", (*where, tool))


def digest_of(tool: str, arguments: JsonObject) -> str:
    """SHA-256, in hex, of a tool's name and its arguments as canonical JSON.

    Equal for equal JSON: keys in order, no spaces, and a number is its value however it was written (PostgreSQL gives
    `1e3` back as `1000`).
    """
    text = json.dumps([tool, _canonical(arguments)], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: JsonValue) -> JsonValue:
    match value:
        case dict():
            return {key: _canonical(item) for key, item in value.items()}
        case list():
            return [_canonical(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def question_text(approval: Approval) -> str:
    """An approval as a question, for people whose API knows nothing else."""
    return call_question(approval.tool, approval.arguments)


def call_question(tool: str, arguments: JsonValue) -> str:
    """Whether a call may be made, as a question; its arguments are cut where they are long."""
    return f"May {tool} be called with {shortened(json.dumps(arguments, ensure_ascii=False))}?"


def declined(reason: str) -> str:
    """The result of a call that was declined, for the model."""
    return f"Declined: {reason}" if reason.strip() else "Declined."


def shortened(text: str) -> str:
    """``text`` as a reason: its beginning, where it is long."""
    return text if len(text) <= REASON_CHARACTERS else f"{text[: REASON_CHARACTERS - 1].rstrip()}…"
