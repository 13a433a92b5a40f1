"""`baton agents` against the API, `baton keys` beside the database, as processes."""

import json
from pathlib import Path

import yaml

from tests.dialects.commands import Command
from tests.support.api import RunningApi


async def test_an_agent_from_a_file_and_back(api: RunningApi, baton: Command, tmp_path: Path) -> None:
    file = tmp_path / "planner.yaml"
    file.write_text(
        "name: planner\nmodel: scripted\ntools: [clock]\npolicies: {clock: ask}\nlimits: {max_turns: 20}\n"
        "instructions: |\n  Be brief.\n  Ask first.\n"
    )
    created = await baton("agents", "create", "-f", str(file), "--mode", "interrupt")
    unchecked = "no worker has said yet which tools and models it has, so these names were not checked: 'clock'"
    assert (created.code, created.err) == (0, f"baton: warning: {unchecked}\n")
    agent = yaml.safe_load(created.out)
    assert (agent["mode"], agent["instructions"], agent["limits"]) == (
        "interrupt",
        "Be brief.\nAsk first.\n",
        {"max_turns": 20},
    )
    shown = await baton("agents", "show", "planner")
    assert yaml.safe_load(shown.out) == agent
    assert json.loads((await baton("agents", "show", str(agent["number"]), "--json")).out) == agent

    file.write_text(shown.out.replace("Be brief.", "Be exact."))
    changed = await baton("agents", "change", "planner", "-f", str(file), "--policy", "*=deny", "--if-version", "1")
    after = yaml.safe_load(changed.out)
    assert (after["instructions"], after["policies"], after["version"]) == (
        "Be exact.\nAsk first.\n",
        {"*": "deny"},
        2,
    )
    given = ("temperature=0.2", "effort=low", 'stop=["END"]')
    asked = await baton("agents", "change", "planner", *(part for one in given for part in ("--setting", one)))
    assert yaml.safe_load(asked.out)["model_settings"] == {"temperature": 0.2, "effort": "low", "stop": ["END"]}
    spared = await baton("agents", "change", "planner", "--fallback", "scripted")
    assert yaml.safe_load(spared.out)["fallbacks"] == [{"model": "scripted", "model_settings": {}}]
    late = await baton("agents", "change", "planner", "--limit", "max_turns=5", "--if-version", "1")
    assert (late.code, late.out) == (4, "")
    listed = await baton("agents", "list")
    assert "planner" in listed.out
    assert "(default)" in listed.out
    assert [one["name"] for one in json.loads((await baton("agents", "list", "--json")).out)] == [
        "assistant",
        "planner",
    ]
    for arguments, code in (
        (["create", "--name", "x"], 4),
        (["change", "planner"], 2),
        (["change", "planner", "--limit", "many"], 2),
        (["change", "planner", "--setting", "temperature"], 2),
        (["change", "planner", "--setting", "temprature=0.2"], 4),
        (["create", "-f", str(tmp_path / "nowhere")], 2),
        (["show", "nobody/../planner"], 4),
    ):
        ran = await baton("agents", *arguments)
        assert (ran.code, ran.out) == (code, ""), arguments
        assert ran.err.startswith("baton: ")


async def test_keys(api: RunningApi, baton: Command) -> None:
    made = await baton(
        *("keys", "create", "--tenant", api.tenant, "--scopes", "tasks:read"),
        *("--name", "ci", "--per-minute", "0", "--days", "1"),
    )
    assert (made.code, made.err) == (0, "")
    client = api.client(made.out.strip())
    assert (await client.get("/baton/v1/tasks")).status_code == 200
    listed = await baton("keys", "list", "--tenant", api.tenant, "--json")
    (key,) = [one for one in json.loads(listed.out) if one["name"] == "ci"]
    assert (key["scopes"], key["per_minute"], key["revoked_at"]) == (["tasks:read"], 0, None)
    assert made.out.strip() not in listed.out
    assert "ci" in (await baton("keys", "list", "--tenant", api.tenant)).out
    assert (await baton("keys", "revoke", key["id"], "--tenant", api.tenant)).code == 0
    api.app.state.baton.authenticator.forget()
    assert (await client.get("/baton/v1/tasks")).status_code == 401
    assert "revoked" in (await baton("keys", "list", "--tenant", api.tenant)).out
    for arguments in (["list", "--tenant", "nobody"], ["revoke", key["id"], "--tenant", "nobody"]):
        ran = await baton("keys", *arguments)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("baton: there is no ")


async def test_a_check_changes_nothing(api: RunningApi, baton: Command) -> None:
    checked = await baton("agents", "check", "assistant", "--timeout", "1")  # there is no worker
    assert (checked.code, "no answer within 1 s" in checked.out) == (1, True)
    async with api.pool.connection() as connection:
        task = await connection.fetchrow("SELECT state, plan_only FROM tasks WHERE title = 'Check of assistant'")
    assert task is not None
    assert (task["state"], task["plan_only"]) == ("cancelled", True)
