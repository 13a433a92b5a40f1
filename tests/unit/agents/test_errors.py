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
        (vendor.ModelHTTPError(401, "m"), errors.KEY_REJECTED),
        (vendor.ModelHTTPError(402, "m"), errors.QUOTA),
        (vendor.ModelHTTPError(404, "m"), errors.NOT_FOUND),
        (vendor.ModelHTTPError(413, "m"), errors.OVERFLOW),
        (vendor.ModelAuthenticationError("m", "no"), errors.KEY_REJECTED),
        (vendor.ModelContextWindowExceededError("m", "too long"), errors.OVERFLOW),
        (vendor.ContentFilterError("no"), errors.FILTERED),
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


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (vendor.ModelHTTPError(400, "m", {"error": {"message": "Too many tools."}}), "Too many tools."),
        (vendor.ModelHTTPError(400, "m", {"message": "Too many tools.", "code": 1}), "Too many tools."),
        (vendor.ModelHTTPError(400, "m", {"detail": "Too many tools."}), "Too many tools."),
        (vendor.UserError("Too many tools."), "Too many tools."),
        (vendor.UserError("NUL \x00 and \ud800"), "NUL \ufffd and \ufffd"),
        (vendor.UserError("x" * 5000), "x" * 1000),
        (vendor.UserError("Incorrect API key provided: sk-proj-abc***xyz."), "Incorrect API key provided: [secret]."),
        (vendor.UserError("Bearer abcdefghijk is not known"), "[secret] is not known"),
        (vendor.UserError("no answer from https://me:secret@host/v1"), "no answer from https[secret]host/v1"),
        (vendor.UserError("key of-the-environment was refused"), "key [secret] was refused"),
    ],
)
def test_the_sentence_without_its_secrets(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "of-the-environment")
    failure = translated(error)
    assert failure is not None
    assert failure.detail == said
