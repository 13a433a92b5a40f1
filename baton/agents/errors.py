"""What can go wrong with a model, by stable code. Errors of drivers and vendors are translated here, once."""

from collections.abc import Sequence
from http import HTTPStatus
from json import JSONDecodeError
from typing import Final

from pydantic import ValidationError
from pydantic_ai import exceptions as vendor

from baton.agents.sentences import sentence_of

RATE_LIMITED: Final = "model_rate_limited"
UNAVAILABLE: Final = "model_unavailable"
CUT_OFF: Final = "model_cut_off"  #: the stream ended before the provider said that the answer was complete
SILENT: Final = "model_silent"  #: no content for longer than the agent's clocks allow
BAD_REPLY: Final = "model_bad_reply"
REFUSED: Final = "model_refused"  #: the provider takes no such request
FILTERED: Final = "model_filtered"  #: the provider's content filter withheld the answer
QUOTA: Final = "model_quota"  #: no credit left, or a spending limit
KEY_REJECTED: Final = "model_key_rejected"
NOT_FOUND: Final = "model_not_found"  #: the provider has no such model
UNKNOWN: Final = "model_unknown"  #: no model is named like that, or no provider
OVERFLOW: Final = "context_overflow"  #: the conversation is longer than the model reads
KEY_MISSING: Final = "model_key_missing"  #: this worker has no key for the provider
NOT_INSTALLED: Final = "provider_not_installed"  #: this worker lacks the provider's package
KEY_NOT_ALLOWED: Final = "model_key_not_allowed"  #: the agent names a key that the deployer has not listed
HOST_NOT_ALLOWED: Final = "model_host_not_allowed"  #: the same for the host of its `base_url`
SETTING_UNSUPPORTED: Final = "model_setting_unsupported"  #: the provider has no such setting
STEP_TOO_LONG: Final = "step_too_long"  #: the model had come to no end in the time that a step has
WORKER_DIED: Final = "worker_died"  #: its workers were killed one after another while they were at it
TRANSCRIPT_TOO_LARGE: Final = "transcript_too_large"  #: more than a step may read
RESULT_INVALID: Final = "result_invalid"  #: no answer obeyed the result schema, and whoever was asked gave up
LIMIT_REACHED: Final = "limit_reached"  #: and whoever was asked said to stop
STEP_BROKEN: Final = "step_broken"  #: failed in a way that no rule foresees
SCRIPTED_FAILURE: Final = "scripted_failure"
SCRIPTED_FATAL: Final = "scripted_fatal"

OF_THIS_WORKER: Final = frozenset({KEY_MISSING, NOT_INSTALLED})
"""The codes that say what is wrong with a worker: another one may be set up better."""

RETRYABLE: Final = OF_THIS_WORKER | frozenset(
    {RATE_LIMITED, UNAVAILABLE, CUT_OFF, SILENT, BAD_REPLY, STEP_TOO_LONG, STEP_BROKEN, SCRIPTED_FAILURE}
)
"""The codes of which another attempt may succeed."""


PASSING: Final = frozenset({RATE_LIMITED, UNAVAILABLE})
"""The codes of what passes when the provider is well again."""

TOO_LONG: Final = frozenset({OVERFLOW, TRANSCRIPT_TOO_LARGE})
"""The codes of what a person may have shortened."""

FALLS_BACK: Final = (
    OF_THIS_WORKER
    | PASSING
    | frozenset(
        {
            CUT_OFF,
            SILENT,
            BAD_REPLY,
            REFUSED,
            FILTERED,
            QUOTA,
            KEY_REJECTED,
            KEY_NOT_ALLOWED,
            HOST_NOT_ALLOWED,
            SETTING_UNSUPPORTED,
            NOT_FOUND,
            UNKNOWN,
            OVERFLOW,
        }
    )
)
"""The codes of what another model may do better."""


