"""Is every error of a driver told by a stable code, and no bug mistaken for one?"""

import json

import httpx
import pytest
from pydantic_ai import exceptions as vendor

from baton.agents import errors
from baton.agents.errors import ModelFailed, translated


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (vendor.ModelConnectionError("m", "gone"), errors.UNAVAILABLE),
        (vendor.ModelRequestTimeout("m", 1.0), errors.UNAVAILABLE),
        (vendor.ModelAPIError("m", "in the stream"), errors.UNAVAILABLE),
        (vendor.ModelOverloadedError("m", "busy"), errors.UNAVAILABLE),
        (vendor.ModelHTTPError(425, "m"), errors.UNAVAILABLE),
        (vendor.ModelHTTPError(418, "m"), errors.REFUSED),
        (vendor.ModelHTTPError(429, "m"), errors.RATE_LIMITED),
        (vendor.ModelContextWindowExceededError("m", "too long"), errors.REFUSED),
        (vendor.ContentFilterError("no"), errors.REFUSED),
        (vendor.IncompleteToolCall("half"), errors.BAD_REPLY),
        (vendor.UserError("no such file type"), errors.REFUSED),
        (json.JSONDecodeError("x", "{", 1), errors.BAD_REPLY),
        (NotImplementedError("video"), errors.REFUSED),
        (ValueError("blocked address"), errors.REFUSED),
        (httpx.ReadTimeout(""), errors.UNAVAILABLE),
        (TimeoutError(), errors.UNAVAILABLE),
        (ConnectionResetError(), errors.UNAVAILABLE),
    ],
)
def test_codes(error: Exception, code: str) -> None:
    failure = translated(error)
    assert failure is not None
    assert (failure.code, failure.retryable) == (code, code in errors.RETRYABLE)


@pytest.mark.parametrize("bug", [KeyError("x"), TypeError("x"), AttributeError("x"), ZeroDivisionError()])
def test_bugs_stay_bugs(bug: Exception) -> None:
    assert translated(bug) is None


def test_what_is_translated_stays_as_it_is() -> None:
    failure = ModelFailed(errors.REFUSED)
    assert translated(failure) is failure
