"""Reading what tools gave that was too long to be shown whole."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from baton.agents.tools.call import current_call
from baton.agents.tools.failure import ToolFailed
from baton.agents.tools.marks import tool


@tool(changes_things=False)
async def read_artifact(
    id: Annotated[UUID, Field(description="The artifact's id.")],
    offset: Annotated[int, Field(ge=0, le=2**30, description="The byte to begin at.")] = 0,
    length: Annotated[int, Field(ge=16, description="How many bytes to read; 12,288 at most.")] = 8192,
) -> str:
    """Read a part of a result that was too long to be shown whole."""
    part = await current_call().artifacts.read(id, offset, min(length, 2**30))
    if part is None:
        raise ToolFailed("artifact_unknown", "There is no artifact with this id.")
    end = part.size if part.next_offset is None else part.next_offset
    rest = "the end" if part.next_offset is None else f"the next part begins at {part.next_offset}"
    return f"{part.text}\n[Bytes {part.offset} to {end} of {part.size}: {rest}.]"
