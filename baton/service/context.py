"""What the use cases and the worker share: one `Baton` per process of the API, one `Core` per process of either."""

from temporalio.client import Client

from baton.domain.errors import Unavailable
from baton.domain.health import CheckStatus
from baton.metrics import labels
from baton.metrics.series import (
    POOL,
    POOL_MOST,
    STREAMS,
    STREAMS_MOST,
)
from baton.service.auth import Authenticator
from baton.service.backlog import Backlog
from baton.service.checks.temporal import temporal_checks
from baton.service.doorbell import Doorbell
from baton.service.feed import Feed
from baton.service.health import API_NEEDS, Monitor, health_pages
from baton.service.metadata import Describing
from baton.service.queues import Queues
from baton.service.quotas import Quotas
from baton.service.relay import Relay
from baton.service.routes import Routes
from baton.service.runs import Runs
from baton.service.sends import Sends
from baton.service.streams import Streams
from baton.service.temporal import Temporal, connect
from baton.settings import Settings
from baton.store import health
from baton.store.notify import Notifier
from baton.store.pool import Pool, open_pool


class Core:
    """The parts of every process: what rings and hints, and the relay, which rings again what nobody has taken up."""

    def __init__(self, settings: Settings, pool: Pool, client: Client, *, metrics: bool = False) -> None:
        """`close` closes ``pool``, too. ``metrics``: somebody may read them, so that what waits is counted."""
        self.settings = settings
        self.pool = pool
        self.client = client
        describing = Describing(settings.temporal_details == "words", settings.public_url or "", client.namespace)
        self.temporal = Temporal(client, settings.doorbell_timeout_seconds, describing)
        self.runs = Runs(client, settings.doorbell_timeout_seconds)
        self.doorbell = Doorbell(self.temporal, settings.doorbell_concurrency)
        self.routes = Routes(pool)
        self.notifier = Notifier(settings.dsn)
        self.relay = Relay(
            pool,
            self.doorbell,
            self.routes,
            interval_seconds=settings.relay_interval_seconds,
            again_seconds=settings.relay_after_seconds,
            batch=settings.relay_batch,
            share=settings.relay_share,
        )
        self._backlog = Backlog(pool, settings.metrics_interval_seconds, settings.task_queue) if metrics else None
        labels.tenant.tell(settings.metrics_tenants)
        POOL.labels("in_use").set_function(lambda: pool.in_use)
        POOL.labels("idle").set_function(lambda: pool.idle)
        POOL_MOST.set(pool.max_size)

    def start(self) -> None:
        """Begin what runs in the background. Needs a running event loop."""
        self.notifier.start()
        self.relay.start()
        if self._backlog is not None:
            self._backlog.start()

    async def close(self) -> None:
        """Stop what runs in the background; rings under way get a moment."""
        if self._backlog is not None:
            await self._backlog.close()
        await self.relay.close()
        await self.doorbell.close()
        await self.notifier.close()
        await self.pool.close()


class Baton(Core):
    """The parts that use cases work with."""

    def __init__(self, settings: Settings, pool: Pool, client: Client, *, metrics: bool = False) -> None:
        super().__init__(settings, pool, client, metrics=metrics)
        self.sends = Sends(pool, relay_seconds=settings.relay_after_seconds, wait_seconds=settings.pool_timeout_seconds)
        self.feed = Feed(pool, settings)
        self.authenticator = Authenticator(pool, settings)
        self.quotas = Quotas(settings)
        self.streams = Streams(settings)
        STREAMS.set_function(lambda: self.streams.taken)
        STREAMS_MOST.set(settings.max_streams)
        self.queues = Queues(self.runs)
        self.health = Monitor("api", settings, API_NEEDS)
        self.health_pages = health_pages(self.health)

    def start(self) -> None:
        """Begin what runs in the background. Needs a running event loop."""
        super().start()
        self.feed.start()
        self.authenticator.start()
        self.health.start(self.pool, self.client, self.relay.loop)

    async def close(self) -> None:
        """Stop what runs in the background; rings under way get a moment."""
        await self.health.close()
        await self.feed.close()
        await self.authenticator.close()
        await self.quotas.close()
        await super().close()


async def open_core(settings: Settings) -> Core:
    """Open the parts of a worker. Raises `Unavailable` if PostgreSQL or Temporal is away or cannot be used."""
    metrics = settings.worker_port is not None
    client = await connect(metrics=metrics)
    for check in await temporal_checks(client, ()):
        if check.status is CheckStatus.FAILED:
            raise Unavailable(check.reason, check.fault, check.said)
    return Core(settings, await _open_pool(settings, "baton worker"), client, metrics=metrics)


async def open_baton(settings: Settings) -> Baton:
    """Open and start the parts of an API process. Temporal may be away; raises `Unavailable` if PostgreSQL is, or
    cannot be used."""
    metrics = settings.metrics_port is not None
    client = await connect(lazy=True, metrics=metrics)
    baton = Baton(settings, await _open_pool(settings, "baton api"), client, metrics=metrics)
    baton.start()
    return baton


async def check_start(settings: Settings) -> None:
    """Raises `Unavailable`, which says what is wrong, where an API could not start."""
    await connect(lazy=True)
    pool = await _open_pool(settings, "baton api")
    await pool.close()


async def _open_pool(settings: Settings, application: str) -> Pool:
    pool = await open_pool(
        settings.dsn,
        min_size=settings.pool_min_size,
        max_size=settings.pool_max_size,
        acquire_seconds=settings.pool_timeout_seconds,
        statement_seconds=settings.statement_timeout_seconds,
        application=application,
    )
    try:
        async with pool.connection() as connection:
            await health.check(connection)
    except Unavailable:
        await pool.close()
        raise
    return pool
