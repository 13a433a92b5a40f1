"""Who sent the signal or update that a workflow handles. Temporal's history says so; the SDK does not tell handlers.

The identity travels from an activation to the handler as a header, which whoever sends cannot set.
"""

from contextvars import ContextVar
from typing import Any, Final

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.worker import (
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

_HEADER: Final = "baton-caller"
_caller: ContextVar[str] = ContextVar("baton-caller", default="")


def caller() -> str:
    """The identity of whoever sent what is being handled, e.g. `temporal-cli:ann@laptop`. "" where nobody gave one."""
    return _caller.get()


def carry_identities(activation: WorkflowActivation) -> None:
    """Write the identities that an activation has into the headers of its signals and updates."""
    for job in activation.jobs:
        if job.HasField("signal_workflow"):
            signal = job.signal_workflow
            signal.headers[_HEADER].data = signal.identity.encode()
        elif job.HasField("do_update"):
            update = job.do_update
            update.headers[_HEADER].data = update.meta.identity.encode()


class Callers(Interceptor):
    """Lets handlers ask for their `caller`."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """See `Interceptor`."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    async def handle_signal(self, input: HandleSignalInput) -> None:
        _caller.set(_identity(input))
        await super().handle_signal(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        _caller.set(_identity(input))
        return await super().handle_update_handler(input)


def _identity(input: HandleSignalInput | HandleUpdateInput) -> str:
    header = input.headers.get(_HEADER)
    return header.data.decode() if header else ""
