"""What an agent's workflow knows: ids and counters, in any order and any repetition of what it hears."""

from dataclasses import dataclass

from workflows.contracts import REST, RUNNING, STEP, TOOLS, Outcome, ProgressState


@dataclass(slots=True)
class Progress:
    """Where the workflow stands, and whether there is something to look at.

    Doorbells may come late, twice or out of order; outcomes come one after the other, and report PostgreSQL's own
    position and version. The workflow looks when a doorbell named a version that no outcome has reported yet.
    """

    state: ProgressState

    def heard(self, seq: int, interrupt: int, *, unheard: bool = False) -> None:
        """A doorbell rang. ``unheard``: nobody has looked since, whatever the version says."""
        self.state.heard = max(self.state.heard, seq, self.state.seq + 1 if unheard and not self.is_working else 0)
        # No turn is asked to stop before there is one, whatever number somebody sends from Temporal's own UI.
        self.state.interrupt = max(self.state.interrupt, min(interrupt, self.state.turn))

    def saw(self, outcome: Outcome, now: float = 0.0) -> None:
        """An activity came back at ``now``. It may report a lower version than the one before it.

        PostgreSQL is the truth, also after a failover in which it lost its newest commits.
        """
        self.state.seq = outcome.seq
        self.state.turn = outcome.turn
        self.state.step = outcome.step
        self.state.state = outcome.state
        self.state.next = outcome.next
        self.state.details = outcome.details
        self.state.wake_at = None if outcome.wake_seconds is None else now + outcome.wake_seconds

    @property
    def is_working(self) -> bool:
        """Whether a turn is under way or due."""
        return self.state.next in (STEP, TOOLS)

    @property
    def should_look(self) -> bool:
        """Whether a doorbell told of something that no outcome has shown, and nobody has looked for since."""
        return self.state.next == REST and self.state.heard > self.state.seq

    @property
    def interrupts_this_turn(self) -> bool:
        """Whether the turn under way was asked to stop."""
        return self.state.interrupt >= self.state.turn > 0

    def look(self) -> None:
        """Go and look, once for all that was heard by now: at the step after the last turn.

        What was heard is forgotten: it may be more than there is (PostgreSQL lost its newest commits in a failover),
        and must neither be looked for again nor hide what is committed after it.
        """
        self.state.heard = 0
        self.state.state = RUNNING
        self.state.details = ""  # whoever reads on what it asked is not to answer again
        self.state.next = STEP
        self.state.turn += 1
        self.state.step = 0
