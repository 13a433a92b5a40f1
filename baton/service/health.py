"""Whether a process is alive, and ready for its work: looked at in the background, told to whoever asks.

What is told was found out before, so that asking costs nothing but the answer, however often strangers do.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import orjson
from temporalio.client import Client

from baton.domain.errors import Unavailable
from baton.domain.health import Check, CheckStatus, HealthReport, failed
from baton.runtime.loop import Loop
from baton.runtime.pages import MakePage, StatusPage
from baton.service.checks.database import database_checks
from baton.service.checks.group import group
from baton.service.checks.process import jwks_checks, progress_check, redis_checks, settings_check
from baton.service.checks.temporal import temporal_checks
from baton.settings import Settings
from baton.store.pool import Pool

#: Without these an API refuses requests. It does not need Temporal: what it accepts meanwhile is done later.
API_NEEDS: Final = frozenset({"process", "database", "schema"})
#: Without these a worker gets no work.
WORKER_NEEDS: Final = API_NEEDS | {"temporal", "namespace", "search_attributes"}
#: What is looked at in Temporal once it answers.
IN_TEMPORAL: Final = ("namespace", "search_attributes")

_INTERVAL_SECONDS: Final = 10.0
#: What is wrong is looked at more often, so that it is soon known to be well again.
_WRONG_SECONDS: Final = 2.0
#: Somebody else's server is asked so often, while it answers well.
_OTHERS_SECONDS: Final = 300.0
_OTHERS_WRONG_SECONDS: Final = 30.0
_log = logging.getLogger(__name__)


class Monitor:
    """Looks every few seconds at what a process needs. ``process`` is what it is called, `API_NEEDS` or `WORKER_NEEDS`
    what it ``needs``.

    A warning in the log says what is wrong, once, with the remedy; another line, when it is well again.
    """

    def __init__(
        self, process: str, settings: Settings, needs: Collection[str], queues: Collection[str] | None = None
    ) -> None:
        """``queues``: those that are to have workers; the configured one if None."""
        self._process = process
        self._settings = settings
        self._needs = needs
        self._queues = [settings.task_queue] if queues is None else [*queues]
        self._pool: Pool | None = None
        self._client: Client | None = None
        self._identity = ""
        self._loops: list[Loop] = []
        self._others: list[Check] = []
        self._others_due = 0.0
        self._checks: list[Check] = []
        self._checked_at: datetime | None = None
        self._looks = 0
        self._due = 0.0
        self._draining = False
        self._waiting = failed("process", "starting", "the process has just started")
        self._told: set[tuple[str, str]] = set()
        self._looked = asyncio.Event()
        self._loop = Loop("health", _WRONG_SECONDS, self._look_if_due, at_once=True)

    async def close(self) -> None:
        """Stop looking."""
        self.drain()
        await self._loop.close()

    def drain(self) -> None:
        """Turn readiness red, at once and for good: the process is about to end."""
        self._draining = True

    def waits(self, error: Unavailable) -> None:
        """Tell what the process waits for before it can begin."""
        self._waiting = failed("process", error.fault or "starting", error.message)

    def start(self, pool: Pool, client: Client, *loops: Loop, identity: str = "") -> None:
        """Begin to look, through what the process works with, and at its ``loops``. ``identity``: what it calls itself
        where it polls, if it does. Needs a running loop."""
        self._pool = pool
        self._client = client
        self._loops = [*loops]
        self._identity = identity
        self._loop.start()

    @property
    def dead(self) -> str:
        """Why only a restart helps this process; "" while that is not so."""
        return ", ".join(f"the {loop.name} does not go on" for loop in (*self._loops, self._loop) if loop.is_dead)

    def report(self) -> HealthReport:
        """What was found the last time."""
        process, progress, _ = self.standing
        checks = [process, *self._checks]
        if self._checked_at is not None:
            checks.append(progress)
        return HealthReport(self._process, baton_version(), checks, self._needs, self._checked_at)

    @property
    def standing(self) -> tuple[Check, Check, int]:
        """What may change from one look to the next, ``process`` and ``progress``, and the number of looks: while this
        is the same, so is the report."""
        process = Check("process")
        if self._draining:
            process = failed("process", "stopping", "the process is stopping")
        elif self._checked_at is None:
            process = self._waiting
        elif self._loop.late_seconds:
            process = failed("process", "late", "the checks do not come to an end")
        return process, progress_check(self._loops), self._looks

    async def first(self) -> HealthReport:
        """What was found the last time, once there is any."""
        await self._looked.wait()
        return self.report()

    async def look(self) -> HealthReport:
        """Look at everything now."""
        database, temporal, _ = await asyncio.gather(
            group("database", database_checks(self._settings.dsn, self._pool)),
            group("temporal", temporal_checks(self._client, self._queues, identity=self._identity)),
            self._look_at_others(),
        )
        checks = [settings_check(), *database, *temporal, *self._others]
        self._tell(checks)
        self._checks = checks
        self._checked_at = datetime.now(UTC)
        self._looks += 1
        self._looked.set()
        wrong = any(check.status is CheckStatus.FAILED for check in checks)
        self._due = time.monotonic() + (_WRONG_SECONDS if wrong else _INTERVAL_SECONDS)
        return self.report()

    async def _look_if_due(self) -> None:
        if time.monotonic() >= self._due:
            await self.look()

    async def _look_at_others(self) -> None:
        """At what belongs to others, who need not be asked every few seconds."""
        if time.monotonic() < self._others_due:
            return
        redis, jwks = await asyncio.gather(
            group("redis", redis_checks(self._settings)), group("jwks", jwks_checks(self._settings))
        )
        self._others = [*redis, *jwks]
        wrong = any(check.status is CheckStatus.FAILED for check in self._others)
        self._others_due = time.monotonic() + (_OTHERS_WRONG_SECONDS if wrong else _OTHERS_SECONDS)

    def _tell(self, checks: Sequence[Check]) -> None:
        """Log what has changed."""
        before = {(check.name, check.fault) for check in self._checks}
        for check in checks:
            key = check.name, check.fault
            # A worker that has just started has not polled yet.
            if check.fault and key not in self._told and (check.fault != "no_worker" or key in before):
                self._told.add(key)
                _log.warning("health: %s", check.for_operators)
        well = {check.name for check in checks if not check.fault}
        for key in sorted(self._told):
            if key[0] in well:
                self._told.discard(key)
                _log.info("health: %s is well again", key[0])


def health_pages(monitor: Monitor) -> dict[str, MakePage]:
    """`/livez` and `/readyz`: as JSON, or for `Accept: text/plain` in one line. Made once for all who ask while nothing
    has changed."""
    made: dict[bool, tuple[object, StatusPage]] = {}

    async def livez(accept: str) -> StatusPage:
        dead = monitor.dead
        return _page(accept, dead or "ok", {"status": "failed" if dead else "ok", "reason": dead}, ok=not dead)

    async def readyz(accept: str) -> StatusPage:
        plain, standing = _is_plain(accept), monitor.standing
        if plain not in made or made[plain][0] != standing:
            report = monitor.report()
            made[plain] = standing, _page(accept, report.line, report.as_json(), ok=report.ready)
        return made[plain][1]

    return {"/livez": livez, "/readyz": readyz}


def _is_plain(accept: str) -> bool:
    return accept.startswith("text/plain")


def _page(accept: str, line: str, document: object, *, ok: bool) -> StatusPage:
    status = 200 if ok else 503
    if _is_plain(accept):
        return StatusPage(f"{line}\n".encode(), status=status)
    return StatusPage(orjson.dumps(document), "application/json", status)


def baton_version() -> str:
    """The installed version."""
    try:
        return version("baton")
    except PackageNotFoundError:
        return "unknown"
