"""Each fault under load, and what `baton verify` finds afterwards: nothing. The figures are printed."""

from pathlib import Path
from typing import Any

import pytest

from baton.verify.options import Fault
from tests.faults.verifying import CLEAN, figures, verify
from tests.support.second_api import second_api
from tests.support.stack import DevStack

#: From when the part is back to when a message that is sent then has been worked off (design §10).
_RECOVERY_SECONDS = 15.0
_LOAD = ("--tasks", "20", "--senders", "8", "--messages", "1000")


async def test_a_sample(stack: DevStack, tmp_path: Path) -> None:
    """On the stack of the placed faults: a small load, an API and a worker killed."""
    report = await verify(
        *("--data", str(stack.data), "--tasks", "10", "--senders", "4", "--messages", "120"),
        *("--faults", "kill-worker,kill-api", "--fault-every", "1.5"),
        directory=tmp_path,
    )
    assert figures(report) == CLEAN, report["findings"]
    assert report["exit_code"] == 0
    assert report["acknowledged"] >= 120
    assert report["receipts"] > report["acknowledged"]
    assert [fault["fault"] for fault in report["faults"]] == ["kill-worker", "kill-api"]


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", [*Fault])
async def test_under_load(fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three times over, 1,000 messages."""
    faults = ",".join([fault] * 3)
    _expect_clean(await verify(*_LOAD, "--faults", faults, directory=tmp_path), capsys)


@pytest.mark.faults
@pytest.mark.timeout(900)
async def test_one_fault_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each once, in one run: what one leaves behind meets the next."""
    _expect_clean(await verify(*_LOAD, "--seed", "2", "--faults", ",".join(Fault), directory=tmp_path), capsys)


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_two_api_processes(stack: DevStack, tmp_path: Path) -> None:
    """Every sender goes to one and the other, and twins of one key to both at once."""
    async with second_api(stack) as url:
        where = ("--url", stack.url, "--url", url, "--key", stack.api_key)
        report = await verify(*where, *_LOAD, directory=tmp_path)
    assert figures(report) == CLEAN, report["findings"]
    assert report["exit_code"] == 0


def _expect_clean(report: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        for fault in report["faults"]:
            seconds = (fault[f"{name}_seconds"] for name in ("down", "accepted", "worked", "caught_up"))
            print(f"\n{fault['fault']:15}", *(f"{'' if s is None else s:>7}" for s in seconds), end=" ")
    assert figures(report) == CLEAN, report["findings"]
    assert report["exit_code"] == 0
    assert report["acknowledged"] >= 1000
    assert all(fault["worked_seconds"] < _RECOVERY_SECONDS for fault in report["faults"])
