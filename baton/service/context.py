"""What the use cases share: one `Baton` per process, opened and closed by whoever composes the process."""

from dataclasses import dataclass

from baton.service.auth import Authenticator
from baton.service.doorbell import Doorbell
from baton.service.feed import Feed
from baton.service.quotas import Quotas
from baton.service.relay import Relay
from baton.service.routes import Routes
from baton.service.temporal import Temporal, connect
from baton.settings import Settings
from baton.store.notify import Notifier
from baton.store.pool import Pool, open_pool


@dataclass(slots=True)
class Baton:
    """The parts that use cases work with."""

    settings: Settings
    pool: Pool
    temporal: Temporal
    doorbell: Doorbell
    relay: Relay
    routes: Routes
    notifier: Notifier
    feed: Feed
    authenticator: Authenticator
    quotas: Quotas

    async def close(self) -> None:
        """Stop what runs in the background; rings under way get a moment."""
        await self.relay.close()
        await self.doorbell.close()
        await self.feed.close()
        await self.notifier.close()
        await self.authenticator.close()
        await self.quotas.close()
        await self.pool.close()


async def open_baton(settings: Settings) -> Baton:
    """Open the parts of an API process. Temporal may be away; raises `Unavailable` if PostgreSQL is."""
    pool = await open_pool(
        settings.dsn,
        min_size=settings.pool_min_size,
        max_size=settings.pool_max_size,
        acquire_seconds=settings.pool_timeout_seconds,
        statement_seconds=settings.statement_timeout_seconds,
        application="baton api",
    )
    temporal = Temporal(await connect(lazy=True), settings.doorbell_timeout_seconds)
    doorbell = Doorbell(temporal, settings.doorbell_concurrency)
    routes = Routes(pool)
    baton = Baton(
        settings=settings,
        pool=pool,
        temporal=temporal,
        doorbell=doorbell,
        relay=Relay(
            pool,
            doorbell,
            routes,
            interval_seconds=settings.relay_interval_seconds,
            again_seconds=settings.relay_after_seconds,
            batch=settings.relay_batch,
        ),
        routes=routes,
        notifier=Notifier(settings.dsn),
        feed=Feed(pool, settings),
        authenticator=Authenticator(pool, settings),
        quotas=Quotas(settings),
    )
    baton.notifier.start()
    baton.feed.start()
    baton.relay.start()
    baton.authenticator.start()
    return baton
