"""The comparison: what was promised against what the receipts and the log say. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from baton.verify.check_log import check_log
from baton.verify.check_task import TaskLedger, check_task
from baton.verify.evidence import ExecutionEvidence
from baton.verify.findings import Category, Finding
from baton.verify.ledger import Acknowledged, GivenUp


def audit(
    acknowledged: Sequence[Acknowledged], given_up: Sequence[GivenUp], executions: Sequence[ExecutionEvidence]
) -> list[Finding]:
    """Everything that is not as it was promised; nothing is found where all is well."""
    return list(_findings(acknowledged, given_up, executions))


def count(findings: Iterable[Finding]) -> dict[Category, int]:
    """How many of each category, also where that is none."""
    counted = Counter(finding.category for finding in findings)
    return {category: counted[category] for category in Category}


def _findings(
    acknowledged: Sequence[Acknowledged], given_up: Sequence[GivenUp], executions: Sequence[ExecutionEvidence]
) -> Iterator[Finding]:
    for unsent in given_up:
        yield Finding(Category.UNSENT, unsent.outgoing.task_id, f"{unsent.outgoing.token}: {unsent.reason}")
    ledgers: dict[str, TaskLedger] = {}
    for entry in acknowledged:
        ledgers.setdefault(entry.outgoing.task_id, TaskLedger()).acknowledged.append(entry)
    for entry in given_up:
        ledgers.setdefault(entry.outgoing.task_id, TaskLedger()).given_up.append(entry)
    for execution in executions:
        yield from check_log(execution)
        if not execution.is_over:
            yield Finding(Category.UNFINISHED, execution.id, f"the execution is {execution.state}")
        for task in execution.tasks:
            yield from check_task(task, ledgers.pop(task.id, TaskLedger()), execution.log)
    for task_id, left in ledgers.items():
        for entry in left.acknowledged:
            yield Finding(Category.LOST, task_id, f"{entry.outgoing.token}: its task no longer exists")
