"""The one place that talks to Temporal's client. Its errors are translated here, where they enter."""

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.history.v1 import WorkflowExecutionSignaledEventAttributes
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from temporalio.envconfig import ClientConfig
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode

from baton.domain.errors import Unavailable
from baton.domain.ids import PlanRoute, TaskRoute
from baton.service.connecting import looked_into, names_no_server, not_configured, not_connected
from baton.service.metadata import Describing, UserMetadata, label_of
from baton.service.namespace import namespace_id, probe
from baton.service.telemetry import core_runtime
from baton.service.tracing import tracers
from workflows.contracts import (
    PLAN_WORKFLOW,
    TASK_WORKFLOW,
    AgentTaskStart,
    PlanStart,
    ProgressState,
    Ring,
    TaskRef,
    plan_workflow_id,
    task_workflow_id,
)

TENANT: Final = SearchAttributeKey.for_keyword("BatonTenant")
STATE: Final = SearchAttributeKey.for_keyword("BatonState")
EXECUTION: Final = SearchAttributeKey.for_keyword("BatonExecution")
AGENT: Final = SearchAttributeKey.for_keyword("BatonAgent")


#: What a server says that is well, and will say again of the same call: the call, or the set-up, is at fault.
_REFUSALS: Final = frozenset(
    {
        RPCStatusCode.INVALID_ARGUMENT,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.OUT_OF_RANGE,
        RPCStatusCode.ALREADY_EXISTS,
        RPCStatusCode.UNIMPLEMENTED,
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.UNAUTHENTICATED,
    }
)
#: Temporal refuses a start with a longer keyword, in JSON, where a character may take twelve bytes.
_KEYWORD_BYTES: Final = 2048
#: Of what Temporal says, so much is repeated.
_SAID_CHARACTERS: Final = 300
#: Whether all is well is found out so often at most.
_CHECKED_SECONDS: Final = 5.0


class TemporalRefused(Exception):
    """Temporal is there and does not take a call, until somebody mends what it names.

    ``status`` is its word for why, ``said`` its own sentence.
    """

    def __init__(self, status: str, said: str) -> None:
        super().__init__(f"Temporal refused a call ({status}): {said}")
        self.status = status
        self.said = said


@asynccontextmanager
async def translated(timeout_seconds: float) -> AsyncGenerator[None]:
    """The one translation of the client's errors, round one call, which has ``timeout_seconds``.

    Raises `Unavailable` while Temporal is away, or does not answer in time, and `TemporalRefused` where it answers that
    the call itself is wrong, or that the namespace is not there.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            yield
    except RPCError as error:
        said = " ".join(error.message.split())[:_SAID_CHARACTERS]
        if error.status in _REFUSALS or names_no_namespace(error):
            raise TemporalRefused(error.status.name, said) from error
        raise Unavailable(f"Temporal cannot be reached ({error.status.name})", "temporal_away", said) from error
    except TimeoutError as error:
        raise Unavailable("Temporal does not answer", "temporal_away") from error
    except RuntimeError as error:  # a lazy client connects at its first call
        if (away := not_connected(error)) is None:
            raise
        raise away from error
    except ValueError as error:
        if not names_no_server(error):
            raise
        raise not_configured(error) from error


def keyword_of(name: str) -> str:
    """As much of a name as a search attribute of type Keyword may hold."""
    return name if len(json.dumps(name)) <= _KEYWORD_BYTES else name[: _KEYWORD_BYTES // 12 - 1]


def names_no_namespace(error: RPCError) -> bool:
    """Whether what Temporal has not found is the namespace, not something in it."""
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


async def connect(*, lazy: bool = False, metrics: bool = False) -> Client:
    """A client as `TEMPORAL_*` say. ``lazy``: connects at its first call, so that Temporal may be away now.

    ``metrics``: see `core_runtime`. Raises `Unavailable` if it cannot connect, or if what they say cannot be read.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except Exception as error:
        raise not_configured(error) from error
    config.setdefault("target_host", "localhost:7233")
    runtime = core_runtime(metrics=metrics).runtime
    try:
        # What goes to Temporal is ids and numbers: to compress that costs both sides more than it saves.
        return await Client.connect(
            **config, lazy=lazy, runtime=runtime, grpc_compression=GrpcCompression.NONE, interceptors=tracers()
        )
    except ValueError as error:
        raise not_configured(error) from error
    except RuntimeError as error:
        if (away := not_connected(error)) is None:
            raise
        raise await looked_into(away) from error


