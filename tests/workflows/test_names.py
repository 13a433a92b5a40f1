"""Does a worker say what it has, and do the policies that are taken then hold?"""

from typing import Any
from uuid import UUID, uuid4

import pytest

from baton.domain.catalog import Catalog
from baton.domain.errors import InvalidInput
from baton.service import agents
from baton.service.agents import AgentChange
from baton.store import catalogs
from tests.support.system import System, eventually
from tests.support.tools import calls_of


async def published(system: System) -> Catalog:
    """What the worker has said that it has, as soon as it has."""

    async def look() -> Catalog | None:
        async with system.baton.pool.connection() as connection:
            return await catalogs.current(connection)

    return await eventually(look)


async def create(system: System, policies: dict[str, Any], *, tool: str = "record", model: str = "scripted") -> UUID:
    change = AgentChange(name=f"a-{uuid4()}", model=model, tools=(tool,), policies=policies)
    created = await agents.create_agent(system.baton, system.who, change)
    assert created.warnings == ()
    return created.agent.id


async def test_a_worker_publishes_its_tools_and_providers(system: System) -> None:
    catalog = await published(system)
    assert {name: catalog.tools[name] for name in ("record", "look", "clock", "write_note")} == {
        "record": True,
        "look": False,
        "clock": False,
        "write_note": True,
    }
    assert {"openai", "anthropic", "google", "azure", "gateway/openai"} <= catalog.models.keys()


async def test_a_policy_holds_or_is_refused(system: System) -> None:
    await published(system)
    for policies in ({"recrod": "ask"}, {"Record": "deny"}, {"recorder*": "deny"}):
        with pytest.raises(InvalidInput, match="no worker has a tool"):
            await create(system, policies)
    with pytest.raises(InvalidInput, match="did you mean 'record'"):
        await create(system, {}, tool="recrod")
    with pytest.raises(InvalidInput, match="did you mean 'openai'"):
        await create(system, {}, model="opnai:gpt-5")
    task = await system.start('!tool record {"text": "it"}', await create(system, {"rec*": "deny"}))
    row = await system.until(task, "succeeded")
    assert calls_of(task) == []
    assert str(row["result"]).startswith("record: record was not called")
    task = await system.start('!tool record {"text": "it"}', await create(system, {"rec*": "ask"}))
    row = await system.until(task, "waiting")
    assert [approval["tool"] for approval in row["open_approvals"]] == ["record"]
    assert calls_of(task) == []


async def test_a_grant_is_of_a_tool_that_a_worker_has(system: System) -> None:
    await published(system)
    with pytest.raises(InvalidInput, match="did you mean 'record'"):
        await system.start("!say hi", granted_tools=("recrod",))
    task = await system.start("!ask Which?")
    await system.until(task, "waiting")
    with pytest.raises(InvalidInput, match="did you mean 'record'"):
        await system.send(task, "go on", grants=("record", "recrod"))
    assert (await system.row(task))["state"] == "waiting"
    await system.send(task, "go on", grants=("record",))
    assert (await system.until(task, "succeeded"))["granted_tools"] == ["record"]
