"""Do Baton's own questions understand the same words, and only these?"""

import pytest

from baton.domain.allowance import Asked
from baton.domain.doubts import word_on
from baton.domain.results import gives_up, takes_text


@pytest.mark.parametrize(
    ("answer", "stops", "gives_up_result"),
    [
        ("Stop", True, True),
        ("stop.", True, True),
        (" STOP! ", True, True),
        ("Give up", True, True),
        ("give  up.", True, True),
        ("“Give up”", True, True),
        ("`Stop here`", True, True),
        ("no", True, False),  # not an answer to "What now?"
        ("N", True, False),
        ("Stop counting lamps, and count chairs.", False, False),
        ("Do not give up", False, False),
        ("Go on", False, False),
        ("3", False, False),  # numbers are made choices where they are typed
        ("", False, False),
    ],
)
def test_words_that_stop(answer: str, stops: bool, gives_up_result: bool) -> None:
    assert Asked("max_calls", answer, 1).stops is stops
    assert gives_up(answer) is gives_up_result


@pytest.mark.parametrize("answer", ["Take it as text", "take it as text.", '"Take it as text"'])
def test_words_that_take_what_there_is(answer: str) -> None:
    assert takes_text(answer)
    assert not gives_up(answer)


@pytest.mark.parametrize("answer", ["it happened.", "“It happened”", "It happened: yes"])
def test_words_on_a_call_that_happened(answer: str) -> None:
    word = word_on("c1", answer)
    assert word.result is not None
    assert not word.result.failed
