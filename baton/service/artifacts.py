"""Artifacts: read part by part."""

from typing import Final

from baton.domain.agents import Principal
from baton.domain.artifacts import ArtifactPart
from baton.domain.ids import ArtifactId
from baton.service.context import Baton
from baton.service.visibility import find_artifact
from baton.store import artifacts

#: How many bytes of an artifact a caller gets at once.
MOST_BYTES: Final = 1024 * 1024


async def read_artifact(
    baton: Baton, who: Principal, artifact_id: ArtifactId, *, offset: int, limit: int
) -> ArtifactPart:
    """Up to ``limit`` bytes of an artifact, from ``offset`` on. Raises `ArtifactNotFound`."""
    seen = await find_artifact(baton, who, artifact_id)
    async with baton.pool.connection() as connection:
        return await artifacts.part(connection, seen.tenant_id, seen.id, offset=offset, length=limit)
