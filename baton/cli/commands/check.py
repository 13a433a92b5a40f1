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
from baton.runtime.terminal import one_line, print_text

PROMPT: Final = "This is a test of the connection. Answer with the word ok. Call no tools and ask nothing."

_LATER: Final = "The provider is away or has too much to do. Tasks wait for it; try again later, or add a --fallback."
_SERVER: Final = "Is the address right, and is that a server of this API? Check base_url, or the provider's variable."
_REPLY: Final = "Try again. If it happens again, another model or other model settings may help."

WHAT_TO_DO: Final = {
    "model_key_missing": "Set the variable in the worker's environment and restart the worker.",
    "model_key_rejected": "Check the key in the worker's environment; restart the worker after you change it.",
    "model_key_not_allowed": "Add the variable to BATON_MODEL_KEYS of the API and the worker, or name another one.",
    "model_host_not_allowed": "Add the host to BATON_MODEL_HOSTS of the API and the worker, or name another one.",
    "model_setting_unsupported": "Remove the setting, or use a provider that takes it.",
    "provider_not_installed": "Install the extra where the worker runs and restart the worker.",
    "model_not_found": "The provider has no such model, or not for this key: correct the agent's model.",
    "model_unknown": "Correct the agent's model: `scripted`, or provider:model.",
    "model_quota": "Add credit, or raise the spending limit, at the provider.",
    "model_rate_limited": _LATER,
    "model_unavailable": f"{_LATER} {_SERVER}",
    "model_refused": f"The provider rejects such requests: check the model settings. {_SERVER}",
    "context_overflow": "The agent's instructions and tools are longer than the model reads: shorten them.",
    "model_filtered": "The provider's filter stops what the agent is told: check its instructions.",
    "model_silent": "Raise first_content_seconds if the model is only slow; otherwise check its server.",
    "model_cut_off": f"The connection ends too early: look at proxies between the worker and the provider. {_SERVER}",
    "model_bad_reply": f"{_SERVER} {_REPLY}",
    "step_too_long": _REPLY,
    "step_broken": "The worker's log says what happened.",
    "scripted_failure": _REPLY,
    "scripted_fatal": _REPLY,
    "result_invalid": "Ask for JSON in the instructions, or make the result_schema simpler.",
    "limit_reached": "Raise the agent's limits.",
    "transcript_too_large": "Shorten the agent's instructions.",
    "worker_died": "The worker's log says what happened.",
}


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
        _bad("tools", f"not checked: {refused.message}")
        return False
    for warning in warnings:
        _bad("names", warning)
    if not warnings:
        _good("tools", ", ".join(agent.tools) or "none")
    return not warnings


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
                        print_text(f"      {WHAT_TO_DO.get(failed.code, _REPLY)}")
                        return False
                    case _:
                        continue
    except TimeoutError:
        told = await client.explain(execution.tasks[0].id)
        why = " ".join(reason.text for reason in told.reasons)
        _bad(agent.model, f"no answer within {seconds:g} s. {why}")
        return False
    finally:
        await client.cancel_execution(execution.id)
    _bad(agent.model, "the task ended before a model was asked")
    return False


def _answered(agent: WholeAgent, done: StepCompleted) -> bool:
    said = f"answered {one_line(done.text)[:60]!r}"
    if done.model in ("", agent.model):
        _good(agent.model, said)
        return True
    _bad(agent.model, f"did not answer; the fallback {done.model} {said}")
    print_text("      Check an agent with this model and no fallbacks to see why.")
    return False


def _good(what: str, text: str) -> None:
    print_text(f"ok    {one_line(what)}: {one_line(text)}")


def _bad(what: str, text: str) -> None:
    print_text(f"FAIL  {one_line(what)}: {one_line(text)}")
