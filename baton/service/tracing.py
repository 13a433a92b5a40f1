"""Traces, by OpenTelemetry, where its own variables say where to: one from a call through its workflow to the model.

The trace's context travels as a header of signals and activities, see `workflows.traces`. FastAPI, Temporal's SDK and
pydantic-ai make the spans. They may hold what people and agents wrote, as an exception's message does: what leaves the
process are attributes that are known to be none of theirs, and no events.

Of what a caller sends about its own trace only the ids are taken up (`traceparent`): its `tracestate` and `baggage` may
hold anything, and would go on into Temporal's history with each signal.
"""

import os
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import CarrierT, Getter, Setter, default_getter, default_setter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.client import Interceptor

from baton.runtime.installation import missing
from baton.runtime.tracing import is_traced

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

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


class TraceParent(TraceContextTextMapPropagator):
    """Passes on a trace's ids alone."""

    _NAME: Final = "traceparent"

    @property
    def fields(self) -> set[str]:
        """What it sets in a carrier."""
        return {self._NAME}

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """See `TextMapPropagator`."""
        return super().extract({self._NAME: getter.get(carrier, self._NAME) or []}, context)

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """See `TextMapPropagator`."""
        found: dict[str, str] = {}
        super().inject(found, context)
        if self._NAME in found:
            setter.set(carrier, self._NAME, found[self._NAME])


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
    from opentelemetry import propagate, trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

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
    propagate.set_global_textmap(TraceParent())
    return (interceptor(provider.get_tracer("baton")),)


def interceptor(tracer: "Tracer") -> Interceptor:
    """What has Temporal's calls carry the trace that they belong to."""
    from temporalio.contrib.opentelemetry import TracingInterceptor

    made = TracingInterceptor(tracer)
    made.text_map_propagator = TraceParent()  # by itself it would put the caller's baggage into histories
    return made


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
