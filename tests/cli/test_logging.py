"""Is there one way to log, and does it keep to itself what libraries would tell?"""

import json
import re
import subprocess
import sys
from typing import Final

import pytest

_WORDS: Final = "what a user wrote"
#: Loggers of libraries that print requests, answers or signals when somebody debugs them.
_TALKATIVE: Final = ("openai._base_client", "anthropic", "httpx", "httpcore.http11", "mcp.client", "client", "asyncio")


def logged(script: str, *, level: str = "INFO", tools: tuple[str, ...] = (), form: str = "text") -> list[str]:
    """What a process logs that has set up logging: all that it writes to stderr, in lines."""
    setup = (
        "import logging\nfrom baton.runtime.logging import about, configure\n"
        f"configure({level!r}, {tools!r}, form={form!r})\n"
    )
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


def test_a_line_ends_with_the_ids_of_what_it_is_about() -> None:
    script = "about(request_id='r-1')\nabout(workflow_id='task-7')\nlogging.getLogger('baton.x').warning('slow')"
    (line,) = logged(script)
    assert line.endswith(" slow (request_id=r-1, workflow_id=task-7, task_id=7)")


def test_as_json_a_line_is_an_object() -> None:
    script = "about(workflow_id='task-7')\nlogging.getLogger('baton.x').warning('two\\nlines %s', 'é')"
    (line,) = logged(script, form="json")
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", told.pop("time"))
    assert isinstance(told.pop("process"), int)
    assert told == {
        "level": "WARNING",
        "logger": "baton.x",
        "message": "two\nlines é",
        "workflow_id": "task-7",
        "task_id": "7",
    }


def test_as_json_errors_are_as_discreet_and_warnings_are_lines_too() -> None:
    script = _FAILING.replace("NAME", "'mcp.client.stdio'") + "\nimport warnings\nwarnings.warn('old', stacklevel=1)"
    error, warning = (json.loads(line) for line in logged(script, form="json"))
    assert _WORDS not in error["error"]
    assert error["error"].startswith("RuntimeError\n")
    assert warning["logger"] == "py.warnings"
    told = "\n".join(logged(_FAILING.replace("NAME", "'baton.worker'"), form="json"))
    assert f"RuntimeError: {_WORDS}" in json.loads(told)["error"]


_OF_CORE: Final = """
from types import SimpleNamespace
core = SimpleNamespace(fields={
    "run_id": "r", "failure": "what a user wrote", "error": 'Status { code: Unavailable, message: "what a user wrote" }'
})
logging.getLogger("temporalio.core").warning("Failing workflow task", extra={"temporal_log": core})
"""


def test_of_the_sdk_core_ids_and_codes_are_written_and_no_words() -> None:
    (line,) = logged(_OF_CORE, form="json")
    told = json.loads(line)
    assert (told["message"], told["run_id"], told["code"]) == ("Failing workflow task", "r", "Unavailable")
    assert _WORDS not in line
    (text,) = logged(_OF_CORE)
    assert text.endswith(" Failing workflow task (run_id=r, code=Unavailable)")
