"""Results that are too long for the model: kept apart, and read by it part by part."""

from dataclasses import replace
from typing import Final
from uuid import UUID, uuid4

import orjson

from baton.domain.artifacts import READ_ARTIFACT, ArtifactPart, NewArtifact, preview
from baton.domain.conversation import ToolResult
from baton.domain.errors import ArtifactNotFound
from baton.domain.ids import StepKey
from baton.store import artifacts
from baton.store.pool import Pool

#: How much of an artifact the agent reads at once.
MOST_READ: Final = 12 * 1024


class CallArtifacts:
    """What a call of a step may read; what `baton.agents.tools.call.Artifacts` asks for."""

    def __init__(self, pool: Pool, key: StepKey) -> None:
        self._pool = pool
        self._key = key

    async def read(self, artifact_id: UUID, offset: int, length: int) -> ArtifactPart | None:
        """See `baton.agents.tools.call.Artifacts`."""
        async with self._pool.connection() as connection:
            try:
                return await artifacts.part(
                    connection,
                    self._key.tenant_id,
                    artifact_id,
                    offset=offset,
                    length=min(length, MOST_READ),
                    execution_id=self._key.execution_id,
                )
            except ArtifactNotFound:
                return None


def set_apart(result: ToolResult, tool: str, *, beyond: int, most: int) -> ToolResult:
    """``result``, with a preview in its place where it has more than ``beyond`` bytes; ``most`` of them are kept.

    What `read_artifact` gives is never set apart: it is a part already.
    """
    if tool == READ_ARTIFACT:
        return result
    is_text = isinstance(result.content, str)
    data = result.content.encode(errors="replace") if isinstance(result.content, str) else orjson.dumps(result.content)
    if len(data) <= beyond:
        return result
    kept = data[:most].decode(errors="ignore").encode()
    artifact = NewArtifact(uuid4(), "text/plain" if is_text else "application/json", kept, len(data))
    return replace(result, content=preview(artifact), artifact=artifact)
