"""Embedded PostgreSQL, run as a child process of ours: 18, unless told of the binaries of another.

It listens on a Unix socket in a directory that only its user (and root) may enter, never on TCP, and asks for no
password there. PostgreSQL refuses to run as root: then it runs as an unprivileged system user, which is also given a
way to its binaries and its data wherever root keeps them (`reachable`, `Postgres._data_path`).
"""

import asyncio
import hashlib
import os
import pwd
import shutil
import signal
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from baton.localstack.part import Part, PartFailed
from baton.localstack.postgres_binaries import anyone_may_read, embedded, major_version, reachable
from baton.localstack.spawn import SystemUser, spawn, tail

_SUPERUSER = "baton"
_SOCKET_PATH_LIMIT = 100  #: bytes; sun_path holds 104 on macOS, 108 on Linux
_UNPRIVILEGED = ("postgres", "nobody")
_WITH_BUILTIN_LOCALE = 17
_WITH_IO_METHOD = 18
_LOCALE = ("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C")
_SYSTEM_LOCALE = ("--locale", "C.UTF-8")

#: Durable as in production (fsync and synchronous_commit stay on), small, and silent about what people write: an error
#: would be logged with the row that broke a rule, so only what ranks above errors is.
_CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",
}


@dataclass(slots=True)
class Postgres:
    """A PostgreSQL cluster in ``directory``, created when it is first started. One process at a time may use it.

    ``installation``: of the server, from 15 to 18, with its programs in ``bin``; the embedded one if None.
    """

    directory: Path
    log: Path
    configuration: dict[str, str] = field(default_factory=dict[str, str])
    installation: Path | None = None
    _binaries: Path = field(init=False)
    _clients: Path = field(init=False)
    _user: SystemUser | None = field(init=False)
    _socket_directory: Path = field(init=False)
    _descriptor: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._user = _unprivileged_user() if os.geteuid() == 0 else None
        installation = self.installation or embedded()
        self._clients = embedded() / "bin"
        self._binaries = (reachable(installation) if self._user else installation) / "bin"
        self._socket_directory = _make_socket_directory(self.directory, self._user)

    def dsn(self, database: str) -> str:
        """Where to connect to ``database``: an asyncpg and libpq URL. It is the same the next time."""
        return f"postgresql://{_SUPERUSER}@/{database}?host={self._socket_directory}"

    async def part(self) -> Part:
        """The server as a part of a stack, on a cluster that exists from now on."""
        major = await major_version(self._binaries)
        await self._ensure_cluster(major)
        settings = {**_CONFIGURATION, **self.configuration, "unix_socket_directories": str(self._socket_directory)}
        if major >= _WITH_IO_METHOD:
            settings["io_method"] = "sync"
        return Part(
            name="postgres",
            command=[
                str(self._binaries / "postgres"),
                *("-D", self._data_path()),
                *(argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")),
            ],
            log=self.log,
            is_up=self._is_up,
            user=self._user,
            pass_fds=self._inherited(),
            directory=Path("/"),
            stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
            kill_signal=signal.SIGQUIT,  # immediate shutdown: takes its own children along
            before_start=self._await_predecessor,
        )

    async def create_database(self, name: str, options: str = "") -> None:
        """Create a database unless it exists; ``options`` go into the statement. The server must be up."""
        found = await self._psql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'")  # noqa: S608 (a name of ours)
        if not found:
            await self._psql(f'CREATE DATABASE "{name}" {options}')

    def close(self) -> None:
        """Forget the socket directory. The server must have ended."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        shutil.rmtree(self._socket_directory, ignore_errors=True)

    async def _ensure_cluster(self, major: int) -> None:
        if (self.directory / "PG_VERSION").exists():
            self._open()
            return
        shutil.rmtree(self.directory, ignore_errors=True)  # what an interrupted first start left
        new = self.directory.with_name(self.directory.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700, parents=True)
        if self._user is not None:
            os.chown(new, self._user.uid, self._user.gid)
        self._open(new)
        process = await spawn(
            [
                str(self._binaries / "initdb"),
                *("--pgdata", self._data_path(new)),
                *("--username", _SUPERUSER, "--auth-local", "trust", "--auth-host", "reject"),
                *("--encoding", "UTF8", *(_LOCALE if major >= _WITH_BUILTIN_LOCALE else _SYSTEM_LOCALE)),
                "--no-instructions",
            ],
            log=self.log,
            user=self._user,
            pass_fds=self._inherited(),
            directory=Path("/"),
        )
        if await process.wait() != 0:
            raise PartFailed(f"initdb failed in {self.directory}; its log is {self.log}:\n{tail(self.log)}")
        new.rename(self.directory)

    async def _await_predecessor(self) -> None:
        """Let a server that used this cluster before us finish dying; drop a lock that names some other program.

        PostgreSQL takes any process with the recorded number for its predecessor, and in a container numbers come
        round soon. The lock of a dead process is left to PostgreSQL, which also looks for orphans of that process.
        """
        lock = self.directory / "postmaster.pid"
        for _ in range(100):
            if not lock.exists():
                return
            pid = int(lock.read_text().split("\n", 1)[0])
            if not _is_alive(pid):
                return
            if not _is_postgres(pid):
                lock.unlink()
                return
            await asyncio.sleep(0.1)
        raise PartFailed(f"another PostgreSQL is using {self.directory}: see {lock} for its process id")

    async def _is_up(self, _pid: int) -> bool:
        process = await asyncio.create_subprocess_exec(
            str(self._clients / "pg_isready"),
            *("--quiet", "--timeout", "1", "--host", str(self._socket_directory)),
        )
        return await process.wait() == 0

    async def _psql(self, statement: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(self._clients / "psql"),
            *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"),
            *("--host", str(self._socket_directory), "--username", _SUPERUSER, "--dbname", "postgres"),
            *("--command", statement),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        if process.returncode != 0:
            raise PartFailed(f"PostgreSQL refused a statement: {errors.decode(errors='replace').strip()}")
        return output.decode().strip()

    def _open(self, directory: Path | None = None) -> None:
        if self._user is not None and self._descriptor is None:
            self._descriptor = os.open(directory or self.directory, os.O_RDONLY | os.O_DIRECTORY)

    def _data_path(self, directory: Path | None = None) -> str:
        """The cluster's directory as its server shall name it.

        Under a path that root alone may traverse (/root, a test's temporary directory) the unprivileged server reaches
        its directory by the descriptor that it inherits; opening up somebody's directories for it is not for us to do.
        """
        if self._descriptor is not None and Path("/proc/self/fd").exists():
            return f"/proc/self/fd/{self._descriptor}"
        return str((directory or self.directory).resolve())

    def _inherited(self) -> tuple[int, ...]:
        return (self._descriptor,) if self._descriptor is not None else ()


def _make_socket_directory(cluster: Path, user: SystemUser | None) -> Path:
    """A directory for the socket of ``cluster``, always the same one, short enough, closed to others."""
    name = "baton-" + hashlib.sha256(os.fsencode(cluster.absolute())).hexdigest()[:12]
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 (it is made private)
        directory = parent / name
        too_long = len(os.fsencode(directory / ".s.PGSQL.5432")) > _SOCKET_PATH_LIMIT
        if too_long or (user is not None and not anyone_may_read(parent)):
            continue
        owner = os.geteuid() if user is None else user.uid
        try:
            directory.mkdir(mode=0o700)
            if user is not None:
                os.chown(directory, user.uid, user.gid)
        except FileExistsError:  # left by a stack that was killed, or laid by somebody else
            found = directory.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
                raise PartFailed(f"{directory} can be accessed by other users; remove it") from None
        return directory
    raise PartFailed("no directory suits PostgreSQL's socket: set TMPDIR to a short path that all users can enter")


def _unprivileged_user() -> SystemUser:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _UNPRIVILEGED:
        if name in known:
            return SystemUser(known[name].pw_uid, known[name].pw_gid)
    raise PartFailed(f"PostgreSQL does not run as root, and there is no user {' or '.join(_UNPRIVILEGED)}")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_postgres(pid: int) -> bool:
    """Whether a living process is a PostgreSQL server; without /proc any may be one."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition(" (")[2].rpartition(") ")
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    return name == "postgres" and not rest.startswith("Z")  # a zombie holds nothing
