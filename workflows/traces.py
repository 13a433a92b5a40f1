"""What a workflow does for a signal belongs to the trace of whoever sent it, not to that of its own start: a task may
wait for weeks, and each answer is another call.

Goes inside the SDK's own interceptor, which makes the spans.
"""

from typing import Any, Final, cast

from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.converter import PayloadConverter
from temporalio.worker import (
    HandleSignalInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

#: Where `temporalio.contrib.opentelemetry.TracingInterceptor` puts a trace's context.
_HEADER: Final = "_tracer-data"
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class SignalTraces(Interceptor):
    """Has activities follow the last signal that came with a trace."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """See `Interceptor`."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    trace: context.Context | None = None

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound, self))

    async def handle_signal(self, input: HandleSignalInput) -> None:
        if (header := input.headers.get(_HEADER)) is not None:
            (carrier,) = PayloadConverter.default.from_payloads([header])
            self.trace = _PROPAGATOR.extract(cast("dict[str, str]", carrier))
        await super().handle_signal(input)


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, inbound: _Inbound) -> None:
        super().__init__(next)
        self._inbound = inbound

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        if self._inbound.trace is None:
            return super().start_activity(input)
        token = context.attach(self._inbound.trace)
        try:
            return super().start_activity(input)
        finally:
            context.detach(token)
