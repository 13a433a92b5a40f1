"""Tool calls that need consent: held back, decided once, made if they are what was approved, and never left hanging."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from baton.domain.approvals import Approval, ApprovalState, Decision, ToolRules, Verdict, digest_of
from baton.domain.conversation import ToolCall, ToolResult, Transcript
from baton.domain.errors import AlreadyDecided, ApprovalNotFound, Outdated
from baton.domain.events import EventType
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Standing, Then
from baton.domain.states import ExecutionState, SendMode, TaskState
from baton.domain.views import ApprovalView
from baton.store import approvals, failures, receipts, steps, tools, transcripts
from baton.store.changes import OVERTAKEN
from tests.store.races import Race, outcome_of
from tests.store.test_steps import stands, started
from tests.store.test_tools import begin, rows
from tests.store.world import World, call, key, question
from tests.support.authors import author

S, T, A = TaskState, EventType, ApprovalState
APPROVE, DECLINE = Decision(Verdict.APPROVE), Decision(Verdict.DECLINE, "too risky")
ASK_WRITES = ToolRules({"write": "ask", "drop": "deny", "*": "allow"}, harmless=("clock",))


def write(id: str, **arguments: Any) -> ToolCall:
    return ToolCall(id, "write", arguments or {"path": id})


async def answered(
    world: World, route: TaskRoute, *calls: ToolCall, turn: int = 1, rules: ToolRules = ASK_WRITES, **more: Any
) -> Standing:
    """A turn's first step came to these calls."""
    started(await world.start(route, turn))
    return await world.record(route, turn, calls=calls, rules=rules, **more)


async def waiting(world: World, *calls: ToolCall, **more: Any) -> tuple[TaskRoute, tuple[Approval, ...]]:
    """A task that waits for these calls to be decided on, and its open approvals."""
    route = await world.task()
    where = await answered(world, route, *(calls or (write("w"),)), **more)
    assert (where.then, where.box.state) == (Then.REST, S.WAITING)
    return route, where.box.approvals


async def decide(world: World, route: TaskRoute, approval: Approval | UUID, decision: Decision = APPROVE) -> Standing:
    """Somebody decides on one approval."""
    approval_id = UUID(approval.id) if isinstance(approval, Approval) else approval
    async with world.pool.transaction() as connection:
        return await approvals.decide_all(connection, route, [(approval_id, decision)], author("boss"))


async def view(world: World, approval: Approval) -> ApprovalView:
    async with world.pool.connection() as connection:
        found = await approvals.view(connection, world.tenant, UUID(approval.id))
    assert found is not None
    return found


async def end(world: World, route: TaskRoute, call_id: str, content: str = "result", step: int = 0) -> Standing:
    """A worker records what a call of turn 1 gave."""
    async with world.pool.transaction() as connection:
        return await tools.record_tool(connection, key(route, 1, step), ToolResult(call_id, content))


async def read(world: World, route: TaskRoute) -> Transcript:
    async with world.pool.connection() as connection:
        return await transcripts.read(connection, world.tenant, route.task_id)


async def events(world: World, route: TaskRoute, kind: EventType) -> list[dict[str, Any]]:
    return [dict(event.data) for event in await world.log(route) if event.type is kind]


async def test_calls_under_ask_are_held_until_the_others_are_made(world: World) -> None:
    route = await world.task()
    where = await answered(world, route, call("a"), write("w"), call("b"))
    assert (where.then, where.calls) == (Then.TOOLS, (call("a"), call("b")))
    assert [state for _, state, _ in await rows(world, route)] == ["pending", "held", "pending"]
    assert stands(await begin(world, route, "w")) == (Then.TOOLS, 1, 0)
    await end(world, route, "a")
    where = await end(world, route, "b")
    assert (where.then, where.box.state, where.box.turn_open) == (Then.REST, S.WAITING, False)
    (approval,) = where.box.approvals
    assert (approval.call_id, approval.turn, approval.step, approval.tool) == ("w", 1, 0, "write")
    assert approval.digest == digest_of("write", {"path": "w"})
    assert where.box == await world.box(route), "the row has all of it"
    asked, ended = (await world.log(route))[-2:]
    assert (asked.type, asked.data["approval_id"], asked.data["arguments"]) == (
        T.APPROVAL_ASKED,
        approval.id,
        {"path": "w"},
    )
    assert (ended.type, ended.task_state, ended.execution_state) == (T.TURN_ENDED, S.WAITING, ExecutionState.WAITING)
    assert ended.data["open_approvals"] == [approval.id]
    assert (await world.waited_after(ended))[0][0].question == 'May write be called with {"path": "w"}?'
    assert (await world.row(route))["waiting_since"] is not None
    shown = await view(world, approval)
    assert (shown.state, shown.task_id, shown.arguments, shown.decided_by) == (
        A.OPEN,
        route.task_id,
        {"path": "w"},
        None,
    )


