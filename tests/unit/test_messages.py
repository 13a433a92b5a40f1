"""Whether two sends say the same: what a repeat under an idempotency key is told by."""

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.domain.conversation import Attachment
from baton.domain.messages import Draft, Receipt
from baton.domain.states import SendMode, TaskState

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
short = st.text("a\n:e\u0301", max_size=3)
attachments = st.builds(Attachment, short, short, short)
drafts = st.builds(
    Draft,
    text=short | texts,
    origin=st.just("test"),
    attachments=st.lists(attachments, max_size=2).map(tuple),
    question=st.none() | st.sampled_from(["a", "b"]),
)


def normalised(draft: Draft) -> object:
    """What a draft says, for comparison."""

    def nfc(text: str) -> str:
        return unicodedata.normalize("NFC", text)

    return (
        nfc(draft.text),
        [(nfc(one.filename), nfc(one.media_type), nfc(one.url)) for one in draft.attachments],
        draft.question,
    )


@given(drafts, drafts)
def test_equal_digests_mean_equal_messages(one: Draft, other: Draft) -> None:
    assert (one.digest() == other.digest()) is (normalised(one) == normalised(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Draft("x", "t", (Attachment("a\nb", "c", "d"),)), Draft("x", "t", (Attachment("a", "b\nc", "d"),))),
        (Draft("x", "t", (Attachment("", "", ""),)), Draft("x", "t")),
        (Draft("ab", "t"), Draft("a", "t", (Attachment("b", "", ""),))),
        (Draft("x", "t", question="q"), Draft("x", "t")),
    ],
)
def test_what_only_looks_the_same_is_told_apart(one: Draft, other: Draft) -> None:
    assert one.digest() != other.digest()


@given(drafts)
def test_how_it_is_sent_does_not_matter(draft: Draft) -> None:
    sent_otherwise = replace(
        draft, origin="other", mode=SendMode.INTERRUPT, if_versions=(7,), metadata={"a": 1}, idempotency_key="k"
    )
    assert sent_otherwise.digest() == draft.digest()


@given(texts)
def test_the_form_of_unicode_does_not_matter(text: str) -> None:
    assert Draft(unicodedata.normalize("NFD", text), "t").digest() == Draft(text, "t").digest()


@pytest.mark.parametrize("state", TaskState)
def test_only_a_running_task_is_rung(state: TaskState) -> None:
    receipt = Receipt(uuid4(), 1, uuid4(), uuid4(), datetime.now(UTC), state, 2, 1, False)
    assert receipt.rings is (state is TaskState.RUNNING)
