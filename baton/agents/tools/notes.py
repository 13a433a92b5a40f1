"""Notes: what the tasks of an execution tell one another, and whoever looks at it later."""

from typing import Annotated

from pydantic import Field, StringConstraints

from baton.agents.tools.call import current_call
from baton.agents.tools.failure import ToolFailed
from baton.agents.tools.marks import tool

_Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Field(description="The note's name.")
]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000), Field(description="What it is to say.")]


@tool(changes_things=True)
async def write_note(name: _Name, text: _Text) -> str:
    """Write a note that every task of this plan can read; one of the same name is replaced."""
    if not await current_call().notes.write(name, text):
        raise ToolFailed("note_refused", "The note was not written: there are too many. Replace one of them.")
    return f"Noted: {name}"


@tool(changes_things=False)
async def read_notes() -> dict[str, str]:
    """Read all notes that the tasks of this plan have written."""
    return await current_call().notes.read()