async def test_what_is_denied_is_a_result_and_the_turn_goes_on(world: World) -> None:
    route = await world.task()
    where = await answered(world, route, ToolCall("d", "drop", {}))
    assert stands(where) == (Then.STEP, 1, 1)
    ((_, state, content),) = await rows(world, route)
    assert (state, content) == ("done", "drop was not called: this agent is not allowed to.")
    assert (await events(world, route, T.TOOL_COMPLETED))[0]["failed"] is True


async def test_an_approved_call_is_made_first_in_the_next_turn(world: World) -> None:
    route, (approval,) = await waiting(world)
    after = await decide(world, route, approval)
    assert (after.then, after.turn, after.step, after.box.state) == (Then.STEP, 2, 0, S.RUNNING)
    row = await world.row(route)
    assert (row["ring_at"] is not None, row["waiting_since"], row["open_approvals"]) == (True, None, [])
    decided = (await world.log(route))[-1]
    assert (decided.type, decided.task_state, decided.execution_state) == (
        T.APPROVAL_DECIDED,
        S.RUNNING,
        ExecutionState.RUNNING,
    )
    assert (decided.data["decision"], decided.data["by"], decided.data["arguments"]) == ("approved", "boss", None)
    shown = await view(world, approval)
    assert (shown.state, shown.decided_by, shown.approved_digest) == (A.APPROVED, "boss", approval.digest)
    assert shown.author == author("boss")
    assert decided.data["author"] == author("boss").json()
    await world.send(route, "by the way")
    for _ in range(2):  # also by a worker that comes back
        where = await world.start(route, 2)
        assert stands(where) == (Then.TOOLS, 1, 0)
        assert isinstance(where, Standing)
        assert where.calls == (write("w"),)
    assert await begin(world, route, "w") == write("w")
    assert stands(await end(world, route, "w", "written")) == (Then.STEP, 2, 0)
    assert started(await world.start(route, 2)).attempt == 1
    first, second = (await read(world, route)).turns
    assert first.steps[0].results == (ToolResult("w", "written"),)
    assert [message.text for message in second.messages] == ["by the way"]
    await world.record(route, 2)
    assert ((await world.box(route)).state, (await world.box(route)).held_step) == (S.SUCCEEDED, None)
    kinds = [event.type for event in await world.log(route)]
    assert kinds[kinds.index(T.APPROVAL_DECIDED) :] == [
        T.APPROVAL_DECIDED,
        T.MESSAGE_ACCEPTED,
        T.TURN_STARTED,
        T.TOOL_STARTED,
        T.TOOL_COMPLETED,
        T.STEP_STARTED,
        T.STEP_COMPLETED,
        T.TURN_ENDED,
    ]


async def test_the_first_step_of_a_turn_with_calls_knows_what_it_streamed(world: World) -> None:
    """Its event comes later than other turns': what a killed worker had streamed must be found all the same."""
    route, (approval,) = await waiting(world)
    await decide(world, route, approval)
    await world.start(route, 2)
    await begin(world, route, "w")
    await end(world, route, "w")
    started(await world.start(route, 2))
    await world.stream(route, 2, "half")
    assert started(await world.start(route, 2)).attempt == 2
    assert (await world.log(route))[-1].type is T.STEP_VOIDED


