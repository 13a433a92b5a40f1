"""The store does what the rules say, in any order: the machine of the unit tests, beside a real database."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from baton.domain.bells import TaskBell
from baton.domain.conversation import Question, ToolResult
from baton.domain.errors import DomainError
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Mailbox, Standing
from baton.domain.messages import Receipt
from baton.domain.states import ExecutionState, SendMode
from baton.service.sends import Sends
from baton.store import rings, tools
from baton.store.steps import StepAttempt
from tests.store.world import Run, World, call, key
from tests.support.examples import examples
from tests.support.mailbox_machine import MailboxMachine
from tests.support.mailbox_model import Sent


class Real:
    """The same task in PostgreSQL, through the store, with the model's names. Every other message is sent the way that
    those go which are under way together."""

    def __init__(self, world: World, route: TaskRoute) -> None:
        self.world = world
        self.route = route
        self.sends = Sends(world.pool, relay_seconds=60, wait_seconds=30)
        self.sent = 0

    async def send(
        self,
        text: str,
        *,
        mode: SendMode = SendMode.QUEUE,
        question: str | None = None,
        if_versions: tuple[int, ...] | None = None,
        key: str | None = None,
    ) -> Sent:
        self.sent += 1
        draft: dict[str, object] = {
            "mode": mode,
            "question": question,
            "if_versions": if_versions,
            "idempotency_key": key,
        }
        receipt: Receipt = (
            await self.world.send_together(self.sends, self.route, text, **draft)
            if self.sent % 2
            else await self.world.send(self.route, text, **draft)
        )
        return Sent(
            receipt.seq,
            receipt.state,
            receipt.version,
            receipt.turn,
            receipt.turn_open,
            receipt.interrupts,
            receipt.replayed,
        )

    async def start(self, turn: int, step: int) -> int | Standing:
        found = await self.world.start(self.route, turn, step)
        return found.attempt if isinstance(found, StepAttempt) else found

    async def record(self, turn: int, step: int, attempt: int, asked: list[Question], calls: list[str]) -> Standing:
        return await self.world.record(
            self.route, turn, step, attempt, asks=asked, calls=[call(name) for name in calls]
        )

    async def interrupted(self, turn: int, step: int, attempt: int) -> Standing:
        return await self.world.interrupted(self.route, turn, step, attempt)

    async def fail(self, turn: int) -> Standing:
        return await self.world.fail(self.route, turn)

    async def start_call(self, turn: int, step: int, call: str) -> Standing | None:
        async with self.world.pool.transaction() as connection:
            found = await tools.start_tool(connection, key(self.route, turn, step), call)
        return found if isinstance(found, Standing) else None

    async def record_call(self, turn: int, step: int, call: str) -> Standing:
        async with self.world.pool.transaction() as connection:
            return await tools.record_tool(connection, key(self.route, turn, step), ToolResult(call, "result"))

    async def pause(self) -> None:
        await self.world.pause(self.route)

    async def resume(self) -> None:
        await self.world.resume(self.route)

    async def cancel(self) -> None:
        await self.world.cancel(self.route)


class StoreMachine(MailboxMachine):
    """The rules, and the store beside them."""

    run: Run
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.real = Real(self.world, self.run(self.world.task()))

    def both(self, name: str, *args: object, **kwargs: object) -> object:
        expected = super().both(name, *args, **kwargs)
        try:
            found: object = self.run(getattr(self.real, name)(*args, **kwargs))
        except DomainError as error:
            found = error
        if isinstance(expected, DomainError):
            assert type(found) is type(expected), (found, expected)
        elif isinstance(found, Standing) and isinstance(expected, Standing):
            assert (found.then, found.turn, found.step) == (expected.then, expected.turn, expected.step)
            assert _plain(found.box) == _plain(expected.box)
        else:
            assert found is None or isinstance(found, Sent | int)
            assert found == expected
        return expected

    def is_rung(self) -> bool:
        return self.run(self.world.row(self.real.route))["ring_at"] is not None

    def bell(self) -> tuple[int, int]:
        bell = self.run(self._bell())
        assert (bell.version, bell.interrupt) == super().bell()
        return bell.version, bell.interrupt

    async def _bell(self) -> TaskBell:
        async with self.world.pool.connection() as connection:
            return await rings.bell(connection, self.real.route)

    @invariant()
    def the_rows_are_what_the_rules_say(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        route = self.real.route
        box = await self.world.box(route)
        assert _plain(box) == _plain(self.model.box)
        assert _plain_rest(box) == _plain_rest(self.model.box)
        messages = [
            (row["seq"], row["text"], tuple(row["answers"]), row["state"], row["turn"])
            for row in await self.world.messages(route)
        ]
        assert messages == self.expected_messages()
        steps = {(row["turn"], row["step"]): (row["state"], row["attempt"]) for row in await self.world.steps(route)}
        assert steps == {name: (step.state, step.attempt) for name, step in self.model.steps.items()}
        assert (await self.world.execution(route))["state"] == ExecutionState(box.state)

    def expected_messages(self) -> list[tuple[object, ...]]:
        """The messages' rows, as the model has them."""
        return [
            (seq, message.text, message.answers, message.state, message.turn)
            for seq, message in enumerate(self.model.messages, 1)
        ]

    def teardown(self) -> None:
        super().teardown()
        log = self.run(self.world.log(self.real.route))
        states = [event.task_state for event in log if event.task_state]
        assert states[-1] is self.model.box.state
        assert all(one is not other for one, other in pairwise(states)), "each is a change"


def _plain(box: Mailbox) -> Mailbox:
    """Without the time that PostgreSQL adds to a question."""
    return replace(box, questions=tuple(replace(one, asked_at="") for one in box.questions))


def _plain_rest(box: Mailbox) -> tuple[object, ...]:
    return box.rest.state, [one.id for one in box.rest.questions]


def test_the_store_does_what_the_rules_say(in_a_loop: tuple[Run, World]) -> None:
    run, world = in_a_loop

    class Machine(StoreMachine):
        pass

    Machine.run, Machine.world = staticmethod(run), world
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples(40),
            stateful_step_count=25,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # making a failure smaller would take minutes
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
