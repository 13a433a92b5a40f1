"""Text that others wrote means nothing in the Markdown that Baton writes."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from baton.domain.markdown import block, code, plain
from tests.support.markdown_attacks import ATTACKS

_COMMONMARK = MarkdownIt("commonmark").enable(["table", "strikethrough"])
#: What links are made of by renderers that look for bare addresses, also after all else was parsed.
_ADDRESSES = ("://", "www.", "@", "mailto:")


def tokens(markdown: str) -> Iterator[Token]:
    for token in _COMMONMARK.parse(markdown):
        yield token
        yield from token.children or ()


def types(markdown: str) -> list[str]:
    return [token.type for token in tokens(markdown)]


def test_most_attacks_would_succeed() -> None:
    """As they are, they are more than a paragraph of text, or hold what becomes a link."""
    plain_text = ["paragraph_open", "inline", "text", "paragraph_close"]
    harmful = [text for text in ATTACKS if types(text) != plain_text or any(address in text for address in _ADDRESSES)]
    assert len(harmful) > 35


def _harmless(markdown: str, around: list[str], inside: str, characters: int) -> None:
    found = list(tokens(markdown))
    assert [token.type for token in found if token.type not in around] == [inside]
    (content,) = [token.content for token in found if token.type == inside]
    assert len(content.rstrip("\n").replace("\n", "")) <= characters
    assert not any(placeholder in markdown for placeholder in ("{namespace}", "{workflowId}", "{runId}", "{task}"))
    assert not any(character in markdown for character in "\u202e\u202c\u200b\x1b\u2028\x85")


_PARAGRAPH = ["paragraph_open", "inline", "paragraph_close"]


def check(text: str) -> None:
    _harmless(block(text, 200), [], "fence", 200)
    seen = code(text, 60)
    _harmless(seen, _PARAGRAPH, "text" if seen == "(empty)" else "code_inline", 60)
    title = plain(text, 80)
    marked = title.startswith("`")
    _harmless(title, _PARAGRAPH, "code_inline" if marked else "text", 80)
    assert marked or not any(address in title.casefold() for address in _ADDRESSES)
    assert "\n" not in seen + title
    # Between other words, too, as they stand in what is shown.
    assert [
        kind for kind in types(f"**Asks** {seen}, {title}: x") if kind in ("link_open", "image", "html_inline")
    ] == []


@pytest.mark.parametrize("text", ATTACKS)
def test_an_attack_is_shown_and_does_nothing(text: str) -> None:
    check(text)


@given(
    st.lists(st.sampled_from([*ATTACKS, "\n", " ", "`", "\\", "<", "[", "]", "(", ")", "!", "&", "a", "1.", "\t"])).map(
        "".join
    )
)
@example("`" * 7)
def test_neither_do_they_together(text: str) -> None:
    check(text)


@given(st.text())
def test_whatever_is_written(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "title",
    [
        "Roll out build 4711",
        "Größe, 北京 und Ж",
        "Fix: it's late (again)",
        "Release 4.2 - the notes; then rest",
        "4711",
    ],
)
def test_a_common_title_stays_as_it_is(title: str) -> None:
    assert plain(title, 80) == title


def test_long_lines_are_broken_and_lines_are_kept() -> None:
    shown = block("one\n\n  two\n" + "word " * 40, 200).split("\n")
    assert shown[:5] == ["```", "one", "", "  two", ("word " * 16).strip()]
    assert max(map(len, shown)) <= 80
    assert shown[-2].endswith("…")
