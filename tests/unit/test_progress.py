"""What a workflow knows, whatever it hears in whatever order, and how often."""

from copy import deepcopy
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from workflows.contracts import REST, STEP, TOOLS, Outcome, ProgressState
from workflows.progress import Progress

outcomes = st.builds(
    Outcome,
    next=st.sampled_from([REST, STEP, TOOLS]),
    turn=st.integers(0, 5),
    step=st.integers(0, 5),
    seq=st.integers(0, 20),
    state=st.sampled_from(["running", "waiting", "succeeded"]),
)
rings = st.tuples(st.integers(0, 25), st.integers(0, 5))
resting = st.integers(0, 20).map(lambda seq: Outcome(REST, 1, 0, seq, "waiting"))


@given(st.lists(rings), st.randoms(use_true_random=False))
def test_rings_may_come_in_any_order_and_twice(heard: list[tuple[int, int]], random: Random) -> None:
    again = [*heard, *heard]
    random.shuffle(again)
    one, other = Progress(ProgressState()), Progress(ProgressState())
    for ring in heard:
        one.heard(*ring)
    for ring in again:
        other.heard(*ring)
    assert one == other


@given(st.lists(outcomes, min_size=1))
def test_the_last_outcome_counts_whatever_its_version(seen: list[Outcome]) -> None:
    """A failover may have taken PostgreSQL back: who did not believe it would look for ever."""
    progress = Progress(ProgressState())
    for outcome in seen:
        progress.saw(outcome)
    state, last = progress.state, seen[-1]
    assert (state.next, state.turn, state.step, state.seq) == (last.next, last.turn, last.step, last.seq)


@given(st.lists(rings | outcomes))
def test_nothing_is_forgotten(happened: list[tuple[int, int] | Outcome]) -> None:
    """Whatever a doorbell told of: an outcome has shown it, or the workflow is at work, or it will look."""
    progress = Progress(ProgressState())
    highest = 0
    for item in happened:
        if isinstance(item, Outcome):
            progress.saw(item)
        else:
            progress.heard(*item)
            highest = max(highest, item[0])
        assert progress.state.seq >= highest or progress.is_working or progress.should_look
        assert not (progress.is_working and progress.should_look)


@given(resting, rings)
def test_a_resting_workflow_looks_for_what_is_new_and_for_nothing_else(outcome: Outcome, ring: tuple[int, int]) -> None:
    progress = Progress(ProgressState())
    progress.saw(outcome)
    progress.heard(*ring)
    assert progress.should_look is (ring[0] > outcome.seq)


@given(resting, rings)
def test_what_nobody_took_up_is_looked_for_once_whatever_its_version(outcome: Outcome, ring: tuple[int, int]) -> None:
    progress = Progress(ProgressState())
    progress.saw(outcome)
    progress.heard(*ring, unheard=True)
    progress.heard(*ring, unheard=True)
    assert progress.should_look
    progress.look()
    progress.heard(*ring, unheard=True)
    progress.saw(outcome)
    assert progress.should_look is (ring[0] > outcome.seq), "while it was at work it need not be told to look"


@given(outcomes, rings)
def test_a_look_goes_to_the_step_after_the_last_turn(outcome: Outcome, ring: tuple[int, int]) -> None:
    progress = Progress(ProgressState())
    progress.saw(outcome)
    progress.heard(*ring)
    if progress.should_look:
        progress.look()
        assert progress.is_working
        assert (progress.state.turn, progress.state.step) == (outcome.turn + 1, 0)


@given(resting, st.lists(rings, min_size=1), resting, st.integers(1, 5))
def test_no_doorbell_makes_it_deaf_to_those_after_it(
    outcome: Outcome, heard: list[tuple[int, int]], now: Outcome, ahead: int
) -> None:
    """One may be ahead of what PostgreSQL has (after a failover, or typed by a person): it is looked for once, and
    what is committed after that is looked for again."""
    progress = Progress(ProgressState())
    progress.saw(outcome)
    for ring in heard:
        progress.heard(*ring)
    if not progress.should_look:
        return
    progress.look()
    now.seq = max(now.seq, outcome.seq)
    progress.saw(now)
    assert not progress.should_look, "once is enough"
    progress.heard(now.seq + ahead, 0)
    assert progress.should_look


@given(st.integers(0, 5), st.lists(rings))
def test_an_interrupt_is_for_the_turn_it_names_and_those_before(turn: int, heard: list[tuple[int, int]]) -> None:
    progress = Progress(ProgressState(turn=turn))
    for ring in heard:
        progress.heard(*ring)
    named = max((interrupt for _, interrupt in heard), default=0)
    assert progress.interrupts_this_turn is (turn > 0 and named >= turn)


@given(st.lists(rings | outcomes))
def test_what_is_known_is_carried_over(happened: list[tuple[int, int] | Outcome]) -> None:
    """Continue-as-new passes the plain state on: the next run knows the same."""
    progress = Progress(ProgressState())
    for item in happened:
        progress = Progress(deepcopy(progress.state))
        if isinstance(item, Outcome):
            progress.saw(item)
        else:
            progress.heard(*item)
    straight = Progress(ProgressState())
    for item in happened:
        if isinstance(item, Outcome):
            straight.saw(item)
        else:
            straight.heard(*item)
    assert progress == straight


@given(st.integers(1, 5), st.integers(0, 2**63))
def test_an_interrupt_is_for_no_turn_that_is_to_come(turn: int, interrupt: int) -> None:
    """Anybody may send a doorbell from Temporal's UI: it stops the turn under way at most."""
    progress = Progress(ProgressState(turn=turn))
    progress.heard(1, interrupt)
    assert progress.interrupts_this_turn == (interrupt >= turn)
    progress.saw(Outcome(STEP, turn + 1, 0, 1, "running"))
    assert not progress.interrupts_this_turn