async def test_an_edited_call_is_made_with_what_was_approved(world: World) -> None:
    route, (approval,) = await waiting(world)
    await decide(world, route, approval, Decision(Verdict.APPROVE, arguments={"path": "elsewhere"}))
    shown = await view(world, approval)
    assert (shown.arguments, shown.edited) == ({"path": "w"}, {"path": "elsewhere"})
    assert shown.approved_digest == digest_of("write", {"path": "elsewhere"}) != shown.digest
    await world.start(route, 2)
    assert await begin(world, route, "w") == write("w", path="elsewhere")
    await end(world, route, "w", "written")
    (result,) = (await read(world, route)).turns[0].steps[0].results
    assert result == ToolResult("w", "written", edited={"path": "elsewhere"})


async def test_arguments_that_are_the_same_are_no_edit(world: World) -> None:
    route, (approval,) = await waiting(world, write("w", n=1000, deep={"a": 1, "b": 2}))
    same = Decision(Verdict.APPROVE, arguments={"deep": {"b": 2, "a": 1.0}, "n": 1e3})
    await decide(world, route, approval, same)
    shown = await view(world, approval)
    assert (shown.edited, shown.approved_digest) == (None, shown.digest)


async def test_a_declined_call_has_its_result_at_once_and_is_never_made(world: World) -> None:
    route, (approval,) = await waiting(world)
    await decide(world, route, approval, DECLINE)
    assert await rows(world, route) == [("w", "done", "Declined: too risky")]
    decided, completed = (await world.log(route))[-2:]
    assert (decided.type, decided.data["decision"], decided.data["reason"]) == (
        T.APPROVAL_DECIDED,
        "declined",
        "too risky",
    )
    assert (completed.type, completed.data["failed"]) == (T.TOOL_COMPLETED, True)
    assert started(await world.start(route, 2)).attempt == 1
    assert stands(await begin(world, route, "w")) == (Then.STEP, 2, 0)
    assert await rows(world, route) == [("w", "done", "Declined: too risky")]


async def test_the_task_runs_when_nothing_is_open_any_more(world: World) -> None:
    route, (one, two) = await waiting(world, write("1"), write("2"), asks=[question("q")])
    assert (await decide(world, route, one)).box.state is S.WAITING
    assert (await world.row(route))["ring_at"] is None
    assert (await decide(world, route, two, DECLINE)).box.state is S.WAITING
    await world.send(route, "the answer", question="q")
    assert (await world.box(route)).state is S.RUNNING
    where = await world.start(route, 2)
    assert isinstance(where, Standing)
    assert where.calls == (write("1"),)
    await begin(world, route, "1")
    assert stands(await end(world, route, "1")) == (Then.STEP, 2, 0), "what the step asked is not asked again"
    assert (await world.box(route)).questions == ()


async def test_the_same_decision_again_changes_nothing(world: World) -> None:
    route, (approval,) = await waiting(world)
    edited = Decision(Verdict.APPROVE, "fine", arguments={"path": "x"}, digest=approval.digest)
    await decide(world, route, approval, edited)
    before = await world.row(route), await world.log(route), await view(world, approval)
    where = await decide(world, route, approval, edited)
    assert where.box.version == before[0]["version"]
    for other in (DECLINE, APPROVE, replace(edited, arguments={"path": "y"}), replace(edited, reason="hm")):
        with pytest.raises(AlreadyDecided) as told:
            await decide(world, route, approval, other)
        assert told.value.state == "approved"
    assert (await world.row(route), await world.log(route), await view(world, approval)) == before


async def test_a_decision_about_another_call_than_the_one_seen_is_refused(world: World) -> None:
    route, (approval,) = await waiting(world)
    with pytest.raises(Outdated):
        await decide(world, route, approval, Decision(Verdict.APPROVE, digest=digest_of("write", {})))
    assert (await view(world, approval)).state is A.OPEN
    with pytest.raises(ApprovalNotFound):
        await decide(world, route, uuid4())
    other, _ = await waiting(world)
    with pytest.raises(ApprovalNotFound):
        await decide(world, other, approval)


