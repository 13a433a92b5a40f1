"""Does the tutorial work as it is written? Its commands, one after the other, with a local compatible server."""

import asyncio
import json
import os
import re
import shlex
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.openai_server import Called, Json, OpenAIServer, Refusal, Reply, running_openai_server
from tests.support.stack import running_stack
from tests.support.terminal import in_terminal

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "tutorial.md").read_text(), re.MULTILINE | re.DOTALL)


def block(holding: str) -> str:
    """The only block of commands that holds a text."""
    (found,) = (one for one in BLOCKS if holding in one)
    return found


def clerk(body: Json) -> Reply:
    """A model that does what the tutorial's agent is told."""
    messages = body["messages"]
    if "test of the connection" in str(messages[-1].get("content")):
        return Reply(("ok",))
    match sum(message["role"] == "tool" for message in messages):
        case 0:
            return Reply((), (Called("ask_user", '{"question": "What is the order\'s number?"}', "call_1"),))
        case 1:
            assert "1017" in str(messages[-1])
            return Reply((), (Called("refund", '{"order": "1017", "euros": 12}', "call_2"),))
        case _:
            return Reply(("I ", "refunded ", "12 euros."))


@pytest.fixture
def server() -> Generator[OpenAIServer]:
    """A server that is not OpenAI's."""
    with running_openai_server() as running:
        running.otherwise = clerk
        yield running


async def shell(commands: str, directory: Path, environment: dict[str, str], code: int = 0) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", commands,
        cwd=directory, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == code, out.decode()
    return out.decode()


def exports(commands: str) -> dict[str, str]:
    """The variables that a block exports."""
    return dict(shlex.split(line)[1].split("=", 1) for line in commands.splitlines() if line.startswith("export "))


@pytest.mark.timeout(240)
async def test_the_tutorial(server: OpenAIServer, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "OPENAI_"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = kept | exports(block("OPENAI_BASE_URL")) | {"PATH": path, "OPENAI_BASE_URL": server.url}
    await shell(block("cat > shop.py"), shop, environment)

    start = block("baton dev")
    variables = environment | exports(start)
    command = shlex.split(start.splitlines()[-1].replace("$MODEL", variables["MODEL"]))
    assert command[:4] == ["baton", "dev", "--data", "shop-data"]
    async with running_stack(
        tmp_path / "data", environment=variables, arguments=command[4:], baton=("baton",), directory=shop
    ) as stack:
        environment |= {"XDG_STATE_HOME": str(stack.data / "state")}
        created = await shell(block("cat > clerk.yaml"), shop, environment)
        assert "model: openai:qwen3" in created
        assert await shell(block("baton agents check"), shop, environment) == (
            "ok    tools: refund\nok    openai:qwen3: answered 'ok'\n"
        )
        server.reply(Refusal(401, "invalid_api_key", "Incorrect API key provided."))
        told = await shell(block("baton agents check"), shop, environment, code=1)
        assert "FAIL  openai:qwen3: model_key_rejected: Incorrect API key provided.\n      Check the key" in told
        assert "ok    openai:qwen3: answered" in await shell("baton agents check assistant", shop, environment)

        *files, run = block("cat > complaint.yaml").strip().splitlines()
        await shell("\n".join(files), shop, environment)
        async with in_terminal(shlex.split(run), environment=environment, height=40, directory=shop) as terminal:
            await terminal.until("❯", seconds=60)
            assert "What is the order's number?" in terminal.screen.text
            terminal.type("1017\r")
            await terminal.until("needs consent", seconds=60)
            asked = await shell(block("baton approvals"), shop, environment)
            assert 'may it call refund {"euros":12,"order":"1017"}' in asked
            assert not (shop / "refunds.txt").exists()
            (approval,) = json.loads(await shell("baton approvals --json", shop, environment))
            await shell(block("baton approve ").replace("APPROVAL", approval["id"]), shop, environment)
            assert await terminal.ended(60) == 0
            assert "I refunded 12 euros." in terminal.screen.history
        assert await shell(block("cat refunds.txt"), shop, environment) == "1017 12.00\n"
