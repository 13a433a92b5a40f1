"""Tool calls that need consent, on a real Temporal server: asked, decided by every way there is, made or not."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import WorkflowHandle

from baton.domain.approvals import Approval, Decision, Verdict
from baton.domain.errors import ArgumentsRefused
from baton.domain.events import Event, EventType
from baton.domain.ids import TaskById
from baton.domain.states import SendMode
from baton.service import approvals, control
from baton.service.explain import explain_task
from baton.store.codecs import APPROVALS
from tests.support.system import System, eventually
from tests.support.tools import calls_of
from workflows.contracts import task_workflow_id

APPROVE = Decision(Verdict.APPROVE)


async def asking(system: System, prompt: str, *tools: str, **options: Any) -> UUID:
    """A task whose agent has to ask before it uses `record`."""
    agent = await system.agent("look", "record", *tools, policies={"record": "ask"})
    return await system.start(prompt, agent, **options)


async def open_approvals(system: System, task: UUID) -> Sequence[Approval]:
    """What a task waits for, once it does."""
    row = await system.until(task, "waiting")
    return APPROVALS.read(row["open_approvals"])


async def decide(system: System, approval: Approval, decision: Decision = APPROVE) -> None:
    await approvals.decide(system.baton, system.who, UUID(approval.id), decision)


async def log(system: System, task: UUID, *kinds: EventType) -> list[Event]:
    found = await system.log(await system.execution_of(task))
    assert [event.seq for event in found] == list(range(1, len(found) + 1))
    return [event for event in found if not kinds or event.type in kinds]


def handle(system: System, task: UUID) -> WorkflowHandle[Any, Any]:
    return system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))


async def test_an_approved_call_is_made_and_the_agent_reads_what_it_gave(system: System) -> None:
    task = await asking(system, '!say I need to\n!tool record {"text": "it"}\n!results')
    (approval,) = await open_approvals(system, task)
    assert (approval.tool, approval.arguments) == ("record", {"text": "it"})
    assert calls_of(task) == []
    await decide(system, approval)
    row = await system.until(task, "succeeded")
    assert calls_of(task) == [("record", "it")]
    assert row["turn"] == 2
    done = [event.data for event in await log(system, task, EventType.TOOL_COMPLETED)]
    assert [(data["content"], data["failed"]) for data in done] == [("recorded it", False)]


async def test_the_agent_is_told_of_edited_arguments(system: System) -> None:
    task = await asking(system, '!tool record {"text": "all of it"}')
    (approval,) = await open_approvals(system, task)
    await decide(system, approval, Decision(Verdict.APPROVE, arguments={"text": "a part"}))
    row = await system.until(task, "succeeded")
    assert calls_of(task) == [("record", "a part")]
    assert row["result"] == ('record: {"called_with_changed_arguments":{"text":"a part"},"result":"recorded a part"}')


async def test_nobody_is_asked_about_a_call_that_cannot_be_made(system: System) -> None:
    task = await asking(system, '!tool record {"txet": "it"}\n!tool record {"text": 7}\n!results')
    await system.until(task, "succeeded")
    assert calls_of(task) == []
    told = [event.data["content"] for event in await log(system, task, EventType.TOOL_COMPLETED)]
    assert len(told) == 2
    assert all(str(one).startswith("record was not called. text: ") for one in told)
    assert await log(system, task, EventType.APPROVAL_ASKED) == []


async def test_edited_arguments_that_the_tool_cannot_take_are_refused(system: System) -> None:
    task = await asking(system, '!tool record {"text": "it"}')
    (approval,) = await open_approvals(system, task)
    with pytest.raises(ArgumentsRefused) as refused:
        await decide(system, approval, Decision(Verdict.APPROVE, arguments={"txet": "it"}))
    assert any("text" in problem for problem in refused.value.problems)
    assert (await open_approvals(system, task)) == (approval,)
    await decide(system, approval, Decision(Verdict.APPROVE, arguments={"text": "that"}))
    await system.until(task, "succeeded")
    assert calls_of(task) == [("record", "that")]


async def test_edited_arguments_of_a_call_without_a_schema_are_judged_when_it_is_made(system: System) -> None:
    """As older code has recorded them."""
    task = await asking(system, '!tool record {"text": "it"}')
    (approval,) = await open_approvals(system, task)
    async with system.baton.pool.connection() as connection:
        await connection.execute("UPDATE tool_calls SET parameters = NULL WHERE task_id = $1", task)
    await decide(system, approval, Decision(Verdict.APPROVE, arguments={"txet": "it"}))
    row = await system.until(task, "succeeded")
    assert calls_of(task) == []
    assert "record was not called" in str(row["result"])


async def test_a_declined_call_is_never_made_and_the_agent_reads_why(system: System) -> None:
    task = await asking(system, '!tool record {"text": "it"}')
    (approval,) = await open_approvals(system, task)
    await decide(system, approval, Decision(Verdict.DECLINE, "not on a Friday"))
    row = await system.until(task, "succeeded")
    assert calls_of(task) == []
    assert row["result"] == "record: Declined: not on a Friday"


async def test_a_message_instead_of_a_decision_declines_and_is_read(system: System) -> None:
    task = await asking(system, '!tool record {"text": "it"}')
    (approval,) = await open_approvals(system, task)
    await system.send(task, '!say rather not\n!tool look {"text": "there"}')
    row = await system.until(task, "succeeded")
    assert calls_of(task) == [("look", "there")]
    assert row["result"] == "look: seen there"
    (decided,) = await log(system, task, EventType.APPROVAL_DECIDED)
    assert (decided.data["approval_id"], decided.data["decision"]) == (approval.id, "declined")
    said = [str(event.data["text"]) for event in await log(system, task, EventType.STEP_COMPLETED)]
    assert said[1].startswith("record: Declined: !say rather not")
    assert said[1].endswith("rather not")


async def test_a_grant_lets_the_calls_run_now_and_later(system: System) -> None:
    task = await asking(system, '!tool record {"text": "one"}')
    await open_approvals(system, task)
    await system.send(task, '!tool record {"text": "two"}', grants=("record",))
    await system.until(task, "succeeded")
    assert calls_of(task) == [("record", "one"), ("record", "two")]
    granted = await asking(system, '!tool record {"text": "at once"}', granted_tools=("record",))
    await system.until(granted, "succeeded")
    assert calls_of(granted) == [("record", "at once")]


async def test_plan_mode_changes_nothing_until_it_ends(system: System) -> None:
    agent = await system.agent("look", "record")
    task = await system.start('!tool look {"text": "a"}\n!tool record {"text": "b"}', agent, plan_only=True)
    row = await system.until(task, "succeeded")
    assert calls_of(task) == [("look", "a")]
    assert "plan mode" in str(row["result"])
    await system.send(task, '!tool record {"text": "c"}', plan_only=False)
    await system.until(task, "succeeded")
    assert calls_of(task) == [("look", "a"), ("record", "c")]


async def test_what_is_denied_is_never_made(system: System) -> None:
    agent = await system.agent("record", policies={"*": "deny"})
    task = await system.start('!tool record {"text": "it"}\n!ask Shall I go on?', agent)
    row = await system.until(task, "waiting")
    assert [question["text"] for question in row["open_questions"]] == ["Shall I go on?"], "questions need no policy"
    assert calls_of(task) == []


async def test_a_tool_that_the_agent_does_not_have_is_not_there(system: System) -> None:
    agent = await system.agent("look", policies={"*": "ask"})
    task = await system.start('!tool record {"text": "it"}', agent)
    row = await system.until(task, "succeeded")
    assert calls_of(task) == []
    assert str(row["result"]).startswith("record: There is no tool 'record'. Tools: look, ask_user.")


async def test_a_decision_typed_into_temporal(system: System) -> None:
    task = await asking(system, '!tool record {"text": "one"}\n!tool record {"text": "two"}')
    (first,) = await open_approvals(system, task)
    await handle(system, task).signal("decide", {"decision": "approve"})
    second = await eventually(lambda: _next_approval(system, task, first))
    for wrong in ({"decision": "perhaps"}, {"decision": "approve", "approval_id": "x"}, {"approval_id": second.id}):
        await handle(system, task).signal("decide", wrong)
    await handle(system, task).signal("decide", {"decision": "Decline", "reason": "no", "approval_id": second.id})
    row = await system.until(task, "succeeded")
    assert row["result"] == "record: Declined: no"
    assert calls_of(task) == [("record", "one")]
    decided = [event.data for event in await log(system, task, EventType.APPROVAL_DECIDED)]
    me = system.temporal.client.identity
    assert [(data["by"], data["decision"]) for data in decided] == [(me, "approved"), (me, "declined")]


async def _next_approval(system: System, task: UUID, before: Approval) -> Approval | None:
    found = APPROVALS.read((await system.row(task))["open_approvals"])
    return found[0] if found and found[0].id != before.id else None


async def test_temporal_shows_the_call_without_its_arguments(system: System) -> None:
    task = await asking(system, '!tool record {"text": "xyzzy-secret"}')
    (approval,) = await open_approvals(system, task)

    async def shown() -> bool:
        status = await handle(system, task).query("status")
        asked = f"**Wants to call** `record` with `text` since {approval.asked_at[:19]}Z"
        return asked in status["details"] and f"`baton approve {approval.id}`" in status["details"]

    await eventually(shown)
    await decide(system, approval, Decision(Verdict.APPROVE, arguments={"text": "plugh-secret"}))
    await system.until(task, "succeeded")
    await handle(system, task).result()
    history = await handle(system, task).fetch_history()
    raw = b"".join(event.SerializeToString() for event in history.events)
    assert b"secret" not in raw


async def test_an_interrupt_while_an_approved_call_is_made(system: System) -> None:
    agent = await system.agent("linger", "record", policies={"*": "ask"})
    task = await system.start('!tool linger {"seconds": 60}', agent)
    (approval,) = await open_approvals(system, task)
    await decide(system, approval)

    async def at_work() -> bool:
        return calls_of(task) == [("linger", "60.0")]

    await eventually(at_work)
    await system.send(task, "stop it", mode=SendMode.INTERRUPT)
    row = await system.until(task, "succeeded", seconds=10)
    assert row["result"] == "linger: interrupted\nYou said: stop it"


async def test_a_pause_between_the_decision_and_the_call(system: System) -> None:
    task = await asking(system, '!tool record {"text": "it"}')
    (approval,) = await open_approvals(system, task)
    await control.pause(system.baton, system.who, TaskById(task))
    await decide(system, approval)
    await system.until(task, "paused")
    assert calls_of(task) == []
    await control.resume(system.baton, system.who, TaskById(task))
    await system.until(task, "succeeded")
    assert calls_of(task) == [("record", "it")]


async def test_a_cancelled_task_makes_no_call(system: System) -> None:
    task = await asking(system, '!tool record {"text": "it"}')
    await open_approvals(system, task)
    await control.cancel(system.baton, system.who, TaskById(task))
    async with asyncio.timeout(20):
        assert await handle(system, task).result() == "cancelled"
    assert calls_of(task) == []


async def test_many_rounds_of_approvals_continue_as_new(rolling: System) -> None:
    agent = await rolling.agent("clock", policies={"*": "ask"})
    task = await rolling.start("\n".join(["!tool clock {}"] * 6), agent)
    seen: set[str] = set()
    for _ in range(6):

        async def asked() -> Approval | None:
            found = APPROVALS.read((await rolling.row(task))["open_approvals"])
            return found[0] if found and found[0].id not in seen else None

        approval = await eventually(asked)
        seen.add(approval.id)
        await decide(rolling, approval)
    await rolling.until(task, "succeeded")
    described = await handle(rolling, task).describe()
    assert described.raw_description.workflow_execution_info.first_run_id != described.run_id


async def test_a_tool_that_raises_is_a_result(
    system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it says, people and the model may read, without secrets. The log and Temporal get neither."""
    monkeypatch.setenv("SHOP_TOKEN", "xyzzy-plugh")
    agent = await system.agent("fail", "refuse")
    task = await system.start(
        '!tool fail {"text": "shut (xyzzy-plugh)"}\n!tool refuse {"text": "way"}\n!ask go on?', agent
    )
    await system.until(task, "waiting")
    assert calls_of(task) == [("fail", "shut (xyzzy-plugh)"), ("refuse", "way")]
    said = [str(event.data["text"]) for event in await log(system, task, EventType.STEP_COMPLETED)]
    sentence = "fail failed with ZeroDivisionError: shut ([secret])"
    assert said[1:] == [f"fail: {sentence}", "refuse: no way"]
    done = await log(system, task, EventType.TOOL_COMPLETED)
    assert [event.data["content"] for event in done] == [sentence, "no way"]
    why = await explain_task(system.baton, system.who, TaskById(task))
    told = [reason.data["message"] for reason in why.reasons if reason.code == "tool_failed"]
    assert told == [sentence, "no way"]
    history = await handle(system, task).fetch_history()
    assert b"shut" not in b"".join(event.SerializeToString() for event in history.events)
    assert "the tool fail failed: ZeroDivisionError" in caplog.text
    assert "shut" not in caplog.text


async def test_notes_are_shared_by_the_tasks_of_an_execution(system: System) -> None:
    execution = await system.start_plan(
        ('!tool write_note {"name": "colour", "text": "blue"}', ()),
        ('!tool read_notes\n!tool write_note {"name": "colour", "text": "green"}\n!tool read_notes', (1,)),
    )

    async def over() -> bool:
        return {row["state"] for row in (await system.tasks_of(execution)).values()} == {"succeeded"}

    await eventually(over)
    rows = await system.tasks_of(execution)
    assert rows[1]["result"] == "write_note: Noted: colour"
    assert rows[2]["result"] == 'read_notes: {"colour":"green"}'
    written = [event.data for event in await system.log(execution) if event.type is EventType.NOTE_WRITTEN]
    assert [(data["name"], data["text"]) for data in written] == [("colour", "blue"), ("colour", "green")]
