"""Do the statements that accept messages do what their specification says, for any row and any message?"""

from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from baton.domain.accepting import Acceptance, accept
from baton.domain.approvals import Approval
from baton.domain.conversation import Question
from baton.domain.errors import DomainError
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Mailbox, Rest
from baton.domain.messages import Draft, Receipt
from baton.domain.states import SendMode, TaskState
from baton.service.sends import Sends
from baton.store import codecs
from tests.store.world import Run, World, question
from tests.support.examples import examples

S = TaskState
AT_WORK = st.sampled_from([S.RUNNING, S.PAUSED])
AT_REST = st.sampled_from(S)
QUESTIONS = (question("q1"), question("q2", {"type": "string", "minLength": 3}), question("q3", {"type": "integer"}))
APPROVALS = tuple(Approval(f"a{n}", f"c{n}", 1, 0, "write", {}, "d", "2026-01-01T00:00:00+00:00") for n in range(2))


def some(of: tuple[Question, ...] | tuple[Approval, ...]) -> st.SearchStrategy[list[int]]:
    """Some of them, by number."""
    return st.lists(st.integers(0, len(of) - 1), unique=True, max_size=2)


@st.composite
def boxes(draw: st.DrawFn) -> Mailbox:
    """Any row that decides. Questions may be open whatever the task does, approvals while it rests."""
    turn_open = draw(st.booleans())
    state = draw(AT_WORK if turn_open else AT_REST)
    questions = tuple(QUESTIONS[n] for n in draw(some(QUESTIONS)))
    approvals = () if turn_open else tuple(APPROVALS[n] for n in draw(some(APPROVALS)))
    version, turn, claimed, unclaimed = (draw(st.integers(least, 5)) for least in (1, 0, 0, 0))
    return Mailbox(
        state=state,
        version=version,
        turn=turn,
        turn_open=turn_open,
        interrupt_turn=draw(st.integers(0, turn)),
        accepted_seq=claimed + unclaimed,
        unclaimed=unclaimed,
        questions=questions,
        approvals=approvals,
        rest=Rest(state),
    )


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    """Any message, as far as its acceptance depends on it."""
    return Draft(
        draw(st.sampled_from(["yes", "no", "7"])),
        origin="test",
        mode=draw(st.none() | st.sampled_from(SendMode)),
        question=draw(st.none() | st.sampled_from(["q1", "q2", "q3", "q4"])),
        if_versions=draw(st.none() | st.lists(st.integers(1, 5), max_size=3).map(tuple)),
        only_if_waiting=draw(st.sampled_from([False, False, True])),
    )


async def put(world: World, route: TaskRoute, box: Mailbox) -> None:
    """Have the task's row say what ``box`` says, whatever it was; it has no messages and is not rung."""
    await world.execute("DELETE FROM messages WHERE tenant_id = $1 AND task_id = $2", route.task_id)
    await world.execute(
        "UPDATE tasks SET state = $3, version = $4, turn = $5, turn_open = $6, interrupt_turn = $7, accepted_seq = $8,"
        " unclaimed = $9, open_questions = $10, answers_ruled = $11, open_approvals = $12, ring_at = NULL,"
        " waiting_since = CASE WHEN $3 = 'waiting' THEN now() END"
        " WHERE tenant_id = $1 AND id = $2",
        route.task_id,
        box.state,
        box.version,
        box.turn,
        box.turn_open,
        box.interrupt_turn,
        box.accepted_seq,
        box.unclaimed,
        codecs.QUESTIONS.write(box.questions),
        any(one.schema is not None for one in box.questions),
        codecs.APPROVALS.write(box.approvals),
    )


async def sent(world: World, route: TaskRoute, draft: Draft, sends: Sends | None) -> Receipt | DomainError:
    """What becomes of a message, by itself or together with others."""
    options = {name: getattr(draft, name) for name in ("mode", "question", "if_versions", "only_if_waiting")}
    try:
        if sends is None:
            return await world.send(route, draft.text, **options)
        return await world.send_together(sends, route, draft.text, **options)
    except DomainError as error:
        return error


async def compare(world: World, route: TaskRoute, box: Mailbox, draft: Draft, sends: Sends | None) -> None:
    """Accept ``draft`` by the rule and by the store."""
    await put(world, route, box)
    found = await sent(world, route, draft, sends)
    after = replace(await world.box(route), rest=box.rest)
    row = await world.row(route)
    messages = await world.messages(route)
    try:
        expected: Acceptance | DomainError = accept(box, draft, draft.mode or world.agent.mode)
    except DomainError as error:
        expected = error
    if isinstance(expected, DomainError):
        assert type(found) is type(expected)
        assert (after, row["ring_at"], messages) == (box, None, [])
        return
    assert isinstance(found, Receipt), found
    assert after == expected.box
    (message,) = messages
    assert (tuple(message["answers"]), tuple(message["decides"])) == (expected.answers, expected.closes)
    assert (message["seq"], found.seq) == (after.accepted_seq, after.accepted_seq)
    assert (found.state, found.version) == (after.state, after.version)
    assert (found.was, found.turn, found.turn_open) == (box.state, box.turn, box.turn_open)
    assert found.interrupts == expected.interrupts
    assert (row["ring_at"] is not None) == expected.rings
    assert row["answers_ruled"] == any(one.schema is not None for one in after.questions)


def test_the_statements_do_what_the_rule_says(in_a_loop: tuple[Run, World]) -> None:
    run, world = in_a_loop
    route = run(world.task())
    together = Sends(world.pool, relay_seconds=60, wait_seconds=30)

    @settings(
        max_examples=examples(300),
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(boxes(), drafts(), st.sampled_from([None, together]))
    def holds(box: Mailbox, draft: Draft, sends: Sends | None) -> None:
        run(compare(world, route, box, draft, sends))

    holds()
