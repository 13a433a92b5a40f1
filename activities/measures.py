"""What steps, turns and calls are counted as."""

from collections.abc import Generator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.failures import LimitReached
from baton.agents.steps import PartialReply
from baton.domain.conversation import Usage
from baton.domain.ids import StepKey
from baton.domain.mailbox import Standing, Then
from baton.metrics import labels
from baton.metrics.series import CALLS, LIMITS, SPENT, STEPS, TOKENS, TURNS
from workflows.contracts import LIMIT_WAITS

#: How an attempt at a step ends that is not recorded, by the code that Temporal is told.
_UNRECORDED: Final = {LIMIT_WAITS: "waits", "step_given_up": "given_up"}


@contextmanager
def measured_step(key: StepKey, partial: PartialReply) -> Generator[None]:
    """Measure an attempt at a step, and count what it used, whatever becomes of it."""
    began, outcome = perf_counter(), "broken"
    try:
        yield
        outcome = "recorded"
    except ApplicationError as error:
        outcome = _UNRECORDED.get(error.type or "", "failed")
        raise
    finally:
        STEPS.labels(outcome).observe(perf_counter() - began)
        _count_usage(partial.model, labels.tenant(key.tenant_id), partial.usage)


def _count_usage(name: str, tenant: str, usage: Usage) -> None:
    if not usage.calls:
        return
    model = labels.model(name, is_real=usage.input_tokens + usage.output_tokens > 0)  # it has answered
    CALLS.labels(model, tenant).inc(usage.calls)
    SPENT.labels(model, tenant).inc(usage.usd or 0.0)
    for kind, tokens in (
        ("input", usage.input_tokens),
        ("output", usage.output_tokens),
        ("cached", usage.cached_tokens),
        ("reasoning", usage.reasoning_tokens),
    ):
        TOKENS.labels(model, kind, tenant).inc(tokens)


def count_turn(key: StepKey, standing: Standing) -> None:
    """Count the turn of a step that was just recorded, if it has ended with that."""
    if standing.then is Then.REST or standing.turn != key.turn:
        outcome = standing.box.state if standing.then is Then.REST else "running"
        TURNS.labels(outcome, labels.tenant(key.tenant_id)).inc()


def count_limit(limit: LimitReached) -> None:
    """Count that a task asks, since limits are reached."""
    for name in limit.name.split(","):
        LIMITS.labels(name, "plan" if limit.of_plan else "task").inc()
