"""The client of Baton's own API (`/baton/v1`). Light to import: no Temporal, no database, no model library."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from baton.client.http import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    """See PEP 562: the API, which imports the shapes alone, does without httpx."""
    if name == "Client":
        from baton.client.http import Client

        return Client
    raise AttributeError(f"module 'baton.client' has no attribute {name!r}")
