"""Do pages keep to themselves what other servers say, and does the doctor understand a process of another version?"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from baton.domain.errors import Unavailable
from baton.domain.faults import FAULTS
from baton.domain.health import Check, CheckStatus, HealthReport, failed
from baton.runtime.listener import listen
from baton.runtime.pages import PageServer, StatusPage
from baton.service import doctor, health
from baton.service.checks.temporal import temporal_checks
from baton.service.doctor import diagnose
from baton.service.health import API_NEEDS, WORKER_NEEDS, Monitor, health_pages
from baton.service.temporal import translated
from baton.settings import Settings
from tests.support.api import NOWHERE

_ADDRESS = "history-3.internal:7234"


def _client(status: RPCStatusCode) -> Client:
    """A client whose server refuses with a sentence in which an address stands."""

    async def refuse(_: object) -> None:
        raise RPCError(f"dial tcp {_ADDRESS}:\nconnection refused", status, b"")

    service = SimpleNamespace(describe_namespace=refuse)
    return cast("Client", SimpleNamespace(namespace="default", workflow_service=service))


async def test_a_certificate_that_is_just_being_replaced_ends_no_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else what was found before would be told, and a minute later an API would count as not ready."""
    for name in ("CERT", "KEY"):
        monkeypatch.setenv(f"TEMPORAL_TLS_CLIENT_{name}_PATH", str(tmp_path / "gone"))
    (found,) = await temporal_checks(_client(RPCStatusCode.UNAVAILABLE), ())
    assert found.fault == "temporal_away"


async def test_callers_are_not_told_what_the_log_has() -> None:
    with pytest.raises(Unavailable) as raised:
        async with translated(1):
            await _client(RPCStatusCode.UNAVAILABLE).workflow_service.describe_namespace(DescribeNamespaceRequest())
    assert raised.value.message == "Temporal cannot be reached (UNAVAILABLE)"
    assert f"(it said: dial tcp {_ADDRESS}: connection refused): {FAULTS['temporal_away'].remedy}" in str(raised.value)


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (RPCStatusCode.UNAVAILABLE, "temporal_away"),
        (RPCStatusCode.PERMISSION_DENIED, "temporal_denied"),
        (RPCStatusCode.FAILED_PRECONDITION, "temporal_refuses"),
    ],
)
async def test_what_temporal_says_is_for_operators_alone(
    status: RPCStatusCode, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOWHERE)
    (found,) = await temporal_checks(_client(status), ())
    assert (found.status, found.fault) == (CheckStatus.FAILED, fault)
    report = HealthReport("api", "1", [found], API_NEEDS, None)
    assert report.ready, "what is sent meanwhile is accepted"
    assert _ADDRESS not in json.dumps(report.as_json())
    assert found.reason in report.line
    assert f"dial tcp {_ADDRESS}: connection refused" in found.for_operators
    assert _ADDRESS in json.dumps(found.as_json(said=True))


async def test_a_group_that_ends_with_a_bug_spoils_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOWHERE)

    words = "what a user wrote"

    async def broken(*_: object, **__: object) -> list[Check]:
        raise LookupError(words)

    for module in (health, doctor):
        monkeypatch.setattr(module, "database_checks", broken)
    monitor = Monitor("worker", _settings(), WORKER_NEEDS)
    reports = [(await monitor.look()).checks, await diagnose(_settings(), None, ())]
    for checks in reports:
        faults = {check.name: check.fault for check in checks}
        assert (faults["database"], faults["temporal"]) == ("check_broken", "temporal_away")
    assert not monitor.report().ready
    assert "in broken" in caplog.text, "the log has where"
    assert words not in caplog.text


async def test_a_page_is_made_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOWHERE)
    monitor = Monitor("api", _settings(), API_NEEDS)
    readyz = health_pages(monitor)["/readyz"]
    assert b"has just started" in (await readyz("")).body
    await monitor.look()
    found = await readyz("")
    assert b"cannot be reached" in found.body
    assert await readyz("") is found
    assert (await readyz("text/plain")).body.startswith(b"api is not ready | ")
    await monitor.look()
    assert await readyz("") is not found
    monitor.drain()
    assert b"stopping" in (await readyz("")).body, "at once, not at the next look"


async def test_the_doctor_repeats_the_remedy_of_a_fault_that_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOWHERE)
    told: list[dict[str, Any]] = [
        {
            "name": "quota",
            "status": "failed",
            "code": "of_a_later_version",
            "reason": "it is full",
            "remedy": "empty it",
        },
        failed("temporal", "temporal_away", "Temporal does not answer").as_json(),
        {"name": "odd", "status": "warning", "reason": 7},
    ]

    async def page(_: str) -> StatusPage:
        return StatusPage(json.dumps({"checks": told}).encode())

    async with PageServer(listen("127.0.0.1", 0), {"/readyz": page}) as server:
        url = "http://{}:{}".format(*server.address)
        found = {check.name: check for check in await diagnose(_settings(), url, ())}
    assert found["api: quota"].line == "api: quota: it is full; empty it; do what its own checks say"
    assert found["api: temporal"].fault == "temporal_away"
    assert found["api: odd"] == Check("api: odd", CheckStatus.WARNING, "7")


async def test_the_doctor_repeats_no_password_of_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOWHERE)
    url = f"http://me:hunter2@{NOWHERE}"
    found = await diagnose(_settings(), url, [f"{url}/", f"{url}/a/b"])
    lines = [check.line for check in found if check.fault == "no_answer"]
    assert [line.partition(": no")[0] for line in lines] == [
        "api",
        f"worker http://{NOWHERE}/",
        f"worker http://{NOWHERE}/a/b",
    ]
    assert "hunter2" not in str(lines)


def _settings() -> Settings:
    """Of an installation where nothing answers, at once."""
    return Settings.model_validate({"database_url": f"postgresql://baton@{NOWHERE}/baton"})
