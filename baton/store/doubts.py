"""Calls that may have happened and may not be repeated: what a person says of them decides."""

from collections.abc import Sequence

import asyncpg

from baton.domain.doubts import question_key, word_on
from baton.domain.ids import StepKey
from baton.store.changes import Change
from baton.store.queries import execute, fetch, of_step
from baton.store.tools import end_call


async def settle(change: Change, key: StepKey, claimed: Sequence[asyncpg.Record]) -> None:
    """Record what the ``claimed`` messages of a turn that begins say of calls of step ``key`` that may have happened.

    Each has its result then, or is to be made. One that nobody speaks of is not made again.
    """
    for row in await fetch(change.connection, "unsure_calls", **of_step(key), prefix=question_key("")):
        answer = next((message["text"] for message in claimed if row["question"] in message["answers"]), None)
        result = word_on(row["call_id"], answer).result
        if result is None:
            await execute(change.connection, "make_unsure_call", **of_step(key), call=row["call_id"])
        else:
            await end_call(change, key, result)
