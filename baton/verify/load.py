"""The load: executions that are started, followed, sent to, and in the end looked at."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from baton.client.errors import ClientError, Unreachable, UsageError
from baton.client.responses import refusal
from baton.domain.states import TaskState
from baton.verify.audit import audit
from baton.verify.chaos import Chaos, Recovery
from baton.verify.door import Door
from baton.verify.evidence import ExecutionEvidence, gather_evidence
from baton.verify.findings import Finding
from baton.verify.injection import check_reach
from baton.verify.ledger import Ledger
from baton.verify.options import LoadOptions
from baton.verify.pace import Pace
from baton.verify.readers import Reader
from baton.verify.senders import Sender
from baton.verify.sending import Post
from baton.verify.settling import Settling
from baton.verify.target import Target
from baton.verify.workload import SAID, Kind, Plot, lines, plots


@dataclass(frozen=True, slots=True)
class Result:
    """How it went. ``seconds``: sending, and all in all until everything was at rest."""

    ledger: Ledger
    evidence: Sequence[ExecutionEvidence]
    findings: Sequence[Finding]
    recoveries: Sequence[Recovery]
    sending_seconds: float
    settled_seconds: float
    repeated: dict[str, int]
    streams_resumed: int


async def run_load(target: Target, options: LoadOptions, ledger: Ledger, say: Callable[[str], None]) -> Result:
    """Put the load on ``target`` and compare. Raises ClientError where that cannot be done to its end."""
    check_reach(target, options.faults)
    door = Door(target.urls, target.key, options.patience_seconds)
    try:
        return await _Load(target, options, ledger, door, say).run()
    finally:
        await door.close()


class _Load:
    def __init__(
        self, target: Target, options: LoadOptions, ledger: Ledger, door: Door, say: Callable[[str], None]
    ) -> None:
        self._target = target
        self._options = options
        self._ledger = ledger
        self._door = door
        self._say = say
        self._post = Post(door, ledger)
        self._executions: list[str] = []

    async def run(self) -> Result:
        options = self._options
        probed = (await self._start(Plot(Kind.REOPENED, 1), "verify: probe"))[0]
        await self._check_agent(self._executions[0])
        chosen = plots(options.tasks)
        kinds = [plot.kind for plot in chosen for _ in range(plot.size)]
        groups = [await self._start(plot, f"verify: {n}") for n, plot in enumerate(chosen, 1)]
        tasks = [task for group in groups for task in group]
        for plot, group in zip(chosen, groups, strict=True):
            if plot.kind.asks:
                await self._await_question(group[0])
        readers = [Reader(self._door, execution, n) for n, execution in enumerate(self._executions)]
        following = [asyncio.create_task(reader.follow()) for reader in readers]
        try:
            self._say(f"{options.messages} messages from {options.senders} senders to {len(tasks)} tasks …")
            began = time.monotonic()
            recoveries = await self._send(tasks, kinds, probed)
            sent = time.monotonic()
            self._say("Waiting for all tasks to settle …")
            await Settling(self._door, self._post).settle(self._executions)
            settled = time.monotonic()
        finally:
            for one in following:
                one.cancel()
            ended = await asyncio.gather(*following, return_exceptions=True)
        for error in ended:
            if not isinstance(error, asyncio.CancelledError):
                raise AssertionError("a reader ended") from error
        self._say("Comparing …")
        evidence = await gather_evidence(self._door, readers)
        return Result(
            ledger=self._ledger,
            evidence=evidence,
            findings=audit(self._ledger.acknowledged, self._ledger.given_up, evidence),
            recoveries=recoveries,
            sending_seconds=sent - began,
            settled_seconds=settled - began,
            repeated=dict(self._door.failures),
            streams_resumed=sum(reader.resumed for reader in readers),
        )

    async def _send(self, tasks: Sequence[str], kinds: Sequence[Kind], probed: str) -> list[Recovery]:
        options = self._options
        pace = Pace(len(options.faults) + 1, options.fault_every_seconds)
        chaos = Chaos(
            self._target,
            self._door,
            self._post,
            self._ledger,
            probed,
            pause_seconds=options.pause_seconds,
            seed=options.seed,
            say=self._say,
        )
        try:
            async with asyncio.TaskGroup() as group:
                breaking = group.create_task(chaos.run(options.faults, options.fault_every_seconds, pace))
                for n, mine in enumerate(lines(kinds, options.senders, options.messages, options.seed)):
                    sender = Sender(f"s{n}", self._door, self._post, self._ledger, tasks, kinds)
                    group.create_task(sender.run(mine, pace))
        except* ClientError as errors:
            raise errors.exceptions[0] from None
        return breaking.result()

    async def _start(self, plot: Plot, title: str) -> list[str]:
        """Start an execution; the ids of its tasks, by position. Not repeated: it might start twice."""
        client = self._door.client(0)
        try:
            response = await client.post("/baton/v1/executions", json=plot.request(title, self._options.agent))
        except httpx.TransportError as error:
            raise Unreachable(f"{client.base_url} cannot be reached ({type(error).__name__})") from error
        if not response.is_success:
            raise refusal(response)
        execution = response.json()
        self._executions.append(execution["id"])
        return [task["id"] for task in execution["tasks"]]

    async def _await_question(self, task_id: str) -> None:
        """Wait until a task asks. What was said before that would be acknowledged after the answer."""
        deadline = time.monotonic() + self._door.patience_seconds
        while (await self._door.read(f"/tasks/{task_id}"))["state"] != TaskState.WAITING:
            if time.monotonic() > deadline:
                raise ClientError("a task never asked its question: is a worker running?")
            await asyncio.sleep(0.05)

    async def _check_agent(self, execution_id: str) -> None:
        """Whether the agent says what we expect of it. Raises UsageError."""
        deadline = time.monotonic() + self._door.patience_seconds
        while time.monotonic() < deadline:
            execution = await self._door.read(f"/executions/{execution_id}")
            [task] = execution["tasks"]
            if task["state"] == "succeeded":
                if task["result"] == f"{SAID}here":
                    return
                raise UsageError("the agent does not run the scripted model: name one that does with --agent")
            if task["state"] in ("failed", "cancelled"):
                raise ClientError(f"the first task is {task['state']}: the agent cannot run")
            await asyncio.sleep(0.1)
        raise UsageError("the first task did not finish: is a worker running?")
