"""All series of Baton's own. Each has its meaning beside it, which Prometheus shows; labels are bounded.

Gauges that are not set here are given what they read when their process starts, see `baton.service.gauges`.
"""

from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, Info

from baton.domain.allowance import LIMITS as LIMITS_OF_AGENTS

_QUICK: Final[Sequence[float]] = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW: Final[Sequence[float]] = (0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)

BUILD: Final = Info("baton_build", "The version that runs")

# --- the API --------------------------------------------------------------------------------------------------------
REQUESTS: Final = Histogram(
    "baton_http_request_seconds",
    "From a request's headers to those of its answer; a stream's text comes after that",
    ("dialect", "code"),
    buckets=_QUICK,
)
REFUSED: Final = Counter(
    "baton_http_unread_refused",
    "Requests refused before any dialect has seen them: malformed, too slow, too large",
    ("code",),
)
ACCEPTED: Final = Histogram(
    "baton_accept_seconds",
    "From a message's arrival in the service to its commit; those that were refused do not count",
    ("dialect",),
    buckets=_QUICK,
)
CONNECTIONS: Final = Gauge("baton_connections", "Clients' connections that are open")
CONNECTIONS_MOST: Final = Gauge("baton_connections_max", "How many may be open")
STREAMS: Final = Gauge("baton_streams", "Event streams that are open")
STREAMS_MOST: Final = Gauge("baton_streams_max", "How many may be open")
LIMITED: Final = Counter(
    "baton_rate_limited", "Requests, or streams, refused because their key has had its share", ("what",)
)
REDIS_AWAY: Final = Counter(
    "baton_rate_limit_redis_failures", "Times that Redis did not count a request, and the process counted for itself"
)

# --- from the commit to the workflow --------------------------------------------------------------------------------
DOORBELLS: Final = Histogram(
    "baton_doorbell_seconds",
    "What a signal to Temporal took, and whether it was taken",
    ("outcome",),
    buckets=_QUICK,
)
RELAYED: Final = Counter(
    "baton_relay_rings", "Workflows signalled again, since nobody had taken up the first signal", ("outcome",)
)

# --- what waits, as PostgreSQL has it -------------------------------------------------------------------------------
COUNTED_AT: Final = Gauge(
    "baton_backlog_timestamp_seconds", "When PostgreSQL was last asked for what waits, as Unix time"
)
MESSAGES: Final = Gauge(
    "baton_messages_unprocessed",
    "Messages not yet processed, by their state and their task's, that are older than so many seconds; 0: all",
    ("state", "task_state", "older_than", "tenant"),
)
OLDEST: Final = Gauge(
    "baton_oldest_unprocessed_seconds",
    "Age of the oldest message that an agent should be at: that of a running task, not one whose task has not begun",
)
WAITING: Final = Gauge(
    "baton_tasks_waiting",
    "Tasks that wait for people, for longer than so many seconds; 0: all",
    ("older_than", "tenant"),
)
UNHEARD: Final = Gauge(
    "baton_unheard", "Tasks and plans that were signalled, and that no worker of their queue has taken up", ("queue",)
)
UNHEARD_AGE: Final = Gauge("baton_unheard_seconds", "For how long the oldest of those has had no answer", ("queue",))
ASTRAY: Final = Gauge("baton_astray", "Tasks and plans that were signalled on queues that no worker has ever served")
ASTRAY_AGE: Final = Gauge("baton_astray_seconds", "For how long the oldest of those has had no answer")
RELAY_LAG: Final = Gauge("baton_relay_lag_seconds", "For how long the oldest signal that the relay owes has been due")

