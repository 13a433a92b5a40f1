"""Is there one way to log, and does it keep to itself what libraries would tell?"""

import re
import subprocess
import sys
from typing import Final

import pytest

_WORDS: Final = "what a user wrote"
#: Loggers of libraries that print requests, answers or signals when somebody debugs them.
_TALKATIVE: Final = ("openai._base_client", "anthropic", "httpx", "httpcore.http11", "mcp.client", "client", "asyncio")


def logged(script: str, *, level: str = "INFO", tools: tuple[str, ...] = ()) -> list[str]:
    """What a process logs that has set up logging: all that it writes to stderr, in lines."""
    setup = f"import logging\nfrom baton.runtime.logging import configure\nconfigure({level!r}, {tools!r})\n"
    done = subprocess.run([sys.executable, "-c", setup + script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_line_has_time_level_logger_and_process() -> None:
    (line,) = logged("logging.getLogger('baton.service.relay').info('rang %d', 3)")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO baton\.service\.relay\[\d+\] rang 3", line)


@pytest.mark.parametrize("name", ["baton.service.relay", "api.app", "activities.steps", "workflows.plan", "mytools.x"])
def test_the_level_is_that_of_our_loggers_and_of_the_deployers_tools(name: str) -> None:
    script = f"log = logging.getLogger({name!r})\nlog.debug('one')\nlog.info('two')\nlog.warning('three')"
    assert [line.rpartition(" ")[2] for line in logged(script, tools=("mytools.of.mine",))] == ["two", "three"]
    assert len(logged(script, level="DEBUG", tools=("mytools",))) == 3
    assert len(logged(script, level="WARNING", tools=("mytools",))) == 1


@pytest.mark.parametrize("name", _TALKATIVE)
def test_libraries_are_quiet_at_any_level(name: str) -> None:
    script = f"log = logging.getLogger({name!r})\nlog.debug({_WORDS!r})\nlog.info({_WORDS!r})\nlog.warning('trouble')"
    for level in ("DEBUG", "INFO", "WARNING"):
        assert [line.rpartition(" ")[2] for line in logged(script, level=level)] == ["trouble"]
    assert logged(script, level="ERROR") == []


@pytest.mark.parametrize("name", ["temporalio.worker._workflow", "uvicorn.error"])
def test_servers_say_what_they_do_but_never_in_detail(name: str) -> None:
    script = f"log = logging.getLogger({name!r})\nlog.debug({_WORDS!r})\nlog.info('started')"
    for level in ("DEBUG", "INFO"):
        assert [line.rpartition(" ")[2] for line in logged(script, level=level)] == ["started"]
    assert logged(script, level="WARNING") == []


_FAILING: Final = """
def parse(text):
    raise ValueError(text)
try:
    try:
        parse("what a user wrote")
    except ValueError as error:
        raise RuntimeError("what a user wrote") from error
except RuntimeError:
    logging.getLogger(NAME).exception("cannot parse")
"""


def test_of_a_librarys_error_only_its_type_and_place_are_logged() -> None:
    text = "\n".join(logged(_FAILING.replace("NAME", "'mcp.client.stdio'"), level="DEBUG"))
    assert _WORDS not in text
    assert all(part in text for part in ("cannot parse", "RuntimeError", "caused by ValueError", "in parse"))


def test_what_we_or_the_deployers_tools_log_of_an_error_is_up_to_them() -> None:
    for name in ("baton.worker", "mytools"):
        text = "\n".join(logged(_FAILING.replace("NAME", repr(name)), tools=("mytools",)))
        assert f"RuntimeError: {_WORDS}" in text