async def test_several_decisions_are_recorded_together_or_not_at_all(world: World) -> None:
    route, (one, two) = await waiting(world, write("1"), write("2"))
    ids = UUID(one.id), UUID(two.id)
    async with world.pool.connection() as connection:
        with pytest.raises(ApprovalNotFound):
            async with connection.transaction():
                await approvals.decide_all(connection, route, [(ids[0], APPROVE), (uuid4(), APPROVE)], author("boss"))
        with pytest.raises(AlreadyDecided):
            async with connection.transaction():
                await approvals.decide_all(connection, route, [(ids[0], APPROVE), (ids[0], DECLINE)], author("boss"))
    assert len((await world.box(route)).approvals) == 2
    async with world.pool.transaction() as connection:
        both = [(ids[0], APPROVE), (ids[1], DECLINE), (ids[0], APPROVE)]
        where = await approvals.decide_all(connection, route, both, author("boss"))
    assert (where.box.state, where.box.version) == (S.RUNNING, (await world.row(route))["version"])
    assert [data["decision"] for data in await events(world, route, T.APPROVAL_DECIDED)] == ["approved", "declined"]


async def test_who_decided_on_what_older_code_recorded_is_not_known(world: World) -> None:
    route, (one, two) = await waiting(world, write("1"), write("2"))
    await decide(world, route, one)
    await world.send(route, "no")
    async with world.pool.connection() as connection:
        await connection.execute("UPDATE approvals SET author = NULL")
        await connection.execute("UPDATE messages SET author = NULL")
    shown = await view(world, one)
    assert (shown.decided_by, shown.author) == ("boss", None)
    await world.start(route, 2)
    (by_message,) = [data for data in await events(world, route, T.APPROVAL_DECIDED) if data["approval_id"] == two.id]
    assert (by_message["by"], by_message["author"]) == ("somebody", {"kind": "unknown", "id": "", "name": "somebody"})


async def test_a_message_declines_what_is_open_and_is_the_reason(world: World) -> None:
    route, (one, two) = await waiting(world, write("1"), write("2"))
    await decide(world, route, one)
    receipt = await world.send(route, "no, do it " + "differently " * 100)
    assert receipt.state is S.RUNNING
    accepted = (await world.log(route))[-1]
    assert (accepted.data["decides"], accepted.task_state) == ([two.id], S.RUNNING)
    for _ in range(2):  # before and after a turn has read it
        shown = await view(world, two)
        assert (shown.state, shown.decided_by, shown.author) == (A.DECLINED, "somebody", author())
        assert str(shown.reason).startswith("no, do it differently")
        assert len(str(shown.reason)) <= 500
        with pytest.raises(AlreadyDecided):
            await decide(world, route, two)
        where = await world.start(route, 2)
        assert isinstance(where, Standing)
        assert where.calls == (write("1"),), "what was approved is made"
    told = (await events(world, route, T.TOOL_COMPLETED))[-1]
    assert (told["call_id"], told["failed"]) == ("2", True)
    assert told["content"].startswith("Declined: no, do it differently")
    assert [message["state"] for message in await world.messages(route)] == ["claimed"]


async def test_an_answer_to_a_question_alone_leaves_approvals_open(world: World) -> None:
    route, (approval,) = await waiting(world, asks=[question("q")])
    assert (await world.send(route, "yes", question="q")).state is S.WAITING
    assert (await world.box(route)).approvals == (approval,)
    assert (await decide(world, route, approval)).box.state is S.RUNNING


async def test_granted_tools_run_and_the_rest_is_declined(world: World) -> None:
    rules = ToolRules({"*": "ask"})
    route, (one, two) = await waiting(world, write("w"), call("c"), rules=rules)
    await world.send(route, "go on", grants=("write",))
    assert [(await view(world, each)).state for each in (one, two)] == [A.APPROVED, A.DECLINED]
    where = await world.start(route, 2)
    assert isinstance(where, Standing)
    assert where.calls == (write("w"),)
    assert [(await view(world, each)).state for each in (one, two)] == [A.APPROVED, A.DECLINED]
    assert await begin(world, route, "w") == write("w")
    await end(world, route, "w")
    started(await world.start(route, 2))
    where = await world.record(route, 2, calls=[write("w2"), call("c2")], rules=rules)
    assert (where.then, where.calls) == (Then.TOOLS, (write("w2"),)), "for the rest of the task"
    assert [state for _, state, _ in (await rows(world, route))[-2:]] == ["pending", "held"]
    assert (await world.row(route))["granted_tools"] == ["write"]


