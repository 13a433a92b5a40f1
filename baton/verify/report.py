"""What `baton verify` says in the end: a table for people, an object for programs."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from baton.client.schemas.base import Json
from baton.domain.states import TaskState
from baton.verify.audit import count
from baton.verify.findings import Category, Finding
from baton.verify.load import Result
from baton.verify.options import LoadOptions

_SHOWN: Final = 5  #: findings of one category; the JSON has all

_MEANS: Final = {
    Category.LOST: "acknowledged, and never read by an agent",
    Category.DOUBLED: "became two, or was read twice",
    Category.REORDERED: "read in another order than it was sent",
    Category.UNFINISHED: "came to no end",
    Category.GAPS: "events missing or out of order",
    Category.DIFFERING: "told differently in two places",
    Category.UNSENT: "never acknowledged",
}

#: What is said of a fault: the column's name, the key in the JSON, and what stands for None.
_COLUMNS: Final = (
    ("down", "down_seconds", ""),
    ("accepts again", "accepted_seconds", "never"),
    ("works again", "worked_seconds", "never"),
    ("all caught up", "caught_up_seconds", ""),
)


def is_clean(result: Result) -> bool:
    """Whether all is as it was promised, and every fault was got over."""
    return not result.findings and all(recovery.worked_seconds is not None for recovery in result.recoveries)


def as_json(options: LoadOptions, result: Result) -> Json:
    """Everything that was found out, for programs. Times are in seconds."""
    return {
        "clean": is_clean(result),
        "seed": options.seed,
        "tasks": options.tasks,
        "senders": options.senders,
        "messages": options.messages,
        "acknowledged": len({entry.outgoing.key for entry in result.ledger.acknowledged}),
        "receipts": len(result.ledger.acknowledged),
        "repeated": result.repeated,
        "streams_resumed": result.streams_resumed,
        "sending_seconds": round(result.sending_seconds, 2),
        "settled_seconds": round(result.settled_seconds, 2),
        **{category.value: n for category, n in count(result.findings).items()},
        "faults": [_fault_json(result, n) for n in range(len(result.recoveries))],
        "findings": [
            {"category": finding.category, "where": finding.where, "what": finding.what} for finding in result.findings
        ],
    }


def print_report(console: Console, options: LoadOptions, result: Result) -> None:
    """The report for people."""
    said = as_json(options, result)
    console.print(
        f"{said['acknowledged']} messages to {options.tasks} tasks acknowledged in {result.sending_seconds:.0f} s, "
        f"{said['receipts']} receipts; {sum(result.repeated.values())} failures met by repeating; "
        f"{result.streams_resumed} streams resumed; at rest after {result.settled_seconds:.0f} s.\n"
    )
    console.print(_figures(result.findings))
    if result.recoveries:
        console.print(_faults(said["faults"]))
    for category, group in groupby(sorted(result.findings, key=_rank), key=lambda finding: finding.category):
        findings = list(group)
        for finding in findings[:_SHOWN]:
            console.print(Text(f"{category}: {finding.where}: {finding.what}"), soft_wrap=True)
        if len(findings) > _SHOWN:
            console.print(Text(f"{category}: … and {len(findings) - _SHOWN} more"))
    verdict = Text("No problems found.", "green") if is_clean(result) else Text("Problems found.", "red")
    console.print(verdict)


def _rank(finding: Finding) -> int:
    return list(Category).index(finding.category)


def _figures(findings: Sequence[Finding]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column("", style="dim")
    for category, n in count(findings).items():
        table.add_row(category.value, Text(str(n), "bold red" if n else "green"), _MEANS[category])
    return table


def _faults(faults: Sequence[Json]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption="in seconds; after “down”: from when the part was back; empty: not before the next fault",
    )
    table.add_column("fault")
    for name, _, _ in _COLUMNS:
        table.add_column(name, justify="right")
    for fault in faults:
        table.add_row(
            fault["fault"],
            *(empty if fault[key] is None else f"{fault[key]:.1f}" for _, key, empty in _COLUMNS),
        )
    if len(faults) > 1:
        table.add_section()
        known = [[fault[key] for fault in faults if fault[key] is not None] for _, key, _ in _COLUMNS]
        table.add_row("longest", *(f"{max(column):.1f}" if column else "" for column in known), style="bold")
    return table


def _fault_json(result: Result, n: int) -> Json:
    """`caught_up_seconds` is None where the next fault came before that."""
    recovery = result.recoveries[n]
    outage = recovery.outage
    caught_up = _caught_up_seconds(outage.back, result)
    following = result.recoveries[n + 1].outage.began if n + 1 < len(result.recoveries) else None
    disturbed = following is not None and outage.back + caught_up > following
    return {
        "fault": outage.fault,
        "down_seconds": round(outage.back - outage.began, 2),
        "accepted_seconds": _rounded(recovery.accepted_seconds),
        "worked_seconds": _rounded(recovery.worked_seconds),
        "caught_up_seconds": None if disturbed else round(caught_up, 2),
    }


def _caught_up_seconds(back: float, result: Result) -> float:
    """How long it took from ``back`` on until every message that had been accepted by then had come to its end.

    Not those to tasks that were still to begin: they are read when what their task depends on has succeeded.
    """
    ended = {
        receipt["id"]: datetime.fromisoformat(receipt["ended_at"]).timestamp()
        for execution in result.evidence
        for task in execution.tasks
        for receipt in task.receipts
        if receipt["ended_at"]
    }
    owed = [
        entry.message_id
        for entry in result.ledger.acknowledged
        if entry.acknowledged_at <= back and entry.receipt["task"]["state"] != TaskState.PENDING
    ]
    return max([0.0, *(ended[message] - back for message in owed if message in ended)])


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
