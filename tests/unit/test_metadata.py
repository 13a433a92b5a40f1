"""Does Temporal take the summary of every run, whatever its task and its agent are called?"""

from uuid import uuid4

import pytest
from temporalio.converter import PayloadConverter

from baton.domain.ids import TaskRoute
from baton.service.metadata import Describing

#: A start whose summary is longer is refused.
_TEMPORALS_BYTES = 400
#: Four bytes in UTF-8, and twelve in Temporal's JSON.
_WIDE = "\N{GRINNING FACE}"


def _summary(title: str, agent: str, *, words: bool = True) -> str:
    route = TaskRoute(
        tenant_id=uuid4(),
        tenant="acme",
        execution_id=uuid4(),
        task_id=uuid4(),
        position=3,
        in_plan=True,
        queue="baton",
        agent=agent,
        agent_id=uuid4(),
        title=title,
        plan_title=title,
    )
    return Describing(words=words).task(route).summary


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("agent", ["clerk", "\N{CJK UNIFIED IDEOGRAPH-6F22}" * 255, _WIDE * 25, _WIDE * 255])
@pytest.mark.parametrize("title", ["Pay the bill", _WIDE * 200])
def test_a_summary_is_never_longer_than_temporal_takes(title: str, agent: str, words: bool) -> None:
    summary = _summary(title, agent, words=words)
    assert len(PayloadConverter.default.to_payload(summary).data) <= _TEMPORALS_BYTES
    assert "task 3" in summary


def test_a_long_name_of_an_agent_leaves_the_title_as_much_as_it_can() -> None:
    assert _summary("Pay the bill", "clerk") == "Pay the bill · task 3 · agent clerk"
    assert _summary("Pay the bill", _WIDE * 255) == "Pay the bill · task 3"
    assert _summary("Pay the bill", _WIDE * 255, words=False) == "task 3"
