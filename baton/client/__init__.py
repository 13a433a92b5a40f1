"""The client of Baton's own API (`/baton/v1`). Light to import: no Temporal, no database, no model library."""

from baton.client.http import Client

__all__ = ["Client"]
