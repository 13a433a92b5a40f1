"""`baton agents check`: does an agent's model answer, and does a worker have its tools?"""

import asyncio
from contextlib import aclosing
from typing import Annotated, Final

import typer

from baton.cli.options import AgentArgument, KeyOption, UrlOption, call
from baton.client.errors import EXIT_FAILED, EXIT_SUCCEEDED, Refused
from baton.client.http import Client
from baton.client.schemas.agents import WholeAgent
from baton.client.stream import follow
from baton.domain.events import StepCompleted, StepFailed
from baton.domain.remedies import remedy
from baton.runtime.terminal import one_line, print_text

PROMPT: Final = "This is a test of the connection. Answer with the word ok. Call no tools and ask nothing."


def check(
    agent: AgentArgument,
    timeout: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="How long to wait for the model.")] = 60,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Try an agent's model and tools.

    A worker makes one short request to the model. Exits with 0 if the agent's own model answers and all tools are
    known, else with 1. The model is told to call no tools; those that change things are not called in any case.
    """

    async def command(client: Client) -> int:
        found = await client.agent(agent)
        tools_known = await _check_tools(client, found)
        answered = await _check_model(client, found, timeout)
        return EXIT_SUCCEEDED if tools_known and answered else EXIT_FAILED

    call(url, key, command)


async def _check_tools(client: Client, agent: WholeAgent) -> bool:
    """Write the names as they are: nothing changes, and the server says which of them no worker has."""
    names = {"model": agent.model, "tools": agent.tools, "policies": agent.policies}
    try:
        warnings = (await client.change_agent(str(agent.id), names, if_version=agent.version)).warnings
    except Refused as refused:
        return _bad("tools", f"not checked: {refused.message}")
    for warning in warnings:
        _bad("names", warning)
    return not warnings and _good("tools", ", ".join(agent.tools) or "none")


async def _check_model(client: Client, agent: WholeAgent, seconds: float) -> bool:
    title = f"Check of {agent.name}"[:200]
    execution = await client.start_task(PROMPT, title=title, agent=str(agent.id), plan_only=True)
    try:
        events = follow(client, str(execution.id), give_up_seconds=seconds)
        async with asyncio.timeout(seconds), aclosing(events):
            async for entry in events:
                match entry.event.body:
                    case StepCompleted() as done:
                        return _answered(agent, done)
                    case StepFailed() as failed:
                        _bad(agent.model, f"{failed.code}: {failed.message}" if failed.message else failed.code)
                        print_text(f"      {remedy(failed.code)}")
                        return False
                    case _:
                        continue
    except TimeoutError:
        told = await client.explain(execution.tasks[0].id)
        why = " ".join(reason.text for reason in told.reasons)
        return _bad(agent.model, f"no answer within {seconds:g} s. {why}")
    finally:
        await client.cancel_execution(execution.id)
    return _bad(agent.model, "the task ended before a model was asked")


def _answered(agent: WholeAgent, done: StepCompleted) -> bool:
    said = f"answered {one_line(done.text)[:60]!r}"
    if done.model in ("", agent.model):
        return _good(agent.model, said)
    _bad(agent.model, f"did not answer; the fallback {done.model} {said}")
    print_text("      Check an agent with this model and no fallbacks to see why.")
    return False


def _good(what: str, text: str) -> bool:
    print_text(f"ok    {one_line(what)}: {one_line(text)}")
    return True


def _bad(what: str, text: str) -> bool:
    print_text(f"FAIL  {one_line(what)}: {one_line(text)}")
    return False
