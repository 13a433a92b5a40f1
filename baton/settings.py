"""Every knob of Baton: read from the environment (`BATON_*`, `DATABASE_URL`), typed, with units in the names.

How to reach Temporal is not said here: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, … are Temporal's own and are read by
`temporalio.envconfig`. docs/configuration.md describes all of it for people; a test holds the two together.
"""

from functools import cache
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _redis_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://")):
        raise ValueError("must begin with redis:// or rediss://")
    return url


def _long_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < 32:  # RFC 7518, 3.2
        raise ValueError("must be at least 32 bytes long: anyone could guess a shorter one and sign tokens with it")
    return secret


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
        description="PostgreSQL's DSN. May hold a password, so it is never logged.",
    )
    pool_min_size: int = Field(default=1, ge=0, description="Connections that a process keeps open.")
    pool_max_size: int = Field(default=16, ge=1, description="Connections that a process opens at most.")
    pool_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long a request waits for a connection before it is refused with a 503."
    )
    statement_timeout_seconds: float = Field(
        default=30.0, gt=0, description="A statement that takes longer is cancelled and answered with a 503."
    )

    # --- The API ---------------------------------------------------------------------------------------------------
    host: str = Field(default="127.0.0.1", description="Address that the API listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port that the API listens on; 0: any free one.")
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Longer request bodies are refused with a 413."
    )
    header_timeout_seconds: float = Field(
        default=10.0, gt=0, description="A request whose headers take longer is refused with a 408."
    )
    body_timeout_seconds: float = Field(
        default=60.0,
        gt=0,
        description="A request whose body takes longer is refused with a 408. A connection whose client reads nothing "
        "of what it asked for is ended after as long.",
    )
    shutdown_seconds: float = Field(
        default=10.0,
        ge=0,
        description="How long the API, once told to stop, goes on serving what it has begun. Streams end at once.",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="Origins of web pages that may call the API, as a JSON list; `*` allows all."
    )

    # --- Who may call ----------------------------------------------------------------------------------------------
    jwt_secret: Annotated[SecretStr, AfterValidator(_long_secret)] | None = Field(
        default=None, description="Accept HS256 JWTs signed with this secret, of 32 bytes or more."
    )
    jwt_jwks_url: str | None = Field(
        default=None, description="Accept RS256 and ES256 JWTs whose keys are at this URL."
    )
    jwt_audience: str | None = Field(default=None, description="The `aud` that a JWT must have; unset: not looked at.")
    jwt_issuer: str | None = Field(default=None, description="The `iss` that a JWT must have; unset: not looked at.")
    jwt_tenant_claim: str = Field(default="tenant", description="The claim that names the tenant.")
    jwt_scope_claim: str = Field(default="scope", description="The claim with the scopes, a list or space-separated.")
    jwt_leeway_seconds: float = Field(default=30.0, ge=0, description="How wrong a JWT issuer's clock may be.")
    principal_cache_seconds: float = Field(
        default=5.0,
        ge=0,
        description="A revoked key stops working within so long. One that is in use is looked up again in half that "
        "time.",
    )

    # --- How often -------------------------------------------------------------------------------------------------
    requests_per_minute: int = Field(
        default=100,
        ge=0,
        description="Requests a minute that each key may make, unless it has a limit of its own; 0: any number. "
        "JWTs count by issuer and subject.",
    )
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = Field(
        default=None,
        description="Count requests in this Redis (`redis://…`, `rediss://…`), for all processes together; unset: in "
        "each process's memory. Needs the extra `redis`.",
    )

    # --- Temporal and the doorbell ----------------------------------------------------------------------------------
    task_queue: str = Field(default="baton", min_length=1, description="Task queue of workflows and activities.")
    temporal_budget_seconds: float = Field(
        default=1.0,
        ge=0,
        description="How long a call that reports the signal (Kubiya's send) waits for Temporal before it says that "
        "the message is stored but not signalled yet.",
    )
    temporal_details: Literal["words", "ids"] = Field(
        default="words",
        description="`words`: Temporal's UI shows the first 200 characters of the question a task waits with. "
        "`ids`: no text at all.",
    )
    doorbell_timeout_seconds: float = Field(
        default=5.0, gt=0, description="A ring that Temporal has not taken by then is left to the relay."
    )
    doorbell_concurrency: int = Field(default=64, ge=1, description="Rings that a process has under way at most.")
    relay_interval_seconds: float = Field(
        default=2.0, gt=0, description="How often API and worker look for what Temporal has not taken up."
    )
    relay_after_seconds: float = Field(
        default=3.0, gt=0, description="How long a message may lie untouched before the relay rings again."
    )
    relay_batch: int = Field(default=500, ge=1, description="Tasks that one look of the relay rings at most.")
    sweep_interval_seconds: float = Field(
        default=10.0, gt=0, description="How often workers look for what others did behind Baton's back."
    )
    sweep_silent_seconds: float = Field(
        default=15.0, gt=0, description="A turn that has written nothing for so long is asked after in Temporal."
    )

    # --- The worker --------------------------------------------------------------------------------------------------
    max_concurrent_activities: int = Field(default=200, ge=1, description="Steps that one worker runs side by side.")
    max_concurrent_workflow_tasks: int = Field(
        default=100, ge=2, description="Workflow tasks that one worker computes side by side."
    )
    max_cached_workflows: int = Field(
        default=300, ge=0, description="Workflows that a worker keeps in memory between their tasks."
    )
    tools_modules: tuple[str, ...] = Field(
        default=(),
        description="Modules with tools of your own, as a JSON list: their functions that are marked with "
        "`baton.tool`. Installed packages bring theirs by the entry point group `baton.tools`.",
    )
    worker_shutdown_seconds: float = Field(
        default=5.0, ge=0, description="How long a stopping worker lets steps finish before it cancels them."
    )

    # --- Streams -----------------------------------------------------------------------------------------------------
    delta_interval_seconds: float = Field(
        default=0.04, ge=0, description="Streamed text is stored and sent at most this often; the first piece at once."
    )
    feed_poll_seconds: float = Field(
        default=2.0, gt=0, description="Streams look for events this often even if no hint came."
    )
    stream_keepalive_seconds: float = Field(default=15.0, gt=0, description="A silent stream says a comment so often.")
    stream_max_seconds: float = Field(
        default=600.0, gt=0, description="The server ends a stream after so long; the client resumes by itself."
    )
    stream_retry_seconds: float = Field(default=1.0, ge=0, description="The `retry:` that streams tell their clients.")

    # --- Logs --------------------------------------------------------------------------------------------------------
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The lowest level that is logged. No level logs what people or agents wrote."
    )

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
