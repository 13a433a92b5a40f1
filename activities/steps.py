"""Model steps: claim, ask the model, record; and the ends of turns that no step brings about."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.asking import question_of_limit, questions_of
from activities.calls import impossible_calls
from activities.deltas import DeltaStream, DeltaWriter
from activities.encoding import step_key
from activities.failures import LimitReached, asked_about, asked_pause, verdict_on
from activities.heartbeats import heartbeats
from activities.interrupts import Interrupts, Reach, finish
from activities.measures import count_limit, count_turn, measured_step
from activities.reading import hold_back, read_transcript
from activities.recording import LONGEST_STEP, Recording
from activities.rings import Ringer
from activities.suspects import Suspects
from baton.agents.compaction import take_next
from baton.agents.errors import (
    OF_THIS_WORKER,
    STEP_BROKEN,
    STEP_TOO_LONG,
    WORKER_DIED,
    ModelFailed,
)
from baton.agents.models import Models, is_paid_for
from baton.agents.steps import PartialReply
from baton.agents.tools import rules_of
from baton.domain.agents import Agent
from baton.domain.allowance import PREFIX
from baton.domain.authors import Author
from baton.domain.compactions import Compaction
from baton.domain.conversation import ModelReply, Usage
from baton.domain.errors import Unavailable
from baton.domain.ids import StepKey, TaskById, whole_tenant
from baton.domain.mailbox import Standing
from baton.domain.results import Judged, judge
from baton.metrics.series import STEP_FAILURES
from baton.runtime import faultpoints
from baton.runtime.logging import whereabouts
from baton.store import compactions, control, failures, limits, routes, steps
from baton.store.failures import AskedElsewhere, FailedAttempt, FailureVerdict
from baton.store.pool import Pool
from baton.store.steps import StepAttempt
from baton.store.tools import MOST_DEATHS
from workflows.contracts import LIMIT_WAITS, CancelTask, Outcome, StepRef, TurnFailed

#: How long a task waits for an answer that another one of its plan asks for, try by try, and at most.
WAIT_SECONDS: Final = 2.0
LONGEST_WAIT_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


class StepActivities(Recording):
    """The activities of `AgentTaskWorkflow` but its calls. Each may be retried at any moment, on any worker."""

    def __init__(
        self,
        pool: Pool,
        models: Models,
        deltas: DeltaWriter,
        interrupts: Interrupts,
        suspects: Suspects,
        ringer: Ringer,
        notify: Callable[[UUID], None],
        *,
        words: bool = True,
        transcript_max_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        """``suspects`` are those of all activities of a worker; ``notify`` hints that an execution's log has grown;
        ``words``: whether Temporal may show questions; ``transcript_max_bytes``: what a step may read at most."""
        super().__init__(pool, ringer, notify, words=words)
        self._transcript_max_bytes = transcript_max_bytes
        self._models = models
        self._deltas = deltas
        self._interrupts = interrupts
        self._suspects = suspects

    @activity.defn(name="model_step")
    async def model_step(self, step: StepRef) -> Outcome:
        """See `workflows.contracts.model_step`."""
        key = step_key(step)
        faultpoints.at(faultpoints.STEP_ARRIVED)
        # Heartbeats all the time: the locks may be waited for, too.
        async with heartbeats(), self._suspects.one_at_a_time(partial(failures.deaths, key=key)):
            with self._interrupts.reaching(key) as reach:
                started = await finish(self._in_transaction(steps.start_step, key))
                self._notify(key.execution_id)
                if isinstance(started, Standing):
                    return await finish(self._done(key, started))
                if started.deaths >= MOST_DEATHS:
                    _log.error("a step is given up: its workers died one after another (task %s)", key.task_id)
                    await finish(self._given_up(failures.survived, key, started.attempt))
                    raise ApplicationError(WORKER_DIED, type=WORKER_DIED, non_retryable=True)
                faultpoints.at(faultpoints.STEP_CLAIMED)
                async with self._deltas.stream(key, started) as stream:
                    standing = await self._take(key, started, stream, reach)
            return await finish(self._done(key, standing))

    async def _take(self, key: StepKey, started: StepAttempt, stream: DeltaStream, reach: Reach) -> Standing:
        partial = PartialReply(stream.reason, lambda usage: hold_back(self._pool, key, usage))
        with measured_step(key, partial):
            try:
                standing = await self._taken(key, started, partial, stream, reach)
            except Unavailable:
                await finish(self._given_up(failures.survived, key, started.attempt, partial.usage))
                raise
        count_turn(key, standing)
        return standing

    async def _taken(
        self, key: StepKey, started: StepAttempt, partial: PartialReply, stream: DeltaStream, reach: Reach
    ) -> Standing:
        try:
            async with asyncio.timeout(LONGEST_STEP):
                agent, answer, judged = await reach.run(self._answer(key, started, partial, stream, reach))
            faultpoints.at(faultpoints.STEP_ANSWERED)
            standing = await finish(self._record(key, started, agent, answer, judged, partial, stream))
        except asyncio.CancelledError:
            if not reach.ends_turn:
                raise await finish(self._given_up(failures.survived, key, started.attempt, partial.usage)) from None
            return await finish(self._record_interrupted(key, started, partial, stream))
        except TimeoutError:
            return await finish(self._failed(key, started, ModelFailed(STEP_TOO_LONG), partial, stream))
        except ModelFailed as error:
            return await finish(self._failed(key, started, error, partial, stream))
        except LimitReached as limit:
            return await finish(self._ask_or_wait(key, started, limit, partial.usage))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - each attempt asks the model: what nobody foresaw is not tried for ever
            _log.error("unexpected error in a step: %s", whereabouts(error))
            return await finish(self._failed(key, started, ModelFailed(STEP_BROKEN), partial, stream))
        faultpoints.at(faultpoints.STEP_RECORDED)
        return standing

    async def _answer(
        self, key: StepKey, started: StepAttempt, partial: PartialReply, stream: DeltaStream, reach: Reach
    ) -> tuple[Agent, ModelReply | Compaction, Judged | None]:
        """The step's agent, what it comes to, and what that is as the task's result where the task has to have JSON."""
        read = await read_transcript(self._pool, key, self._transcript_max_bytes)
        transcript = read.transcript
        if read.taken is not None:
            return transcript.agent, ModelReply("", (), None), Judged(read.taken)
        reach.spare(lambda: any(is_paid_for(one.model) for one in transcript.agent.choices))
        at, attempt = (key.turn, key.step), started.failures + 1
        answer = await take_next(self._models, transcript, at, attempt, partial, stream.write)
        judged = None
        if isinstance(answer, ModelReply) and not answer.calls and not answer.is_cut:
            whole = read.so_far + answer.text
            judged = Judged(whole)
            if transcript.result_schema:
                judged = await asyncio.to_thread(judge, transcript.result_schema, whole)
        return transcript.agent, answer, judged

    async def _record(
        self,
        key: StepKey,
        started: StepAttempt,
        agent: Agent,
        answer: ModelReply | Compaction,
        judged: Judged | None,
        partial: PartialReply,
        stream: DeltaStream,
    ) -> Standing:
        if isinstance(answer, Compaction):
            return await self._patiently(compactions.record, key, started.attempt, answer, partial.usage)
        asked, refused = questions_of(answer, key.turn)
        refused += impossible_calls(agent, answer)
        rest = await stream.rest()
        return await self._patiently(
            steps.record_step, key, started.attempt, answer, asked, refused, rest, rules_of(agent), judged
        )

    async def _record_interrupted(
        self, key: StepKey, started: StepAttempt, partial: PartialReply, stream: DeltaStream
    ) -> Standing:
        rest = await stream.rest()
        reply = ModelReply(partial.text, (), partial.response(), partial.usage)
        return await self._in_transaction(steps.record_interrupted, key, started.attempt, reply, rest)

    async def _failed(
        self, key: StepKey, started: StepAttempt, error: ModelFailed, partial: PartialReply, stream: DeltaStream
    ) -> Standing:
        """Count the model's failure. Raises the error that tells Temporal when to try again, if at all; where patience
        is at its end the task asks, and that ends the step."""
        if error.code in OF_THIS_WORKER:
            _log.error("this worker cannot ask a model: %s (%s)", error.code, error.detail)
        async with self._pool.connection() as connection:
            bounds = await limits.of_task(connection, key.tenant_id, key.task_id)

        def judge(failures: int, seconds: float) -> tuple[FailureVerdict, float]:
            return verdict_on(error, failures, seconds, bounds)

        failure = FailedAttempt(error.code, error.detail, asked_pause(error), partial.usage)
        rest = await stream.rest()
        verdict, pause, failing = await self._in_transaction(
            failures.count_failure, key, started.attempt, failure, rest, judge
        )
        STEP_FAILURES.labels(error.code, verdict.name.lower()).inc()
        self._notify(key.execution_id)
        match verdict:
            case FailureVerdict.ASK:
                name, text = asked_about(error, failing)
                question = question_of_limit(key, PREFIX + name, text)
                return await self._in_transaction(failures.ask_instead, key, started.attempt, question)
            case FailureVerdict.GIVE_UP:
                raise ApplicationError(error.code, type=error.code, non_retryable=True) from None
            case FailureVerdict.TRY_AGAIN:
                delay = timedelta(seconds=pause)
                raise ApplicationError(error.code, type=error.code, next_retry_delay=delay) from None

    async def _ask_or_wait(self, key: StepKey, started: StepAttempt, limit: LimitReached, usage: Usage) -> Standing:
        """Let the task ask what a limit asks, of which the attempt has used ``usage`` itself. Raises the error that has
        Temporal try again where another task of the plan asks already."""
        if limit.question is not None:
            question = question_of_limit(key, limit.call_id, limit.question, limit.choices)
            count_limit(limit)
            with suppress(AskedElsewhere):
                return await self._in_transaction(
                    failures.ask_instead, key, started.attempt, question, usage, once_in_plan=limit.of_plan
                )
        await self._given_up(failures.survived, key, started.attempt, usage)
        delay = timedelta(seconds=min(WAIT_SECONDS * started.attempt, LONGEST_WAIT_SECONDS))
        raise ApplicationError(LIMIT_WAITS, type=LIMIT_WAITS, next_retry_delay=delay) from None

    @activity.defn(name="fail_turn")
    async def fail_turn(self, failed: TurnFailed) -> Outcome:
        """See `workflows.contracts.fail_turn`."""
        key = step_key(failed)
        standing = await self._in_transaction(failures.fail_turn, key, failed.code)
        count_turn(key, standing)
        return await self._done(key, standing)

    @activity.defn(name="cancel_task")
    async def cancel_task(self, cancelled: CancelTask) -> Outcome:
        """See `workflows.contracts.cancel_task`."""
        key = step_key(cancelled)
        async with self._pool.connection() as connection:
            route = await routes.route(connection, whole_tenant(key.tenant_id), TaskById(key.task_id))
        standing = await self._in_transaction(
            control.cancel_unless_over, route, Author.in_temporal(), "cancelled in Temporal"
        )
        return await self._done(key, standing)