async def test_what_waits_is_declined_by_a_message_to_plan_only_whatever_it_grants(world: World) -> None:
    rules = ToolRules({"*": "ask"})
    route, (one,) = await waiting(world, write("w"), rules=rules)
    await world.send(route, "plan it first", grants=("write",), plan_only=True)
    assert ((await view(world, one)).state, (await view(world, one)).reason) == (A.DECLINED, "plan it first")
    started(await world.start(route, 2))
    assert ((await view(world, one)).state, (await view(world, one)).reason) == (A.DECLINED, "plan it first")
    row = await world.row(route)
    assert (row["granted_tools"], row["plan_only"]) == (["write"], True)


async def test_a_grant_does_not_lift_a_denial(world: World) -> None:
    route = await world.task()
    await world.send(route, "you may", grants=("drop",))
    assert stands(await answered(world, route, ToolCall("d", "drop", {}))) == (Then.STEP, 1, 1)
    assert (await rows(world, route))[0][1] == "done"


async def test_plan_mode_refuses_what_changes_things_until_it_is_lifted(world: World) -> None:
    route = await world.task()
    await world.send(route, "only plan", plan_only=True)
    where = await answered(world, route, write("w"), call("c"))
    assert where.calls == (call("c"),)
    (_, state, content), _ = await rows(world, route)
    assert state == "done"
    assert "plan mode" in str(content)
    await end(world, route, "c")
    await world.start(route, 1, 1)
    await world.record(route, 1, 1)
    await world.send(route, "well?")
    await answered(world, route, write("w"), turn=2)
    await world.start(route, 2, 1)
    await world.record(route, 2, 1)
    await world.send(route, "act now", plan_only=False)
    where = await answered(world, route, write("w"), turn=3)
    assert len(where.box.approvals) == 1


async def test_a_message_that_came_before_the_question_does_not_decide_it(world: World) -> None:
    """Nothing closes over it: the call gets a result that says so, and the model may call again."""
    route = await world.task()
    started(await world.start(route, 1))
    await world.send(route, "wait a moment")
    where = await world.record(route, 1, calls=[write("w")], rules=ASK_WRITES)
    assert (where.then, where.turn, where.box.state, where.box.approvals) == (Then.STEP, 2, S.RUNNING, ())
    assert await rows(world, route) == [("w", "done", OVERTAKEN)]
    assert await events(world, route, T.APPROVAL_ASKED) == []
    assert started(await world.start(route, 2)).attempt == 1


async def test_a_pause_keeps_approvals_open_and_a_resume_waits_for_them(world: World) -> None:
    route, (approval,) = await waiting(world)
    await world.pause(route)
    assert (await world.box(route)).approvals == (approval,)
    assert (await world.resume(route)).box.state is S.WAITING
    await world.pause(route)
    assert (await decide(world, route, approval)).box.state is S.PAUSED
    assert stands(await world.start(route, 2)) == (Then.REST, 1, 0)
    assert (await world.resume(route)).box.state is S.RUNNING
    assert stands(await world.start(route, 2)) == (Then.TOOLS, 1, 0)


async def test_a_message_to_a_paused_task_declines_too(world: World) -> None:
    route, (approval,) = await waiting(world, asks=[question("q")])
    await world.pause(route)
    await world.send(route, "about your question", question="q")
    assert (await world.box(route)).state is S.RUNNING
    started(await world.start(route, 2))
    assert (await view(world, approval)).state is A.DECLINED
    assert (await rows(world, route))[0][1] == "done"


