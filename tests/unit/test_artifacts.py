"""Long results: cut between characters, shown by their ends, and never twice."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.artifacts import set_apart
from baton.domain.artifacts import READ_ARTIFACT, NewArtifact, preview, whole_text
from baton.domain.conversation import ToolResult


@given(text=st.text(st.sampled_from("aä漢🎉\n"), max_size=60), size=st.integers(4, 9))
def test_pieces_of_any_size_give_the_text_again(text: str, size: int) -> None:
    data = text.encode()
    read, at = "", 0
    while at < len(data):
        piece, skipped = whole_text(data[at : at + size])
        assert (skipped, bool(piece)) == (0, True)
        read += piece
        at += len(piece.encode())
    assert read == text


@given(text=st.text(st.sampled_from("aä漢🎉"), min_size=1, max_size=20), at=st.integers(0, 80))
def test_a_piece_begins_with_the_next_character(text: str, at: int) -> None:
    data = text.encode()
    piece, skipped = whole_text(data[at:])
    assert data[at + skipped :] == piece.encode()
    assert skipped < 4


@pytest.mark.parametrize("content", ["x" * 5000, {"rows": list(range(2000))}, ["ä" * 4000]])
def test_a_long_result_is_set_apart(content: object) -> None:
    result = set_apart(ToolResult("c", content), "query", beyond=4096, most=1_000_000)  # pyright: ignore[reportArgumentType]
    assert result.artifact is not None
    assert isinstance(result.content, str)
    assert str(result.artifact.id) in result.content
    assert len(result.content.encode()) < 4096
    assert result.artifact.media_type == ("text/plain" if isinstance(content, str) else "application/json")


def test_what_is_short_or_a_part_already_stays() -> None:
    short = ToolResult("c", "x" * 4096)
    assert set_apart(short, "query", beyond=4096, most=10_000) is short
    part = ToolResult("c", "x" * 9000)
    assert set_apart(part, READ_ARTIFACT, beyond=4096, most=10_000) is part


def test_of_what_is_too_much_the_beginning_is_kept_and_the_model_told() -> None:
    result = set_apart(ToolResult("c", "ä" * 10_000), "query", beyond=4096, most=9_999)
    assert result.artifact is not None
    assert result.artifact.content == ("ä" * 4_999).encode()
    assert result.artifact.whole_bytes == 20_000
    assert "20,000 bytes, of which the first 9,998 are kept" in str(result.content)


def test_a_preview_shows_both_ends() -> None:
    artifact = NewArtifact(uuid4(), "text/plain", b"begin " + b"." * 9000 + b" end", 9010)
    assert "\nbegin ..." in preview(artifact)
    assert preview(artifact).endswith("... end")
