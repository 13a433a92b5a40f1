"""The dialects that Baton speaks, each a folder of its own. Their words stop there."""

from api.dialect import Dialect
from api.dialects.asteroid import asteroid_dialect
from api.dialects.baton import baton_dialect
from api.dialects.chat_tasks import chat_tasks_dialect
from api.dialects.kubiya import kubiya_dialect
from api.dialects.maia import maia_dialect
from api.dialects.twill import twill_dialect


def all_dialects() -> tuple[Dialect, ...]:
    """Every dialect, with a fresh application each."""
    return (
        baton_dialect(),
        kubiya_dialect(),
        chat_tasks_dialect(),
        maia_dialect(),
        twill_dialect(),
        asteroid_dialect(),
    )
