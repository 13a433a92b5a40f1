"""How workflow code is run: in the SDK's sandbox, without what Baton has no use for there, and told who calls."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import Info, SandboxImportNotificationPolicy

from workflows.callers import carry_identities


def sandbox() -> WorkflowRunner:
    """The workflow sandbox: an import in workflow code that nobody meant to pass through stops the worker at start."""
    policy = (
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    restrictions = replace(SandboxRestrictions.default, import_notification_policy=policy)
    return BatonRunner(SandboxedWorkflowRunner(restrictions=restrictions))


class BatonRunner(WorkflowRunner):
    """Runs workflows by another runner, with two differences.

    Handlers learn who sent what they handle, see `workflows.callers`. And data converters are not told what they
    convert for: the SDK enters the sandbox several times for every payload, only to ask for that, which is a tenth of
    what a turn costs the worker. Baton's data converter is the SDK's own, which makes no use of it. Take this away when
    a payload codec, a converter or an external storage comes that does.
    """

    def __init__(self, runner: WorkflowRunner) -> None:
        self._runner = runner

    def prepare_workflow(self, defn: Any) -> None:
        """See `WorkflowRunner`."""
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See `WorkflowRunner`."""
        return _Instance(self._runner.create_instance(det))

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """See `WorkflowRunner`."""
        self._runner.set_worker_level_failure_exception_types(types)


class _Instance(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        carry_identities(act)
        return self._instance.activate(act)

    def get_serialization_context(self, command_info: object) -> None:
        return None

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()
