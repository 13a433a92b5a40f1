"""All settings: read from the environment (`BATON_*`, `DATABASE_URL`), typed, with units in their names.

The connection to Temporal is not among them: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, … are Temporal's own and read
by `temporalio.envconfig`. docs/configuration.md has the same descriptions for people; a test keeps the two equal.
"""

import re
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRET_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
"""What the names of environment variables contain whose values are masked in all that is shown."""


def _redis_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://")):
        raise ValueError("must begin with redis:// or rediss://")
    return url


def _long_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < 32:  # RFC 7518, 3.2
        raise ValueError("must be at least 32 bytes long: anyone could guess a shorter one and sign tokens with it")
    return secret


def _secret_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not SECRET_NAME.search(name):
            raise ValueError(f"{name}: must contain KEY, TOKEN, SECRET, PASSWORD or CREDENTIAL, like what is masked")
    return names


def _web_url(url: str) -> str:
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w.~%/-]*)?", url, re.ASCII):
        raise ValueError("must be an http:// or https:// URL without a query")
    return url.rstrip("/")


class Settings(BaseSettings):
    """The configuration of one process. Immutable; unknown `BATON_*` variables are left alone."""

    model_config = SettingsConfigDict(
        env_prefix="BATON_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # a value that cannot be read may be a secret
    )

    # --- PostgreSQL -----------------------------------------------------------------------------------------------
    database_url: SecretStr = Field(
        default=SecretStr("postgresql://baton@localhost:5432/baton"),
        validation_alias=AliasChoices("DATABASE_URL", "BATON_DATABASE_URL", "database_url"),
        description="PostgreSQL connection URL. Never logged, since it may contain a password.",
    )
    pool_min_size: int = Field(default=1, ge=0, description="Connections that each process keeps open.")
    pool_max_size: int = Field(default=16, ge=1, description="Maximum number of connections per process.")
    pool_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Seconds a request waits for a connection before it gets a 503."
    )
    statement_timeout_seconds: float = Field(
        default=30.0, gt=0, description="Seconds after which a statement is cancelled and its request gets a 503."
    )

    # --- The API ---------------------------------------------------------------------------------------------------
    host: str = Field(default="127.0.0.1", description="Address the API listens on, and a worker if it has a port.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port the API listens on; 0 picks a free one.")
    max_connections: int = Field(
        default=5000,
        ge=10,
        description="Maximum number of clients' connections to an API process, as far as its limit of open files "
        "allows. At the limit, the connection that has been idle for longest is closed for a new one.",
    )
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Largest request body the API accepts; a larger one gets a 413."
    )
    header_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Seconds a client may take to send a request's headers before it gets a 408."
    )
    body_timeout_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds a client may take to send a request's body before it gets a 408. A connection whose "
        "client stops reading responses is closed after the same time.",
    )
    drain_seconds: float = Field(
        default=5.0,
        ge=0,
        description="Seconds the API serves on after SIGTERM, while it says that it is not ready, so that load "
        "balancers notice first. SIGINT, or a second SIGTERM, skips them.",
    )
    shutdown_seconds: float = Field(
        default=10.0,
        ge=0,
        description="Seconds the API then keeps serving requests in progress. Streams end at once.",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="Origins whose pages may call the API from a browser, as a JSON list; `*` allows all."
    )

    # --- Authentication --------------------------------------------------------------------------------------------
    jwt_secret: Annotated[SecretStr, AfterValidator(_long_secret)] | None = Field(
        default=None, description="Secret that verifies HS256 JWTs, at least 32 bytes long; unset: they are refused."
    )
    jwt_jwks_url: str | None = Field(
        default=None, description="URL of the JWKS that verifies RS256 and ES256 JWTs; unset: they are refused."
    )
    jwt_audience: str | None = Field(default=None, description="Required `aud` claim; unset: not checked.")
    jwt_issuer: str | None = Field(default=None, description="Required `iss` claim; unset: not checked.")
    jwt_tenant_claim: str = Field(default="tenant", description="Claim that holds the tenant.")
    jwt_scope_claim: str = Field(
        default="scope", description="Claim that holds the scopes: a list, or text separated by spaces."
    )
    jwt_leeway_seconds: float = Field(
        default=30.0, ge=0, description="Clock skew allowed when a JWT's times are checked."
    )
    principal_cache_seconds: float = Field(
        default=5.0,
        ge=0,
        description="Seconds until a revoked key stops working in every process. A key in use is checked again after "
        "half that time.",
    )

    # --- Rate limits -----------------------------------------------------------------------------------------------
    requests_per_minute: int = Field(
        default=100,
        ge=0,
        description="Requests per minute for each key without a limit of its own; 0: unlimited. JWTs are counted by "
        "issuer and subject.",
    )
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = Field(
        default=None,
        description="Redis server that counts requests for all processes together (`redis://…`, `rediss://…`); unset: "
        "each process counts in its own memory. Needs the extra `redis`.",
    )

    # --- Temporal ---------------------------------------------------------------------------------------------------
    task_queue: str = Field(default="baton", min_length=1, description="Task queue of the workflows and activities.")
    temporal_budget_seconds: float = Field(
        default=1.0,
        ge=0,
        description="Seconds that a call which reports the signal (Kubiya's send) waits for Temporal before it "
        "answers that the message is stored but not yet signalled.",
    )
    temporal_details: Literal["words", "ids"] = Field(
        default="words",
        description="`words`: Temporal's UI shows titles, the first 200 characters of open questions with their "
        "choices and default, and the names of arguments. `ids`: it shows no text.",
    )
    public_url: Annotated[str, AfterValidator(_web_url)] | None = Field(
        default=None, description="URL at which people reach the API, for links in Temporal's UI; unset: it has none."
    )
    doorbell_timeout_seconds: float = Field(
        default=5.0, gt=0, description="Seconds to wait for Temporal to take a signal before it is left to the relay."
    )
    doorbell_concurrency: int = Field(
        default=64, ge=1, description="Maximum number of signals that a process sends at once."
    )
    relay_interval_seconds: float = Field(
        default=2.0, gt=0, description="Seconds between the relay's checks for signals that Temporal has not taken."
    )
    relay_after_seconds: float = Field(
        default=3.0, gt=0, description="Seconds a message may go unread before the relay signals again."
    )
    relay_batch: int = Field(default=500, ge=1, description="Maximum number of tasks that the relay signals per check.")
    relay_share: int = Field(
        default=16,
        ge=1,
        description="Maximum number of one tenant's tasks that the relay has signalled and no worker has taken up yet.",
    )
    sweep_interval_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Seconds between a worker's checks for workflows that were lost or changed outside Baton. Those "
        "that do nothing for what is due are looked for two and a half times as often.",
    )
    sweep_silent_seconds: float = Field(
        default=8.0, gt=0, description="Seconds without output after which a turn's workflow is looked up in Temporal."
    )

    # --- The worker --------------------------------------------------------------------------------------------------
    worker_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port on which a worker answers `/livez`, `/readyz` and `/metrics`, without credentials; 0 picks a "
        "free one, unset: none.",
    )
    max_concurrent_activities: int = Field(
        default=400,
        ge=1,
        description="Maximum number of steps that a worker runs at once. A tenant gets another slot only while more "
        "are free than it holds: half of them if it is alone. What finds none waits.",
    )
    transcript_max_bytes: int = Field(
        default=8 * 1024 * 1024,
        ge=1024,
        description="What a step may read at most: the task, its messages, answers and tool results. Where there is "
        "more, a summary is made of its beginning; where that does not help, the task asks whether to shorten long "
        "texts.",
    )
    artifact_bytes: int = Field(
        default=16 * 1024,
        ge=4096,
        description="Size beyond which a tool's result is kept as an artifact, of which the agent reads a preview and "
        "the parts that it asks for. Of one larger than `BATON_TRANSCRIPT_MAX_BYTES`, only that many bytes are kept.",
    )
    model_keys: Annotated[tuple[str, ...], AfterValidator(_secret_names)] = Field(
        default=(),
        description="Environment variables of the worker that every tenant's agents may use as a key (`api_key: "
        "env:NAME`), as a JSON list. A name must contain `KEY`, `TOKEN`, `SECRET`, `PASSWORD` or `CREDENTIAL`.",
    )
    model_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts that every tenant's agents may use as `base_url`, with a port or without for any, as a JSON "
        "list.",
    )
    max_concurrent_workflow_tasks: int = Field(
        default=100, ge=2, description="Maximum number of workflow tasks that a worker runs at once."
    )
    max_cached_workflows: int = Field(
        default=300, ge=0, description="Workflows that a worker keeps in memory between their tasks."
    )
    tools_modules: tuple[str, ...] = Field(
        default=(),
        description="Modules with your own tools (functions marked with `baton.tool`), as a JSON list. Installed "
        "packages register theirs under the entry point group `baton.tools`.",
    )
    worker_queues: tuple[str, ...] = Field(
        default=(),
        description="Task queues that a worker serves, as a JSON list (`--queue`); empty: `BATON_TASK_QUEUE` alone.",
    )
    worker_identity: str | None = Field(
        default=None,
        description="Name of the worker in Temporal's UI and histories (`--identity`); unset: process id and host.",
    )
    workflow_task_pollers: int = Field(
        default=6, ge=2, description="Requests for workflow tasks that a worker keeps open per queue; half are sticky."
    )
    activity_task_pollers: int = Field(
        default=5, ge=1, description="Requests for steps that a worker keeps open per queue."
    )
    activities_per_second: float | None = Field(
        default=None, gt=0, description="Maximum number of steps that a worker starts per second and queue; unset: any."
    )
    queue_activities_per_second: float | None = Field(
        default=None,
        gt=0,
        description="Maximum number of steps that Temporal hands out per second and queue, to all workers together; "
        "unset: any. Workers of a queue should agree: the last one counts.",
    )
    build_id: str | None = Field(
        default=None,
        description="Name of the worker's code in Temporal; unset: Baton's version and a digest of its source.",
    )
    deployment: str | None = Field(
        default=None,
        description="Deployment that the worker belongs to, for Temporal's worker versioning; unset: unversioned. Only "
        "for installations with a controller that makes builds current: a new build gets no work before.",
    )
    worker_drain_seconds: float = Field(
        default=1.0,
        ge=0,
        description="Seconds that a stopping worker waits for steps to end by themselves. Then all steps go to other "
        "workers that cost nothing to begin again; those that have run for four times as long do so when no task has "
        "come from Temporal for half of this time.",
    )
    worker_shutdown_seconds: float = Field(
        default=20.0,
        ge=0,
        description="Seconds that a stopping worker then gives to model calls, which would be paid for twice, and to "
        "calls of unrepeatable tools. What takes longer goes to another worker, too.",
    )

    # --- Streams -----------------------------------------------------------------------------------------------------
    delta_interval_seconds: float = Field(
        default=0.04,
        ge=0,
        description="Minimum seconds between two pieces of streamed text; the first is sent at once.",
    )
    feed_poll_seconds: float = Field(
        default=2.0, gt=0, description="Seconds between checks for new events while no notification arrives."
    )
    stream_keepalive_seconds: float = Field(
        default=15.0, gt=0, description="Seconds between keep-alive comments on an idle stream."
    )
    stream_max_seconds: float = Field(
        default=600.0, gt=0, description="Seconds after which the server ends a stream; clients reconnect and resume."
    )
    max_streams: int = Field(
        default=4000,
        ge=1,
        description="Maximum number of open streams in an API process. A tenant gets another one only while more are "
        "free than it holds: half of them if it is alone.",
    )
    streams_per_key: int = Field(
        default=1000,
        ge=0,
        description="Maximum number of open streams per key in an API process; 0: as many as its tenant's share. A key "
        "without a limit of requests has none of streams.",
    )
    stream_retry_seconds: float = Field(
        default=1.0, ge=0, description="Reconnection delay that streams send to clients (`retry:`)."
    )

    # --- Keeping -----------------------------------------------------------------------------------------------------
    retention_deltas_days: float | None = Field(
        default=None,
        ge=0.04,
        le=36500,
        description="Days after which workers remove the pieces of a finished step's text, which the log has once more "
        "as a whole; unset: never.",
    )
    retention_executions_days: float | None = Field(
        default=None,
        ge=1,
        le=36500,
        description="Days after which workers remove executions that are over, with all that belongs to them; unset: "
        "never.",
    )

    # --- Metrics -----------------------------------------------------------------------------------------------------
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port on which an API process shows its metrics (`/metrics`) and answers `/livez` and `/readyz`, "
        "apart from its callers, without credentials; 0 picks a free one, unset: none. A worker does so at "
        "`BATON_WORKER_PORT`.",
    )
    metrics_interval_seconds: float = Field(
        default=15.0,
        gt=0,
        description="Seconds between counts of what waits in PostgreSQL, by every process that shows metrics.",
    )
    metrics_tenants: int = Field(
        default=0, ge=0, description="So many tenants are told apart in metrics, by their ids; 0: none."
    )

    # --- Logs --------------------------------------------------------------------------------------------------------
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Lowest level that is logged. No level logs what people or agents wrote."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="`json`: each line of the log is a JSON object, with the ids of what it is about."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_those_of_services(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Kubernetes sets `BATON_PORT` to `tcp://…` where there is a service called `baton`: that is no setting."""
        return {name: value for name, value in values.items() if not str(value).startswith(("tcp://", "udp://"))}

    @property
    def retention_deltas(self) -> timedelta | None:
        """`retention_deltas_days`."""
        return None if self.retention_deltas_days is None else timedelta(days=self.retention_deltas_days)

    @property
    def retention_executions(self) -> timedelta | None:
        """`retention_executions_days`."""
        return None if self.retention_executions_days is None else timedelta(days=self.retention_executions_days)

    @property
    def dsn(self) -> str:
        """`database_url` in the clear."""
        return self.database_url.get_secret_value()


@cache
def load_settings() -> Settings:
    """The settings of this process: the environment is read once, at the first call.

    Raises `pydantic.ValidationError` for a variable that cannot be read.
    """
    return Settings()
