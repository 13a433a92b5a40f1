"""Does a trace carry nothing of its caller's into Temporal but ids?"""

from opentelemetry import context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.client import OutboundInterceptor, SignalWorkflowInput

from baton.service.tracing import TraceParent, interceptor

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_WORDS = "what-a-user-wrote"
_SENT = {
    "traceparent": f"00-{_TRACE}-b7ad6b7169203331-01",
    "tracestate": f"vendor={_WORDS}",
    "baggage": f"note={_WORDS}",
}


class _Recorder(OutboundInterceptor):
    """Keeps what would go to Temporal."""

    def __init__(self) -> None:
        self.headers = ""

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        self.headers = str({name: payload.data for name, payload in input.headers.items()})


async def _signalled(parent: context.Context) -> str:
    """The headers of a signal that is sent on behalf of ``parent``."""
    sent = _Recorder()
    traced = interceptor(trace.get_tracer("tests")).intercept_client(sent)
    signal = SignalWorkflowInput("task-1", None, "doorbell", [], {}, {}, None)
    token = context.attach(parent)
    try:
        await traced.signal_workflow(signal)
    finally:
        context.detach(token)
    return sent.headers


def test_of_a_callers_trace_only_the_ids_are_taken_up() -> None:
    found = TraceParent().extract(_SENT)
    span = trace.get_current_span(found).get_span_context()
    assert (f"{span.trace_id:032x}", dict(span.trace_state)) == (_TRACE, {})
    assert _WORDS not in str(found)
    assert not trace.get_current_span(TraceParent().extract({"baggage": "a=b"})).get_span_context().is_valid


async def test_signals_carry_ids_alone() -> None:
    headers = await _signalled(TraceParent().extract(_SENT))
    assert _TRACE in headers


async def test_baggage_stays_out_of_histories_whoever_took_it_up() -> None:
    everything = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    headers = await _signalled(everything.extract(_SENT))
    assert _TRACE in headers
    assert _WORDS not in headers
