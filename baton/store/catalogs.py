"""The catalogs that workers publish: what tools and models there are, for a while after the last worker said so."""

import hashlib
import json
from collections.abc import Collection
from typing import Final

from baton.domain.catalog import Catalog, united
from baton.store.pool import Connection
from baton.store.queries import execute, fetch

#: A catalog that nobody has renewed for so long does not count any more: long enough for all workers to be replaced.
KEPT_SECONDS: Final = 600.0
#: So many different ones count at most.
_MOST: Final = 100


async def publish(connection: Connection, catalog: Catalog, queues: Collection[str]) -> None:
    """Say, or say again, what a worker has and which task queues it serves; forget catalogs that nobody renews."""
    tools, models = dict(catalog.tools), {provider: list(names) for provider, names in catalog.models.items()}
    digest = hashlib.sha256(json.dumps([tools, models], sort_keys=True).encode()).digest()
    await execute(connection, "publish_catalog", digest=digest, by_tool=tools, by_provider=models)
    await execute(connection, "publish_queues", queues=list(queues))
    await execute(connection, "forget_catalogs", seconds=KEPT_SECONDS)


async def current(connection: Connection) -> Catalog | None:
    """What there is in any of the catalogs that count; None where there is none: no worker has been seen."""
    rows = await fetch(connection, "current_catalogs", seconds=KEPT_SECONDS, limit=_MOST)
    return united(Catalog(row["tools"], row["models"]) for row in rows)
