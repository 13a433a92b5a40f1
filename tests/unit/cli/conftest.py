"""A server to talk to."""

from collections.abc import AsyncGenerator

import pytest

from tests.support.fake_baton import FakeBaton, running_fake_baton


@pytest.fixture
async def fake() -> AsyncGenerator[FakeBaton]:
    """A server of this test alone."""
    async with running_fake_baton() as baton:
        yield baton
