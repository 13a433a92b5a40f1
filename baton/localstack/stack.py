"""The parts of the local stack, and how they depend on each other."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from baton.localstack.credentials import Credentials, ensure_credentials
from baton.localstack.part import Part, PartFailed
from baton.localstack.postgres import Postgres
from baton.localstack.probes import api_answers, worker_polls
from baton.localstack.spawn import tail
from baton.localstack.supervisor import Supervisor
from baton.localstack.temporal import TemporalServer
from baton.localstack.temporal_binary import ensure_temporal
from baton.runtime.installation import baton_command, worker_command
from baton.service.namespace import ensure_namespace, register_search_attributes
from baton.store.migrate import SchemaRefused, migrate

_DATABASE: Final = "baton"
#: Nobody is there to take over from one that stops, and whoever presses Ctrl-C waits.
_STOP_SOON: Final = {
    "BATON_DRAIN_SECONDS": "0",
    "BATON_WORKER_DRAIN_SECONDS": "0",
    "BATON_WORKER_SHUTDOWN_SECONDS": "5",
}
_STOP_ORDER: Final = ("api", "worker", "temporal", "postgres")
_PORT_ATTEMPTS: Final = 3
_LONG_LOG_BYTES: Final = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ready:
    """Where everything is. Its fields are the line that `baton dev --json` prints.

    `pids` has `temporal` as None where `TEMPORAL_ADDRESS` named the server; then `temporal_ui_url` is None, too.
    """

    url: str
    api_key: str
    tenant: str
    agent_id: int
    task_queue: str
    temporal_address: str
    temporal_ui_url: str | None
    postgres_dsn: str
    pids: Mapping[str, int | None]

    def as_json(self) -> dict[str, object]:
        """The line, as data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Temporal:
    client: Client
    address: str
    ui_url: str | None
    environment: Mapping[str, str]


