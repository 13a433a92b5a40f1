"""What can be wrong with an installation: what start-up, readiness and `baton doctor` say of it, in the same words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

EXIT_BUG: Final = 1  #: an error that nobody has foreseen; the log has where
EXIT_CONFIGURATION: Final = 2  #: this process's own configuration or installation
EXIT_DATABASE: Final = 10  #: PostgreSQL cannot be used
EXIT_SCHEMA: Final = 11  #: the database's schema is not there, or too old
EXIT_TEMPORAL: Final = 12  #: Temporal cannot be used
EXIT_PORT: Final = 13  #: the address cannot be listened on


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of trouble.

    ``remedy``: what an operator does about it. ``exit_code``: how a process ends that cannot start because of it; None
    where it starts all the same. ``passes``: it may end by itself, or is ended from elsewhere, so that a worker waits.
    """

    code: str
    remedy: str
    exit_code: int | None = None
    passes: bool = False


_ALL: Final = (
    # --- this process
    FaultKind("setting_invalid", "correct the variable; docs/configuration.md has them all", EXIT_CONFIGURATION),
    FaultKind("setting_unknown", "correct its name, or remove it"),
    FaultKind("extra_missing", "install the extra", EXIT_CONFIGURATION),
    FaultKind(
        "tools_unusable", "install the module for the worker, or correct BATON_TOOLS_MODULES", EXIT_CONFIGURATION
    ),
    FaultKind("certificate_missing", "mount the file, or correct the setting that names it", EXIT_CONFIGURATION),
    FaultKind("port_taken", "stop what has the port, or choose another (BATON_PORT, BATON_WORKER_PORT)", EXIT_PORT),
    FaultKind("port_denied", "choose a port above 1023 (BATON_PORT, BATON_WORKER_PORT)", EXIT_PORT),
    FaultKind("host_invalid", "set BATON_HOST to an address of this machine, or to 0.0.0.0", EXIT_PORT),
    FaultKind("starting", "wait", passes=True),
    FaultKind("stopping", "none is needed: the process has been told to stop", passes=True),
    FaultKind("late", "see the process's log; restart it if that does not say why"),
    FaultKind("check_broken", "see the log of who looked, which says where: it is a bug"),
    # --- PostgreSQL
    FaultKind(
        "dsn_invalid",
        "write DATABASE_URL as postgresql://USER:PASSWORD@HOST:5432/DATABASE, with special characters in the password "
        "percent-encoded",
        EXIT_CONFIGURATION,
    ),
    FaultKind("database_away", "start PostgreSQL; compare host and port in DATABASE_URL", EXIT_DATABASE, passes=True),
    FaultKind("database_slow", "look for what PostgreSQL is busy with, or waits for", EXIT_DATABASE, passes=True),
    FaultKind("database_password", "correct the user and the password in DATABASE_URL", EXIT_DATABASE),
    FaultKind(
        "database_no_entry",
        "let this user and address in by pg_hba.conf; if it demands TLS, add sslmode=require to DATABASE_URL",
        EXIT_DATABASE,
    ),
    FaultKind("database_unknown", "create the database, or correct its name in DATABASE_URL", EXIT_DATABASE),
    FaultKind("database_without_tls", "turn TLS on in PostgreSQL, or remove sslmode from DATABASE_URL", EXIT_DATABASE),
    FaultKind(
        "database_certificate", "correct sslrootcert in DATABASE_URL, or the server's certificate", EXIT_DATABASE
    ),
    FaultKind("database_privilege", "grant the database user what it lacks", EXIT_DATABASE),
    FaultKind("database_refuses", "see PostgreSQL's log", EXIT_DATABASE),
    FaultKind(
        "database_read_only", "point DATABASE_URL at the primary, or end the failover", EXIT_DATABASE, passes=True
    ),
    FaultKind("database_old", "upgrade PostgreSQL, or point DATABASE_URL at a newer one", EXIT_DATABASE),
    FaultKind("database_full", "free space on PostgreSQL's disk, or give it more", EXIT_DATABASE, passes=True),
    FaultKind(
        "database_connections",
        "raise PostgreSQL's max_connections, or lower BATON_POOL_MAX_SIZE",
        EXIT_DATABASE,
        passes=True,
    ),
    FaultKind("schema_missing", "run `baton migrate`", EXIT_SCHEMA, passes=True),
    FaultKind("schema_old", "run `baton migrate`", EXIT_SCHEMA, passes=True),
    FaultKind("schema_new", "deploy the version that the schema is of; this one works with it meanwhile"),
    # --- Temporal
    FaultKind(
        "temporal_profile",
        "correct TEMPORAL_PROFILE, or add the profile to the file that TEMPORAL_CONFIG_FILE names",
        EXIT_CONFIGURATION,
    ),
    FaultKind("temporal_configuration", "correct the TEMPORAL_ variables, or the file they name", EXIT_CONFIGURATION),
    FaultKind("temporal_address", "write TEMPORAL_ADDRESS as HOST:7233", EXIT_CONFIGURATION),
    FaultKind("temporal_away", "start Temporal; compare TEMPORAL_ADDRESS", EXIT_TEMPORAL, passes=True),
    FaultKind(
        "temporal_without_tls", "unset TEMPORAL_TLS, or point TEMPORAL_ADDRESS at a port with TLS", EXIT_TEMPORAL
    ),
    FaultKind(
        "temporal_with_tls", "set TEMPORAL_TLS=true, or point TEMPORAL_ADDRESS at a port without TLS", EXIT_TEMPORAL
    ),
    FaultKind("temporal_certificate", "set TEMPORAL_TLS_SERVER_CA_CERT_PATH to the server's authority", EXIT_TEMPORAL),
    FaultKind("temporal_denied", "correct TEMPORAL_API_KEY, or what it may do", EXIT_TEMPORAL),
    FaultKind("temporal_refuses", "do what Temporal says", EXIT_TEMPORAL, passes=True),
    FaultKind(
        "namespace_missing",
        "run `baton migrate --temporal`, or correct TEMPORAL_NAMESPACE",
        EXIT_TEMPORAL,
        passes=True,
    ),
    FaultKind("search_attributes_missing", "run `baton migrate --temporal`", EXIT_TEMPORAL, passes=True),
    FaultKind("no_worker", "start a worker for it; BATON_TASK_QUEUE must be the same on both sides"),
    FaultKind("catalog_missing", "start a worker: until then, names of tools and models are not checked"),
    # --- what else a process may use
    FaultKind(
        "redis_away", "start Redis, or correct BATON_REDIS_URL; meanwhile each process counts requests for itself"
    ),
    FaultKind("jwks_unreadable", "correct BATON_JWT_JWKS_URL; meanwhile tokens signed with its keys are refused"),
    FaultKind("no_answer", "start it, or correct its address"),
    FaultKind("not_ready", "do what its own checks say"),
    FaultKind("key_missing", "set it for the workers if agents use the provider"),
)

FAULTS: Final[Mapping[str, FaultKind]] = {fault.code: fault for fault in _ALL}
"""By code."""


def exit_code(fault: str) -> int:
    """The code with which a process ends that cannot start because of a fault; "" is one that nobody has foreseen."""
    return (FAULTS[fault].exit_code if fault else None) or EXIT_BUG