class Temporal:
    """Rings workflows. Every call raises like `translated`."""

    def __init__(self, client: Client, timeout_seconds: float, describing: Describing) -> None:
        self._client = client
        self._describing = describing
        self._timeout_seconds = timeout_seconds
        self._checked: tuple[TemporalRefused | None, float] = None, -math.inf

    async def ring_task(
        self,
        route: TaskRoute,
        seq: int,
        turn: int,
        interrupt: int = 0,
        *,
        runs: bool = False,
        starts: bool = True,
        unheard: bool = False,
        instead: str = "",
    ) -> None:
        """Ring a task's workflow, starting it at ``turn`` if none is running. ``seq``: the task's version.

        ``starts``: False where there is nothing to do for a workflow that does not run.
        ``runs``: it is likely to run, so that a signal alone is tried first: three quarters of the work for Temporal.
        ``unheard``: see `workflows.contracts.Doorbell`. ``instead``: a run under way is terminated by the same call and
        another takes its place; this says why, to those who look at that one.
        """
        ref = TaskRef(str(route.tenant_id), str(route.execution_id), str(route.task_id))
        ring = Ring(seq, interrupt, unheard)
        if (runs or not starts) and (await self._signal(task_workflow_id(ref.task), ring) or not starts):
            return
        start = AgentTaskStart(ref, label_of(route), ProgressState(turn=turn, heard=seq, state="running"), fails=True)
        await self._signal_with_start(
            TASK_WORKFLOW,
            start,
            task_workflow_id(ref.task),
            route.queue,
            ring,
            TypedSearchAttributes(
                [
                    SearchAttributePair(TENANT, route.tenant),
                    SearchAttributePair(STATE, "running"),
                    SearchAttributePair(EXECUTION, ref.execution),
                    SearchAttributePair(AGENT, keyword_of(route.agent)),
                ]
            ),
            self._describing.task(route, instead),
            bool(instead),
            ref.tenant,
        )

    async def ring_plan(self, route: PlanRoute, seq: int, *, unheard: bool = False, instead: str = "") -> None:
        """Ring a plan's workflow, starting it if none is running. ``seq``: the execution's last event.

        ``instead``: as in `ring_task`.
        """
        start = PlanStart(str(route.tenant_id), str(route.execution_id), heard=seq, fails=True)
        await self._signal_with_start(
            PLAN_WORKFLOW,
            start,
            plan_workflow_id(start.execution),
            route.queue,
            Ring(seq, unheard=unheard),
            TypedSearchAttributes(
                [
                    SearchAttributePair(TENANT, route.tenant),
                    SearchAttributePair(STATE, "running"),
                    SearchAttributePair(EXECUTION, start.execution),
                ]
            ),
            self._describing.plan(route, instead),
            bool(instead),
            start.tenant,
        )

    async def send_again(self, workflow_id: str, signal: WorkflowExecutionSignaledEventAttributes) -> None:
        """Signal a workflow with what somebody has signalled to another run of it, as theirs."""
        request = SignalWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name=signal.signal_name,
            input=signal.input,
            header=signal.header,
            identity=signal.identity,
            request_id=str(uuid4()),
        )
        async with translated(self._timeout_seconds):
            await self._client.workflow_service.signal_workflow_execution(request)

    async def cancel(self, workflow_id: str) -> None:
        """Ask a workflow to cancel."""
        async with translated(self._timeout_seconds):
            await self._client.get_workflow_handle(workflow_id).cancel()

    async def namespace_id(self) -> str:
        """The id that Temporal gave the namespace when it was made. Raises like `translated`."""
        async with translated(self._timeout_seconds):
            return await namespace_id(self._client)

    async def check(self) -> None:
        """Whether Temporal would take rings. Raises like `translated` where it would not.

        What it says is repeated for a few seconds: whoever looks whether all is well may look often.
        """
        refused, at = self._checked
        if time.monotonic() - at > _CHECKED_SECONDS:
            refused = None
            try:
                async with translated(self._timeout_seconds):
                    await probe(self._client)
            except TemporalRefused as error:
                refused = error
            self._checked = refused, time.monotonic()
        if refused is not None:
            raise refused

    async def _signal(self, workflow_id: str, ring: Ring) -> bool:
        """Ring a workflow that runs; False if none does."""
        handle = self._client.get_workflow_handle(workflow_id)
        async with translated(self._timeout_seconds):
            try:
                await handle.signal("doorbell", ring)
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND and not names_no_namespace(error):
                    return False
                raise
        return True

    async def _signal_with_start(
        self,
        workflow: str,
        start: object,
        workflow_id: str,
        queue: str,
        ring: Ring,
        attributes: TypedSearchAttributes,
        metadata: UserMetadata,
        instead: bool,
        tenant: str,
    ) -> None:
        conflict = WorkflowIDConflictPolicy
        async with translated(self._timeout_seconds):
            await self._client.start_workflow(
                workflow,
                start,
                id=workflow_id,
                task_queue=queue,
                start_signal="doorbell",
                start_signal_args=[ring],
                search_attributes=attributes,
                static_summary=metadata.summary,
                static_details=metadata.details,
                # Its activities, too: a server with fairness takes from the tenants' backlogs in turn.
                priority=Priority(fairness_key=tenant),
                id_conflict_policy=conflict.TERMINATE_EXISTING if instead else conflict.USE_EXISTING,
            )
