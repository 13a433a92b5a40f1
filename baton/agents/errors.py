"""What can go wrong with a model, by stable code. Errors of drivers and vendors are translated here, once."""

from http import HTTPStatus
from json import JSONDecodeError
from typing import Final

from pydantic import ValidationError
from pydantic_ai import exceptions as vendor

RATE_LIMITED: Final = "model_rate_limited"
UNAVAILABLE: Final = "model_unavailable"
REFUSED: Final = "model_refused"
UNKNOWN: Final = "model_unknown"
BAD_REPLY: Final = "model_bad_reply"
STEP_TOO_LONG: Final = "step_too_long"  #: the model had come to no end in the time that a step has
WORKER_DIED: Final = "worker_died"  #: its workers were killed one after another while they were at it
TRANSCRIPT_TOO_LARGE: Final = "transcript_too_large"  #: more than a step may read
STEP_BROKEN: Final = "step_broken"  #: failed in a way that no rule foresees
SCRIPTED_FAILURE: Final = "scripted_failure"
SCRIPTED_FATAL: Final = "scripted_fatal"

RETRYABLE: Final = frozenset({RATE_LIMITED, UNAVAILABLE, BAD_REPLY, STEP_TOO_LONG, STEP_BROKEN, SCRIPTED_FAILURE})
"""The codes of which another attempt may succeed."""


class ModelFailed(Exception):
    """A model step failed.

    ``str()`` is the code alone. ``detail`` says more, and may quote what the user or the provider wrote: it may be
    stored beside the conversation, but belongs in no log and not in Temporal; neither does ``__cause__``.
    ``retry_after_seconds`` is what the provider asked for, None where it did not say.
    """

    def __init__(self, code: str, detail: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.retryable = code in RETRYABLE
        self.retry_after_seconds = retry_after_seconds


_BY_CATEGORY: Final[tuple[tuple[type[Exception], str], ...]] = (
    (vendor.ModelRateLimitError, RATE_LIMITED),
    (vendor.ModelQuotaExceededError, REFUSED),
    (vendor.ModelUnavailableError, UNAVAILABLE),
    (vendor.ModelServerError, UNAVAILABLE),
    (vendor.ModelConnectionError, UNAVAILABLE),
    (vendor.ModelRequestTimeout, UNAVAILABLE),
    (vendor.ModelNotFoundError, UNKNOWN),
    (vendor.ModelRequestRejectedError, REFUSED),
    (vendor.ContentFilterError, REFUSED),
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

_SDKS: Final = frozenset({"anthropic", "google", "httpx", "httpx2", "openai"})


def translated(error: Exception) -> ModelFailed | None:
    """What ``error``, raised while a model was asked, means; None for an error that no driver explains."""
    if isinstance(error, ModelFailed):
        return error
    detail = str(error)
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


def _code_of_status(status: int) -> str:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RATE_LIMITED
    if status == HTTPStatus.NOT_FOUND:
        return UNKNOWN
    transient = status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY)
    return UNAVAILABLE if transient or status >= HTTPStatus.INTERNAL_SERVER_ERROR else REFUSED