class Stack:
    """PostgreSQL, Temporal, API and worker with their data in ``directory``, supervised."""

    def __init__(
        self,
        directory: Path,
        listener: socket.socket,
        task_queue: str,
        say: Callable[[str], None],
        on_change: Callable[[], None],
        model: str | None = None,
    ) -> None:
        """``listener`` is the API's socket: held by us, so that a call made while the API restarts waits for it.

        ``say`` gets what a person should know, ``on_change`` is called whenever a process id has changed.
        ``model``: what the default agent's is to be, None: what it is.
        """
        self._directory = directory
        self._listener = listener
        self._task_queue = task_queue
        self._model = model
        self._say = say
        self._supervisor = Supervisor(say, on_change)
        self._postgres: Postgres | None = None
        self._temporal_server: TemporalServer | None = None
        self._ready: Ready | None = None

    @property
    def ready(self) -> Ready | None:
        """Where everything is, with the process ids of now; None before `start` has returned."""
        if self._ready is None:
            return None
        pids = {name: self._supervisor.pids.get(name) for name in ("api", "worker", "temporal", "postgres")}
        return replace(self._ready, pids=pids)

    async def start(self) -> None:
        """Start everything, side by side where it can be. Raises PartFailed; `stop` must be called even then."""
        logs = _logs(self._directory)
        try:
            async with asyncio.TaskGroup() as group:
                database = group.create_task(self._start_postgres(logs))
                server = group.create_task(self._start_temporal(logs))
            dsn, credentials = database.result()
            temporal = server.result()
            environment = self._environment(dsn, temporal)
            async with asyncio.TaskGroup() as group:
                group.create_task(_prepare_namespace(temporal.client))
                group.create_task(self._supervisor.start(self._api(logs, environment)))
                group.create_task(self._supervisor.start(self._worker(logs, environment, temporal.client)))
        except* PartFailed as failures:
            raise failures.exceptions[0] from None
        host, port = self._listener.getsockname()[:2]
        self._ready = Ready(
            url=f"http://{reachable_host(host)}:{port}",
            api_key=credentials.api_key,
            tenant=credentials.tenant,
            agent_id=credentials.agent_id,
            task_queue=self._task_queue,
            temporal_address=temporal.address,
            temporal_ui_url=temporal.ui_url,
            postgres_dsn=dsn,
            pids={},
        )

    async def watch(self) -> None:
        """Runs until it is cancelled; raises what should never happen."""
        await self._supervisor.watch()

    async def stop(self) -> None:
        """Stop all, also what `start` had begun before it failed or was cancelled."""
        await self._supervisor.stop(_STOP_ORDER)
        if self._postgres is not None:
            self._postgres.close()
        if self._temporal_server is not None:
            self._temporal_server.release_ports()

    async def _start_postgres(self, logs: Path) -> tuple[str, Credentials]:
        self._postgres = Postgres(self._directory / "postgres", logs / "postgres.log")
        await self._supervisor.start(await self._postgres.part())
        await self._postgres.create_database(_DATABASE)
        dsn = self._postgres.dsn(_DATABASE)
        try:
            await migrate(dsn)
        except SchemaRefused as error:
            raise PartFailed(
                f"baton: {error}. Start with a new --data directory; {self._directory} was left as it is."
            ) from error
        return dsn, await ensure_credentials(dsn, self._directory / "credentials.json", model=self._model)

    async def _start_temporal(self, logs: Path) -> _Temporal:
        if os.environ.get("TEMPORAL_ADDRESS"):
            return await self._use_temporal()
        program = await ensure_temporal(self._say)
        server = await self._start_server(program, logs / "temporal.log")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
        environment |= {
            "TEMPORAL_ADDRESS": server.address,
            "TEMPORAL_NAMESPACE": "default",
            "TEMPORAL_CONFIG_FILE": os.devnull,  # a person's own profile is for another server
        }
        return _Temporal(await _connect(server.address), server.address, server.ui_url, environment)

    async def _start_server(self, program: Path, log: Path) -> TemporalServer:
        """Another program may take a port between our look at it and the server's: then it gets others."""
        for attempt in range(_PORT_ATTEMPTS):
            server = self._temporal_server = TemporalServer(program, self._directory / "temporal.db", log)
            try:
                await self._supervisor.start(server.part())
            except PartFailed:
                server.release_ports()
                if attempt + 1 == _PORT_ATTEMPTS or "address already in use" not in tail(log):
                    raise
            else:
                return server
        raise AssertionError("the last attempt returns or raises")

    async def _use_temporal(self) -> _Temporal:
        config = ClientConfig.load_client_connect_config()
        address = os.environ["TEMPORAL_ADDRESS"]
        self._say(f"Using the Temporal server at {address} (TEMPORAL_ADDRESS)")
        try:
            client = await Client.connect(**config)
        except RuntimeError as error:
            raise PartFailed(f"Temporal cannot be reached at {address}: {error}") from error
        return _Temporal(client, address, None, dict(os.environ))

    def _environment(self, dsn: str, temporal: _Temporal) -> dict[str, str]:
        ours = {"DATABASE_URL": dsn, "BATON_TASK_QUEUE": self._task_queue}
        return {**_STOP_SOON, **temporal.environment, **ours}

    def _api(self, logs: Path, environment: Mapping[str, str]) -> Part:
        return Part(
            name="api",
            command=baton_command("api", "--fd", str(self._listener.fileno())),
            log=logs / "api.log",
            is_up=api_answers(self._listener),
            environment=environment,
            pass_fds=[self._listener.fileno()],
            stop_seconds=15.0,
        )

    def _worker(self, logs: Path, environment: Mapping[str, str], client: Client) -> Part:
        return Part(
            name="worker",
            command=worker_command(),
            log=logs / "worker.log",
            is_up=worker_polls(client, self._task_queue),
            environment=environment,
            stop_seconds=15.0,
        )


def _logs(directory: Path) -> Path:
    """The directory of the parts' logs. A log that has grown long makes way for a new one."""
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    for log in logs.glob("*.log"):
        if log.stat().st_size > _LONG_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
    return logs


def reachable_host(host: str) -> str:
    """A host to connect to for one to listen on, as it stands in a URL."""
    if host in ("0.0.0.0", ""):  # noqa: S104 (compared, not bound)
        return "127.0.0.1"
    if ":" in host:
        return "[::1]" if host == "::" else f"[{host}]"
    return host


async def _prepare_namespace(client: Client) -> None:
    try:
        await ensure_namespace(client)
        await register_search_attributes(client)
    except (RPCError, TimeoutError) as error:
        raise PartFailed(f"Temporal's namespace {client.namespace!r} cannot be prepared: {error}") from error


async def _connect(address: str) -> Client:
    """A client of a server that has just opened its port: its namespace may take another moment."""
    deadline = asyncio.get_running_loop().time() + 20
    while True:
        try:
            return await Client.connect(address)
        except RuntimeError as error:
            if asyncio.get_running_loop().time() > deadline:
                raise PartFailed(f"the Temporal server at {address} does not answer: {error}") from error
        await asyncio.sleep(0.1)
