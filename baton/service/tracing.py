"""Traces, by OpenTelemetry, where its own variables say where to: one from a call through its workflow to the model.

The trace's context travels as a header of signals and activities, see `workflows.traces`. FastAPI, Temporal's SDK and
pydantic-ai make the spans. They may hold what people and agents wrote, as an exception's message does: what leaves the
process are attributes that are known to be none of theirs, and no events.
"""

import os
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from temporalio.client import Interceptor

from baton.runtime.installation import missing
from baton.runtime.tracing import is_traced

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

#: Of attributes these leave the process, and no others.
_TOLD: Final = frozenset(
    {
        "error.type",
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.model",
        "gen_ai.system",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "temporalActivityID",
        "temporalRunID",
        "temporalWorkflowID",
        "url.scheme",
    }
)


@cache
def tracers() -> tuple[Interceptor, ...]:
    """What Temporal's client, and workers of it, are traced by; nothing where traces are off. Sets up this process at
    the first call.

    Raises RuntimeError where the packages are not installed.
    """
    if not is_traced():
        return ()
    if line := missing("otel", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        raise RuntimeError(line)
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from temporalio.contrib.opentelemetry import TracingInterceptor

    class Discreet(SpanExporter):
        """Sends spans without what may be somebody's words."""

        def __init__(self) -> None:
            self._exporter = OTLPSpanExporter()

        def export(self, spans: Sequence["ReadableSpan"]) -> SpanExportResult:
            return self._exporter.export([_discreet(span) for span in spans])

        def shutdown(self) -> None:
            self._exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return self._exporter.force_flush(timeout_millis)

    provider = TracerProvider(
        resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "baton")}),
        span_limits=SpanLimits(max_events=0),
    )
    provider.add_span_processor(BatchSpanProcessor(Discreet()))
    trace.set_tracer_provider(provider)
    return (TracingInterceptor(provider.get_tracer("baton")),)


def _discreet(span: "ReadableSpan") -> "ReadableSpan":
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Status

    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if name in _TOLD},
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
