"""The bare workflow that Baton is compared with: what anybody would write first, with nothing durable beside Temporal.

One signal brings one message's text, one activity takes a turn with whatever has come: no database, no model, no
streams.
"""

from datetime import timedelta
from typing import Final

from temporalio import activity, workflow

QUEUE: Final = "bench-bare"


@activity.defn
async def bare_turn(messages: list[str]) -> int:
    """Take a turn: trivial."""
    return len(messages)


@workflow.defn
class BareWorkflow:
    """Waits for signals; one activity for what has come since the last."""

    @workflow.init
    def __init__(self, messages: list[str]) -> None:
        self._messages = messages

    @workflow.run
    async def run(self, messages: list[str]) -> None:
        """Serve until the history is long, then go on in a new run."""
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(lambda: bool(self._messages))
            messages, self._messages = self._messages, []
            await workflow.execute_activity(bare_turn, messages, start_to_close_timeout=timedelta(minutes=1))
        workflow.continue_as_new(self._messages)

    @workflow.signal
    def message(self, text: str) -> None:
        """A message."""
        self._messages.append(text)