@pytest.mark.parametrize("when", ["open", "approved", "closed by a message", "begun", "at work"])
async def test_a_cancelled_task_leaves_no_call_hanging(world: World, when: str) -> None:
    route, (one, two) = await waiting(world, write("1"), write("2"))
    if when != "open":
        await decide(world, route, one)
    if when not in ("open", "approved"):
        await world.send(route, "hm")
    if when in ("begun", "at work"):
        await world.start(route, 2)
    if when == "at work":
        await begin(world, route, "1")
    await world.cancel(route)
    calls = await rows(world, route)
    assert [state for _, state, _ in calls] == ["done", "done"]
    assert calls[0][2] == "cancelled"
    assert [(await view(world, each)).state for each in (one, two)] == {
        "open": [A.CANCELLED, A.CANCELLED],
        "approved": [A.APPROVED, A.CANCELLED],
        "closed by a message": [A.APPROVED, A.CANCELLED],
        "begun": [A.APPROVED, A.DECLINED],
        "at work": [A.APPROVED, A.DECLINED],
    }[when]
    box = await world.box(route)
    assert (box.approvals, box.held_step) == ((), None)
    assert stands(await begin(world, route, "1")) == (Then.REST, box.turn, 0)
    assert stands(await end(world, route, "1")) == (Then.REST, box.turn, 0)
    assert await rows(world, route) == calls
    with pytest.raises(AlreadyDecided):
        await decide(world, route, two, Decision(Verdict.DECLINE, "other"))


@pytest.mark.parametrize("at_work", [False, True])
async def test_an_interrupt_ends_the_turn_that_makes_approved_calls(world: World, at_work: bool) -> None:
    route, (one, two) = await waiting(world, write("1"), write("2"))
    await decide(world, route, one)
    await decide(world, route, two)
    await world.start(route, 2)
    if at_work:
        await begin(world, route, "1")
    await world.send(route, "stop", mode=SendMode.INTERRUPT)
    where = await (end(world, route, "1", "half") if at_work else begin(world, route, "1"))
    assert stands(where) == (Then.STEP, 3, 0)  # type: ignore[arg-type]
    assert [content for _, _, content in await rows(world, route)] == [
        "half" if at_work else "interrupted",
        "interrupted",
    ]
    assert started(await world.start(route, 3)).attempt == 1


async def test_a_turn_that_fails_for_good_leaves_no_approved_call_hanging(world: World) -> None:
    """Its failure is told by the name of the step that had asked for the call."""
    route, (approval,) = await waiting(world)
    await decide(world, route, approval)
    await world.send(route, "hello")
    await world.start(route, 2)
    await begin(world, route, "w")
    async with world.pool.transaction() as connection:
        where = await failures.fail_turn(connection, key(route, 1), "tool_broken")
    assert (where.box.state, where.box.held_step) == (S.FAILED, None)
    assert await rows(world, route) == [("w", "done", "interrupted")]
    assert [message["state"] for message in await world.messages(route)] == ["dead"]
    started_again = await world.send(route, "again")
    assert started_again.state is S.RUNNING
    assert started(await world.start(route, 3)).attempt == 1


async def test_what_was_changed_by_hand_is_not_made(world: World) -> None:
    for change in ('arguments = \'{"path": "/etc"}\'', "name = 'drop'"):
        route, (approval,) = await waiting(world)
        await decide(world, route, approval)
        await world.start(route, 2)
        await world.execute(f"UPDATE tool_calls SET {change} WHERE tenant_id = $1 AND task_id = $2", route.task_id)
        assert stands(await begin(world, route, "w")) == (Then.STEP, 2, 0)
        assert await rows(world, route) == [("w", "done", tools.NOT_APPROVED)]


@pytest.mark.parametrize("change", ["tools = '{clock}'", """policies = '{"write": "deny"}'"""])
async def test_what_the_agent_may_not_call_any_more_is_not_made_approved_or_not(world: World, change: str) -> None:
    route, (approval,) = await waiting(world)
    await decide(world, route, approval)
    await world.start(route, 2)
    await world.execute(f"UPDATE agents SET {change} WHERE tenant_id = $1")
    assert stands(await begin(world, route, "w")) == (Then.STEP, 2, 0)
    assert await rows(world, route) == [("w", "done", tools.NOT_ALLOWED)]


async def test_withdrawing_the_message_opens_the_approval_again(world: World) -> None:
    route, (one, two) = await waiting(world, write("1"), write("2"))
    await decide(world, route, one)
    receipt = await world.send(route, "no")
    async with world.pool.transaction() as connection:
        await receipts.withdraw_message(connection, route, receipt.message_id)
    box = await world.box(route)
    assert (box.state, box.approvals) == (S.WAITING, (two,)), "what was decided is not asked again"
    assert (await view(world, two)).state is A.OPEN
    assert (await decide(world, route, two, DECLINE)).box.state is S.RUNNING