# --- the agents -----------------------------------------------------------------------------------------------------
TURNS: Final = Counter(
    "baton_turns",
    "Turns that came to an end, by what the task did then: waiting, succeeded, running on, …",
    ("outcome", "tenant"),
)
STEPS: Final = Histogram(
    "baton_step_seconds", "Model steps, from their start to their record", ("outcome",), buckets=_SLOW
)
STEPS_RUNNING: Final = Gauge("baton_steps_running", "Model steps and tool calls under way in this worker")
STEPS_MOST: Final = Gauge("baton_steps_max", "How many this worker runs at once (BATON_MAX_CONCURRENT_ACTIVITIES)")
SLOTS_FREE: Final = Gauge(
    "baton_worker_slots_free", "Slots of a worker for more workflow tasks, or activities", ("queue", "kind")
)
HANDED_BACK: Final = Counter(
    "baton_steps_handed_back", "Steps and calls handed back to Temporal, for want of a slot", ("reason",)
)
MODEL_FAILURES: Final = Counter(
    "baton_model_failures", "Requests to models that failed; another model may have answered", ("model", "code")
)
STEP_FAILURES: Final = Counter(
    "baton_step_failures", "Attempts at a step that failed, by cause and what became of the step", ("code", "verdict")
)
LIMITS: Final = Counter("baton_limits_reached", "Steps that ask because a limit is reached", ("limit", "of"))
CALLS: Final = Counter("baton_model_calls", "Requests to models", ("model", "tenant"))
TOKENS: Final = Counter(
    "baton_model_tokens",
    "Tokens; the cached ones are among those of the input, those of reasoning among those of the output",
    ("model", "kind", "tenant"),
)
SPENT: Final = Counter("baton_model_usd", "US dollars, as far as prices are known", ("model", "tenant"))
TOOLS: Final = Counter("baton_tool_calls", "Tool calls that gave a result, or failed", ("tool", "outcome"))
TOOL_SECONDS: Final = Histogram("baton_tool_call_seconds", "What tool calls took", buckets=_SLOW)

# --- what was mended ------------------------------------------------------------------------------------------------
REPLACED: Final = Counter(
    "baton_workflows_replaced", "Stuck workflow runs that another run took the place of", ("workflow", "cause")
)
LOST: Final = Counter("baton_workflows_lost", "Workflows that ended outside Baton, by how", ("status",))
MENDED: Final = Counter("baton_repairs", "Rows that the sweeper put right", ("what",))

# --- what is not kept -----------------------------------------------------------------------------------------------
PRUNED: Final = Counter(
    "baton_pruned", "Removed since they were too old: executions, the events of these, and deltas of others", ("what",)
)

# --- PostgreSQL and Temporal ----------------------------------------------------------------------------------------
POOL: Final = Gauge("baton_pool_connections", "Connections to PostgreSQL", ("state",))
POOL_MOST: Final = Gauge("baton_pool_connections_max", "How many there may be (BATON_POOL_MAX_SIZE)")
POOL_WAITS: Final = Histogram(
    "baton_pool_wait_seconds", "How long those waited that found no connection free", buckets=_QUICK
)
DATABASE_FAILURES: Final = Counter(
    "baton_database_failures", "Times that PostgreSQL could not be used: away, too slow, or not fit", ("kind",)
)

_STUCK_BY: Final = (
    "NonDeterministicError",
    "WorkflowWorkerUnhandledFailure",
    "WorkflowTaskTimedOut",
    "PinnedBuildWithoutWorkers",
)


def _begin() -> None:
    """Have what alerts look for begin at 0: Prometheus sees no increase where a series begins with its first event."""
    for what in ("requests", "streams"):
        LIMITED.labels(what)
    HANDED_BACK.labels("no_slot")
    for kind in ("away", "slow", "unfit", "no_connection"):
        DATABASE_FAILURES.labels(kind)
    for what in ("executions", "events", "deltas"):
        PRUNED.labels(what)
    for of in ("task", "plan"):
        for limit in LIMITS_OF_AGENTS:
            LIMITS.labels(limit, of)
        for cause in _STUCK_BY:
            REPLACED.labels(of, cause)


_begin()
