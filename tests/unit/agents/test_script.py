"""Is the grammar obeyed to the letter, and no line ever a crash?"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baton.agents.script import (
    Call,
    Directive,
    Fail,
    Fatal,
    Finish,
    Results,
    Say,
    Sleep,
    Stream,
    directive_lines,
    parse,
)


@pytest.mark.parametrize(
    ("line", "directive"),
    [
        ("!say hello  there ", Say("hello  there")),
        ("!say a\tb", Say("a\tb")),
        ("!stream 3", Stream(3)),
        ("!stream 0", Stream(0)),
        ("!ask What now?", Call("ask_user", {"question": "What now?"})),
        (
            '!ask {"question": "Which?", "choices": ["a", "b"], "schema": {"type": "string"}, "deadline_seconds": 5}',
            Call(
                "ask_user",
                {
                    "question": "Which?",
                    "choices": ["a", "b"],
                    "schema": {"type": "string"},
                    "deadline_seconds": 5,
                },
            ),
        ),
        ("!tool clock", Call("clock", {})),
        ("!tool clock {}", Call("clock", {})),
        ('!tool search {"q": [1, null]}', Call("search", {"q": [1, None]})),
        ("!sleep 0.5", Sleep(0.5)),
        ("!results", Results()),
        ("!fail 2 no luck today", Fail(2, "no luck today")),
        ("!fail 1", Fail(1, "")),
        ("!fatal it is over", Fatal("it is over")),
        ("!finish all done", Finish("all done")),
        ("!finish", Finish("")),
    ],
)
def test_directives(line: str, directive: Directive) -> None:
    assert parse(line) == directive


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("!xyz what", "!xyz: unknown directive"),
        ("!SAY what", "!SAY: unknown directive"),
        ("!", "!: unknown directive"),
        ("! say it", "!: unknown directive"),
        ("!!", "!!: unknown directive"),
        ("!say", "!say: text is missing"),
        ("!ask", "!ask: text is missing"),
        ("!ask {broken", "!ask: not valid JSON"),
        ('!ask {"text": "?"}', '!ask: needs a "question"'),
        ("!tool", "!tool: needs the name of a tool"),
        ("!tool {}", "!tool: needs the name of a tool"),
        ("!tool clock [1]", "!tool: needs a JSON object"),
        ("!tool clock {", "!tool: not valid JSON"),
        ('!tool clock {"a": NaN}', "!tool: not valid JSON"),
        ("!tool clock " + '{"a":' * 5000 + "1" + "}" * 5000, "!tool: not valid JSON"),
        ("!stream many", "!stream: needs a whole number"),
        ("!stream -1", "!stream: needs a whole number"),
        ("!stream 1.5", "!stream: needs a whole number"),
        ("!stream " + "9" * 5000, "!stream: needs a whole number"),
        ("!sleep soon", "!sleep: needs a number of seconds"),
        ("!sleep nan", "!sleep: needs a number of seconds from 0 to 86400"),
        ("!sleep 1e300", "!sleep: needs a number of seconds from 0 to 86400"),
        ("!sleep -1", "!sleep: needs a number of seconds from 0 to 86400"),
        ("!fail x y", "!fail: needs a whole number"),
        ("!results please", "!results: takes no argument"),
    ],
)
def test_what_cannot_be_obeyed_is_said(line: str, said: str) -> None:
    assert parse(line) == Say(said)


def test_only_lines_that_begin_with_the_mark_count() -> None:
    text = "Please:\n!say one\r\n !say not this\nand wait! !say nor this\n!say two"
    assert directive_lines(text) == ["!say one", "!say two"]


@settings(deadline=None)
@given(st.text(), st.sampled_from(["", "say", "stream", "ask", "tool", "sleep", "results", "fail", "fatal", "finish"]))
def test_any_line_is_a_directive(text: str, word: str) -> None:
    assert isinstance(parse(f"!{word} {text}"), Directive)
    assert isinstance(parse(f"!{word}{text}"), Directive)
