"""`/baton/v1/executions/{id}/export`: one execution as JSON lines, for who keeps it elsewhere."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from api.access import CanRead, Service
from api.dialects.baton import translate
from api.dialects.baton.problems import PREFIX, PROBLEMS
from api.dialects.baton.stream import event_as_json
from api.ids import execution_id as parse_id
from api.json_lines import MEDIA_TYPE, JsonLines
from api.routing import DirectRoute
from baton.domain.events import Event
from baton.domain.views import ExecutionView, TaskView
from baton.service import export
from baton.service.export import Exported

#: Of the lines. Counted up when readers of the last one would misread what is written.
_FORMAT: Final = 1
_LINES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "JSON lines, each with a `kind`: `export`, `execution`, each `task`, `message` and `event`, and "
        "`end`, without which the file was cut",
        "content": {MEDIA_TYPE: {}},
    }
}
router = APIRouter(prefix=f"{PREFIX}/executions", tags=["executions"], responses=PROBLEMS, route_class=DirectRoute)


@router.get("/{execution_id}/export", response_class=Response, responses=_LINES)
async def export_execution(execution_id: str, who: CanRead, baton: Service) -> Response:
    """The execution with its tasks, messages and events as JSON lines, up to its last event. Counts as a stream."""
    execution, pages = await export.export_execution(baton, who, parse_id(execution_id))
    baton.streams.open(who)
    return JsonLines(_lines(execution, pages), baton, partial(baton.streams.closed, who))


async def _lines(
    execution: ExecutionView, pages: AsyncGenerator[Sequence[Exported]]
) -> AsyncGenerator[dict[str, object]]:
    counts = Counter[str]()
    yield {
        "kind": "export",
        "format": _FORMAT,
        "execution_id": execution.id,
        "exported_at": datetime.now(UTC),
        "last_event": execution.last_event,
    }
    yield {"kind": "execution", "execution": translate.execution(execution)}
    async with aclosing(pages):
        async for page in pages:
            for one in page:
                kind, shown = _shown(execution.id, one)
                counts[kind] += 1
                yield {"kind": kind, kind: shown}
    yield {"kind": "end", **{f"{kind}s": counts[kind] for kind in ("task", "message", "event")}}


def _shown(execution_id: UUID, one: Exported) -> tuple[str, dict[str, Any]]:
    if isinstance(one, TaskView):
        return "task", translate.task(one)
    if isinstance(one, Event):
        return "event", event_as_json(execution_id, one)
    return "message", translate.message(one)
