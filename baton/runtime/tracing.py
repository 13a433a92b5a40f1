"""Whether traces are wanted: OpenTelemetry's own variables say where to."""

import os
from typing import Final

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_traced() -> bool:
    """Whether this process sends traces."""
    return any(os.environ.get(name) for name in _ENDPOINTS)
