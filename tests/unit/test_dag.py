"""How a plan advances, for any plan in any state."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from baton.domain.dag import DEPENDENCY_FAILED, Advance, Node, advance
from baton.domain.states import TaskState

S = TaskState


@st.composite
def plans(draw: st.DrawFn) -> list[Node]:
    """A DAG whose tasks are in any states, listed in any order."""
    size = draw(st.integers(0, 8))
    nodes: list[Node] = []
    for position in range(1, size + 1):
        needed = draw(st.sets(st.integers(1, position - 1))) if position > 1 else set[int]()
        state = draw(st.sampled_from(S))
        code = draw(st.sampled_from([DEPENDENCY_FAILED, "model_broken"])) if state is S.FAILED else None
        nodes.append(Node(position, state, tuple(needed), code))
    return draw(st.permutations(nodes))


def after(nodes: list[Node], advance: Advance) -> list[Node]:
    """The plan when the advance was made."""
    made: list[Node] = []
    for node in nodes:
        if node.position in advance.start:
            made.append(replace(node, state=S.RUNNING, error_code=None))
        elif node.position in advance.fail:
            made.append(replace(node, state=S.FAILED, error_code=DEPENDENCY_FAILED))
        elif node.position in advance.reset:
            made.append(replace(node, state=S.PENDING, error_code=None))
        else:
            made.append(node)
    return made


def failed_for_a_dependency(node: Node) -> bool:
    return node.state is S.FAILED and node.error_code == DEPENDENCY_FAILED


@given(plans())
def test_one_look_is_enough(nodes: list[Node]) -> None:
    assert advance(after(nodes, advance(nodes))) == Advance()


@given(plans())
def test_every_task_is_where_what_it_needs_puts_it(nodes: list[Node]) -> None:
    made = after(nodes, advance(nodes))
    states = {node.position: node.state for node in made}
    for before, node in zip(nodes, made, strict=True):
        needed = [states[position] for position in node.depends_on]
        broken = S.FAILED in needed or S.CANCELLED in needed
        if node.state is S.PENDING:
            assert not broken
            assert any(state is not S.SUCCEEDED for state in needed)
        elif failed_for_a_dependency(node):
            assert broken
        if node.state is S.RUNNING and before.state is not S.RUNNING:
            assert all(state is S.SUCCEEDED for state in needed)


@given(plans())
def test_only_what_never_ran_is_moved(nodes: list[Node]) -> None:
    moved = advance(nodes)
    free = {node.position for node in nodes if node.state is S.PENDING or failed_for_a_dependency(node)}
    assert {*moved.start, *moved.fail, *moved.reset} <= free
    assert len({*moved.start, *moved.fail, *moved.reset}) == len(moved.start) + len(moved.fail) + len(moved.reset)
    pending = {node.position for node in nodes if node.state is S.PENDING}
    assert set(moved.fail) <= pending
    assert set(moved.reset).isdisjoint(pending)


@given(plans(), st.randoms(use_true_random=False))
def test_the_order_of_the_list_decides_nothing_but_the_order_of_what_is_said(nodes: list[Node], random: Random) -> None:
    shuffled = list(nodes)
    random.shuffle(shuffled)
    one, other = advance(nodes), advance(shuffled)
    for name in ("start", "fail", "reset"):
        assert set(getattr(one, name)) == set(getattr(other, name))
        order = [node.position for node in shuffled]
        assert sorted(getattr(other, name), key=order.index) == list(getattr(other, name))


@given(plans(), st.data())
def test_a_plan_comes_to_its_end(nodes: list[Node], data: st.DataObject) -> None:
    """From nothing begun, whatever becomes of each task: all are over at last, and none before what it needs."""
    made = [replace(node, state=S.PENDING, error_code=None) for node in nodes]
    for _ in range(len(nodes) + 1):
        made = after(made, advance(made))
        ready = [node for node in made if node.state is S.RUNNING]
        if not ready:
            break
        one = data.draw(st.sampled_from(ready))
        state = data.draw(st.sampled_from([S.SUCCEEDED, S.FAILED, S.CANCELLED]))
        made = [replace(one, state=state, error_code=None) if node is one else node for node in made]
    assert all(node.state.is_over for node in made)


@given(plans(), st.data())
def test_a_task_that_succeeds_after_all_undoes_the_failure_it_caused(nodes: list[Node], data: st.DataObject) -> None:
    made = [replace(node, state=S.PENDING, error_code=None) for node in nodes]
    made = after(made, advance(made))
    for state in (S.FAILED, S.SUCCEEDED):
        running = {node.position for node in made if node.state in (S.RUNNING, S.FAILED) and node.error_code is None}
        made = [replace(node, state=state) if node.position in running else node for node in made]
        made = after(made, advance(made))
    assert not any(failed_for_a_dependency(node) for node in made)


def test_a_long_chain() -> None:
    chain = [Node(n, S.PENDING, (n - 1,) if n else ()) for n in range(600)]
    chain[0] = replace(chain[0], state=S.FAILED, error_code="model_broken")
    for nodes in (chain, chain[::-1]):
        assert len(advance(nodes).fail) == 599
