"""Do slugs name tasks, each one alone?"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.domain.json import INT64_MAX
from baton.domain.slugs import number_in, slug_of


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Fix the login", "fix-the-login-7"),
        ("  Où aller ? Crème brûlée!  ", "ou-aller-creme-brulee-7"),
        ("修复登录", "task-7"),
        ("", "task-7"),
        ("plan", "plan-7"),
        ("a" * 60, "a" * 48 + "-7"),
        ("word " * 20, "word-" * 9 + "7"),
        ("v1.2.3 / x_y", "v1-2-3-x-y-7"),
    ],
)
def test_what_they_look_like(title: str, slug: str) -> None:
    assert slug_of(title, 7) == slug


@given(st.text(max_size=80), st.integers(1, INT64_MAX))
def test_each_leads_back_to_its_task(title: str, number: int) -> None:
    slug = slug_of(title, number)
    assert number_in(slug) == number
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", slug)
    assert len(slug) <= 68


@pytest.mark.parametrize(
    "text", ["", "7", "-7", "plan", "a-", "a-b", "A-7", "a-07", "a--7", "a-7\n", f"a-{2**63}", "é-7"]
)
def test_what_is_none(text: str) -> None:
    assert number_in(text) is None
