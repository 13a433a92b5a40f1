"""The store does what the rules say, also where senders think again: the receipts' machine, beside a real database."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from baton.domain.ids import MessageId
from baton.domain.messages import Edit
from baton.store import receipts
from tests.store.test_machine import Real, StoreMachine
from tests.store.world import Run, World
from tests.support.examples import examples
from tests.support.receipts_machine import MOVED, ReceiptsMachine


class RealReceipts(Real):
    """The same, in PostgreSQL."""

    async def edit(self, seq: int, text: str) -> None:
        id = await self._id(seq)
        async with self.world.pool.transaction() as connection:
            await receipts.edit_message(connection, self.route, id, Edit(text))

    async def withdraw(self, seq: int) -> None:
        id = await self._id(seq)
        async with self.world.pool.transaction() as connection:
            await receipts.withdraw_message(connection, self.route, id)

    async def redrive(self, seq: int) -> None:
        id = await self._id(seq)
        async with self.world.pool.transaction() as connection:
            await receipts.redrive_message(connection, self.route, id)

    async def _id(self, seq: int) -> MessageId:
        return next(row["id"] for row in await self.world.messages(self.route) if row["seq"] == seq)


class StoreReceiptsMachine(ReceiptsMachine, StoreMachine):
    """The rules of receipts, and the store beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.real = RealReceipts(self.world, self.real.route)

    def expected_messages(self) -> list[tuple[object, ...]]:
        return [message for message in super().expected_messages() if MOVED not in message]


@pytest.mark.timeout(300)
def test_the_store_does_what_the_rules_of_receipts_say(in_a_loop: tuple[Run, World]) -> None:
    run, world = in_a_loop

    class Machine(StoreReceiptsMachine):
        pass

    Machine.run, Machine.world = staticmethod(run), world
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples(60),
            stateful_step_count=25,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # making a failure smaller would take minutes
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