class ModelFailed(Exception):
    """A model step failed.

    ``str()`` is the code alone. ``detail`` says more, with secrets masked, and may quote what the user or the provider
    wrote: it may be stored beside the conversation, but belongs in no log and not in Temporal; neither does
    ``__cause__``.
    ``retry_after_seconds`` is what the provider asked for, None where it did not say. ``final``: it is not tried again,
    whatever the code. ``overflowed``: the conversation was too long for one of the models that were asked.
    ``question``: what the task is to ask of it, where a person can help.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        retry_after_seconds: float | None = None,
        *,
        final: bool = False,
        question: str | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.overflowed = code == OVERFLOW
        self.question = question
        self.retryable = code in RETRYABLE and not final
        self.retry_after_seconds = retry_after_seconds


class HeldBack(Exception):
    """Somebody has to be asked before a model is: what may be spent is spent."""


def together(failed: Sequence[tuple[str, ModelFailed]]) -> ModelFailed:
    """What it comes to that each of these models, by name, has failed: the failure that passes soonest, if any does."""
    if len(failed) == 1:
        return failed[0][1]
    errors = [error for _, error in failed]
    passing = [error for error in errors if error.code in PASSING]
    retryable = [error for error in errors if error.retryable]
    first = (passing or retryable or errors)[0]
    pauses = [error.retry_after_seconds or 0.0 for error in passing or [first]]
    detail = "\n".join(f"{name}: {error.detail or error.code}" for name, error in failed)
    one = ModelFailed(first.code, detail, min(pauses) or None)
    one.overflowed = any(error.overflowed for error in errors)
    return one


_BY_CATEGORY: Final[tuple[tuple[type[Exception], str], ...]] = (
    (vendor.ModelRateLimitError, RATE_LIMITED),
    (vendor.ModelQuotaExceededError, QUOTA),
    (vendor.ModelUnavailableError, UNAVAILABLE),
    (vendor.ModelServerError, UNAVAILABLE),
    (vendor.ModelConnectionError, UNAVAILABLE),
    (vendor.ModelRequestTimeout, UNAVAILABLE),
    (vendor.ModelNotFoundError, NOT_FOUND),
    (vendor.ModelAuthenticationError, KEY_REJECTED),
    (vendor.ModelContextWindowExceededError, OVERFLOW),
    (vendor.ModelRequestRejectedError, REFUSED),
    (vendor.ContentFilterError, FILTERED),
    (vendor.UnexpectedModelBehavior, BAD_REPLY),
    (vendor.UserError, REFUSED),
    (JSONDecodeError, BAD_REPLY),
    (UnicodeDecodeError, BAD_REPLY),
    (ValidationError, BAD_REPLY),
    (OSError, UNAVAILABLE),  # includes TimeoutError
    # How adapters say that they cannot send what the conversation holds: a kind of file, or a URL they may not load.
    (NotImplementedError, REFUSED),
    (ValueError, REFUSED),
    (AssertionError, REFUSED),
)

_SDKS: Final = frozenset(
    {
        "aiohttp",
        "anthropic",
        "botocore",
        "cohere",
        "google",
        "groq",
        "grpc",
        "httpx",
        "httpx2",
        "huggingface_hub",
        "mistralai",
        "openai",
        "typesafe_sdk",
        "xai_sdk",
    }
)


def translated(error: Exception) -> ModelFailed | None:
    """What ``error``, raised while a model was asked, means; None for an error that no driver explains."""
    if isinstance(error, ModelFailed):
        return error
    detail = sentence_of(error)
    for kind, code in _BY_CATEGORY:
        if isinstance(error, kind):
            return ModelFailed(code, detail, getattr(error, "retry_after", None))
    if isinstance(error, vendor.ModelHTTPError):
        return ModelFailed(_code_of_status(error.status_code), detail, error.retry_after)
    if isinstance(error, vendor.ModelAPIError):
        return ModelFailed(UNAVAILABLE, detail, error.retry_after)
    if type(error).__module__.partition(".")[0] in _SDKS:
        status = getattr(error, "status_code", None)
        return ModelFailed(_code_of_status(status) if isinstance(status, int) else UNAVAILABLE, detail)
    return None


_BY_STATUS: Final = {
    HTTPStatus.TOO_MANY_REQUESTS: RATE_LIMITED,
    HTTPStatus.NOT_FOUND: NOT_FOUND,
    HTTPStatus.UNAUTHORIZED: KEY_REJECTED,
    HTTPStatus.FORBIDDEN: KEY_REJECTED,
    HTTPStatus.PAYMENT_REQUIRED: QUOTA,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: OVERFLOW,
}


def _code_of_status(status: int) -> str:
    if status in _BY_STATUS:
        return _BY_STATUS[HTTPStatus(status)]
    transient = status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY)
    return UNAVAILABLE if transient or status >= HTTPStatus.INTERNAL_SERVER_ERROR else REFUSED