async def test_a_decision_counts_whatever_is_withdrawn(world: World) -> None:
    route, (approval,) = await waiting(world, asks=[question("q")])
    receipt = await world.send(route, "answer", question="q")
    assert (await decide(world, route, approval)).box.state is S.RUNNING
    async with world.pool.transaction() as connection:
        await receipts.withdraw_message(connection, route, receipt.message_id)
    box = await world.box(route)
    assert (box.state, [one.id for one in box.questions], box.approvals) == (S.WAITING, ["q"], ())
    route, (approval,) = await waiting(world)
    await decide(world, route, approval)
    receipt = await world.send(route, "and another thing")
    async with world.pool.transaction() as connection:
        await receipts.withdraw_message(connection, route, receipt.message_id)
    assert (await world.box(route)).state is S.RUNNING


async def test_two_who_decide_at_once(world: World) -> None:
    race = Race(A.APPROVED, A.DECLINED)
    for _ in race.rounds(10):
        route, (approval,) = await waiting(world)
        results = await race.run(
            outcome_of(decide(world, route, approval, APPROVE)), outcome_of(decide(world, route, approval, DECLINE))
        )
        refused = [result for result in results if isinstance(result, AlreadyDecided)]
        assert len(refused) == 1
        state = (await view(world, approval)).state
        assert refused[0].state == state
        assert len(await events(world, route, T.APPROVAL_DECIDED)) == 1
        race.saw(state)
        twins = await asyncio.gather(
            *(decide(world, route, approval, APPROVE) for _ in range(4)), return_exceptions=True
        )
        assert all(isinstance(twin, Standing if state is A.APPROVED else AlreadyDecided) for twin in twins)
    race.check()


async def test_a_decision_and_a_message_at_once(world: World) -> None:
    race = Race("decision first", "message first")
    for _ in race.rounds(20):
        route, (approval,) = await waiting(world)
        decided, _ = await race.run(outcome_of(decide(world, route, approval, APPROVE)), world.send(route, "no"))
        box = await world.box(route)
        assert (box.state, box.approvals, box.unclaimed) == (S.RUNNING, (), 1)
        refused = isinstance(decided, AlreadyDecided)
        assert refused or isinstance(decided, Standing)
        where = await world.start(route, 2)
        assert isinstance(where, Standing) is not refused
        assert (await view(world, approval)).state is (A.DECLINED if refused else A.APPROVED)
        race.saw("message first" if refused else "decision first")
    race.check()


async def test_a_decision_and_a_cancel_at_once(world: World) -> None:
    race = Race("decision first", "cancel first")
    for _ in race.rounds(20):
        route, (approval,) = await waiting(world)
        decided, _ = await race.run(outcome_of(decide(world, route, approval, APPROVE)), world.cancel(route))
        refused = isinstance(decided, AlreadyDecided)
        assert (await world.box(route)).state is S.CANCELLED
        assert await rows(world, route) == [("w", "done", "cancelled")]
        assert (await view(world, approval)).state is (A.CANCELLED if refused else A.APPROVED)
        race.saw("cancel first" if refused else "decision first")
    race.check()


async def test_a_send_that_waits_for_the_lock_decides_by_what_it_finds_then(world: World) -> None:
    """The approval is opened while the sender waits: its statement began before there was one."""
    route = await world.task()
    started(await world.start(route, 1))
    async with world.pool.transaction() as connection:
        answer = steps.record_step
        from baton.domain.conversation import ModelReply

        held = ModelReply("", (write("w"),), {"text": ""})
        await answer(connection, key(route, 1), 1, held, (), (), (), ASK_WRITES)
        sending = asyncio.create_task(world.send(route, "no"))
        await world.blocked(1)
    receipt = await sending
    assert receipt.state is S.RUNNING
    box = await world.box(route)
    assert (box.approvals, box.state) == ((), S.RUNNING)
    started(await world.start(route, 2))
    (asked,) = await events(world, route, T.APPROVAL_ASKED)
    assert (await rows(world, route))[0][2] == "Declined: no"
    async with world.pool.connection() as connection:
        shown = await approvals.view(connection, world.tenant, UUID(asked["approval_id"]))
    assert shown is not None
    assert shown.state is A.DECLINED
