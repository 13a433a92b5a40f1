"""What the Temporal SDK's core is told about metrics and logs: one runtime for all of a process's clients."""

import logging
import socket
from dataclasses import dataclass
from functools import cache
from typing import Final

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

#: The core's lines become ours: their fields may hold what a user wrote, so the formatter chooses among them.
_LOGS: Final = LoggingConfig(
    TelemetryFilter(core_level="WARN", other_level="ERROR"),
    forwarding=LogForwardingConfig(
        logging.getLogger("temporalio.core"),
        append_target_to_name=False,
        prepend_target_on_message=False,
        append_log_fields_to_message=False,
    ),
)
#: The core cannot say which port it was given: it is told a free one, and another if somebody was quicker.
_PORT_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class CoreRuntime:
    """The core's threads. ``metrics_url``: where it shows its metrics, for this machine alone, None for nowhere."""

    runtime: Runtime
    metrics_url: str | None


@cache
def core_runtime(*, metrics: bool) -> CoreRuntime:
    """The runtime of this process, made at the first call.

    Its names and units are those that Temporal's documentation and dashboards have: `_total`, and seconds.
    """
    if not metrics:
        return CoreRuntime(Runtime(telemetry=TelemetryConfig(logging=_LOGS)), None)
    for attempt in range(_PORT_ATTEMPTS):
        address = f"127.0.0.1:{_free_port()}"
        config = PrometheusConfig(address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True)
        try:
            return CoreRuntime(
                Runtime(telemetry=TelemetryConfig(logging=_LOGS, metrics=config)), f"http://{address}/metrics"
            )
        except ValueError:  # the port has been taken since
            if attempt + 1 == _PORT_ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
