"""Is each broken configuration named with its remedy, by start-up, readiness and `baton doctor` alike?

docs/health.md has the table of them; this test holds it.
"""

import asyncio
import json
import os
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from temporalio.client import Client

from baton.domain.errors import Unavailable
from baton.domain.faults import FAULTS
from baton.domain.health import CheckStatus
from baton.runtime.installation import baton_command, worker_command
from baton.runtime.listener import listen
from baton.runtime.pages import PageServer
from baton.service.context import check_start, open_core
from baton.service.doctor import diagnose
from baton.service.health import API_NEEDS, WORKER_NEEDS, Monitor, health_pages
from baton.service.namespace import ensure_namespace
from baton.settings import Settings
from baton.store import connecting
from tests.support.api import NOWHERE
from tests.support.postgres import PostgresServer
from tests.support.system import eventually
from tests.support.temporal import RunningTemporal

_PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "health.md"
_ROW: Final = re.compile(
    r"^\| (?P<what>[^|]+) \| `(?P<code>\w+)` \| (?P<rest>(?:[^|\n]+ \| ){4,}[^|\n]+) \|$", re.MULTILINE
)
_SECRET: Final = "hunter2-hunter2"


class Place:
    """Where everything is well; a case breaks one thing of it."""

    def __init__(
        self, postgres: PostgresServer, dsn: str, temporal: RunningTemporal, patch: pytest.MonkeyPatch, tmp: Path
    ) -> None:
        self.postgres = postgres
        self.dsn = dsn
        self.temporal = temporal
        self.patch = patch
        self.tmp = tmp
        self.settings: dict[str, Any] = {}
        self.servers: list[asyncio.Server] = []
        patch.setenv("TEMPORAL_ADDRESS", temporal.address)

    async def execute(self, statement: str) -> None:
        """Run a statement as the database's owner."""
        connection = await asyncpg.connect(self.dsn)
        await connection.execute(statement)
        await connection.close()

    @property
    def name(self) -> str:
        """The database's name."""
        return urlsplit(self.dsn).path.lstrip("/")

    async def tcp(self) -> str:
        """Where the database can be reached by TCP: host and port."""
        directory = parse_qs(urlsplit(self.dsn).query)["host"][0]

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_unix_connection(f"{directory}/.s.PGSQL.5432")
            await asyncio.gather(_copy(reader, back), _copy(there, writer))

        return await self.serve(forward)

    async def serve(
        self, answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options: Any
    ) -> str:
        """Where a server listens that answers so."""
        server = await asyncio.start_server(answer, "127.0.0.1", 0, **options)
        self.servers.append(server)
        return "{}:{}".format(*server.sockets[0].getsockname())


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        return
    finally:
        writer.close()


async def wrong_password(place: Place) -> None:
    await place.postgres.create_user("locked", "right")
    place.settings["database_url"] = SecretStr(place.dsn.replace("//baton@", f"//locked:{_SECRET}@"))


async def no_such_database(place: Place) -> None:
    place.settings["database_url"] = SecretStr(place.dsn.replace(f"/{place.name}?", "/nowhere?"))


async def tls_asked_of_a_plain_database(place: Place) -> None:
    place.settings["database_url"] = SecretStr(
        f"postgresql://baton:{_SECRET}@{await place.tcp()}/{place.name}?sslmode=require"
    )


async def database_certificate_missing(place: Place) -> None:
    url = f"postgresql://baton@{await place.tcp()}/{place.name}?sslmode=verify-full&sslrootcert={place.tmp}/ca.pem"
    place.settings["database_url"] = SecretStr(url)


async def url_that_cannot_be_read(place: Place) -> None:
    place.settings["database_url"] = SecretStr(f"postgresql://baton:{_SECRET}/x@127.0.0.1/baton")


async def database_away(place: Place) -> None:
    place.settings["database_url"] = SecretStr(f"postgresql://baton:{_SECRET}@{NOWHERE}/baton")


async def old_server(place: Place) -> None:
    place.patch.setattr(connecting, "OLDEST", 99)


async def standby(place: Place) -> None:
    await place.execute(f"ALTER DATABASE {place.name} SET default_transaction_read_only = on")


async def no_schema(place: Place) -> None:
    place.settings["database_url"] = SecretStr(await place.postgres.create_database(migrated=False))


async def schema_too_old(place: Place) -> None:
    await place.execute("DELETE FROM schema_migrations WHERE number > 1")


async def schema_too_new(place: Place) -> None:
    await place.execute("UPDATE schema_migrations SET number = number + 1000 WHERE number = 1")


async def unknown_profile(place: Place) -> None:
    place.patch.setenv("TEMPORAL_PROFILE", "prodd")


async def temporal_certificate_missing(place: Place) -> None:
    place.patch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", f"{place.tmp}/client.pem")
    place.patch.setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", f"{place.tmp}/client.key")


async def tls_against_a_plain_temporal(place: Place) -> None:
    place.patch.setenv("TEMPORAL_TLS", "true")


async def plain_against_temporal_with_tls(place: Place) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_self_signed(place.tmp))
    context.set_alpn_protocols(["h2"])

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    place.patch.setenv("TEMPORAL_ADDRESS", await place.serve(hang_up, ssl=context))


async def temporal_away(place: Place) -> None:
    place.patch.setenv("TEMPORAL_ADDRESS", NOWHERE)


async def temporal_address_that_is_none(place: Place) -> None:
    place.patch.setenv("TEMPORAL_ADDRESS", "::temporal::")


async def no_namespace(place: Place) -> None:
    place.patch.setenv("TEMPORAL_NAMESPACE", f"missing-{uuid4()}")


async def no_search_attributes(place: Place) -> None:
    name = f"bare-{uuid4()}"
    client = await Client.connect(place.temporal.address, namespace=name)
    await ensure_namespace(client)
    place.patch.setenv("TEMPORAL_NAMESPACE", name)

    async def known() -> bool:  # a server learns of a namespace after a moment
        checks = await diagnose(Settings(database_url=SecretStr(place.dsn)), None, ())
        return any(check.fault == "search_attributes_missing" for check in checks)

    await eventually(known, seconds=60)


async def misspelt_setting(place: Place) -> None:
    place.patch.setenv("BATON_TASK_QUEU", _SECRET)


async def redis_away(place: Place) -> None:
    place.settings["redis_url"] = SecretStr(f"redis://:{_SECRET}@{NOWHERE}/0")


async def jwks_elsewhere(place: Place) -> None:
    place.settings["jwt_jwks_url"] = f"http://{NOWHERE}/jwks.json"


async def queue_without_workers(place: Place) -> None:
    place.settings["task_queue"] = f"nobody-{uuid4()}"


#: What is broken, in the words of the page; how; and the code of the fault.
_BROKEN: Final = {
    "wrong password for PostgreSQL": (wrong_password, "database_password"),
    "no such database": (no_such_database, "database_unknown"),
    "TLS asked of a PostgreSQL without": (tls_asked_of_a_plain_database, "database_without_tls"),
    "`sslrootcert` names a file that is not there": (database_certificate_missing, "certificate_missing"),
    "`DATABASE_URL` cannot be parsed": (url_that_cannot_be_read, "dsn_invalid"),
    "PostgreSQL away": (database_away, "database_away"),
    "PostgreSQL older than 15": (old_server, "database_old"),
    "PostgreSQL read-only, after a failover": (standby, "database_read_only"),
    "no schema": (no_schema, "schema_missing"),
    "schema too old": (schema_too_old, "schema_old"),
    "schema newer than the code": (schema_too_new, "schema_new"),
    "unknown `TEMPORAL_PROFILE`": (unknown_profile, "temporal_profile"),
    "Temporal's certificate file missing": (temporal_certificate_missing, "certificate_missing"),
    "TLS against a Temporal without": (tls_against_a_plain_temporal, "temporal_without_tls"),
    "no TLS against a Temporal with": (plain_against_temporal_with_tls, "temporal_with_tls"),
    "Temporal away": (temporal_away, "temporal_away"),
    "`TEMPORAL_ADDRESS` cannot be parsed": (temporal_address_that_is_none, "temporal_address"),
    "no such namespace": (no_namespace, "namespace_missing"),
    "search attributes missing": (no_search_attributes, "search_attributes_missing"),
    "misspelt `BATON_…` variable": (misspelt_setting, "setting_unknown"),
    "Redis away": (redis_away, "redis_away"),
    "JWKS URL wrong": (jwks_elsewhere, "jwks_unreadable"),
    "task queue without workers": (queue_without_workers, "no_worker"),
}


@pytest.fixture
async def place(
    postgres: PostgresServer,
    database_url: str,
    temporal_server: RunningTemporal,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> AsyncGenerator[Place]:
    broken = Place(postgres, database_url, temporal_server, monkeypatch, tmp_path)
    yield broken
    for server in broken.servers:
        server.close()


@pytest.mark.parametrize("what", _BROKEN)
async def test_what_is_broken_is_named_with_its_remedy(place: Place, what: str) -> None:
    break_it, fault = _BROKEN[what]
    await break_it(place)
    changed: dict[str, Any] = {"database_url": SecretStr(place.dsn), **place.settings}
    settings = Settings(**changed)
    remedy = FAULTS[fault].remedy

    said: list[str] = []
    api, worker = await _start(_start_api, settings, said), await _start(_start_worker, settings, said)
    needs = {"api": API_NEEDS, "worker": WORKER_NEEDS}
    answers = {process: await _readyz(process, needed, settings) for process, needed in needs.items()}
    for answer in answers.values():
        (found,) = [check for check in answer.json()["checks"] if check.get("code") == fault]
        assert (found["remedy"], found["reason"] != "") == (remedy, True)
        assert found["reason"] in answer.json()["line"]
        assert answer.status_code == (200 if answer.json()["ready"] else 503)
    diagnosed = await diagnose(settings, None, ())
    assert [check.remedy for check in diagnosed if check.fault == fault] == [remedy]
    if api == "starts":  # what it says then, it says by its monitor
        assert answers["api"].json()["line"].count(remedy) == 1
    assert all(remedy in line for line in said), said
    told = [*said, *(answer.text for answer in answers.values()), *(check.line for check in diagnosed)]
    assert not any(_SECRET in text or "Traceback" in text for text in told)

    failed = any(check.status is CheckStatus.FAILED for check in diagnosed if check.fault == fault)
    row = (api, worker, *("200" if a.status_code == 200 else "503" for a in answers.values()), f"exit {int(failed)}")
    documented = {found["what"]: (found["code"], found["rest"]) for found in _ROW.finditer(_PAGE.read_text())}
    assert documented.get(what) == (fault, " | ".join((*row, remedy)))


async def test_processes_end_with_one_line_and_the_code_of_what_is_wrong(place: Place) -> None:
    await wrong_password(place)
    url = place.settings["database_url"].get_secret_value()
    taken = listen("127.0.0.1", 0)
    port = str(taken.getsockname()[1])
    locked, worker = {"DATABASE_URL": url}, worker_command()
    try:
        ends = await asyncio.gather(
            _run(baton_command("api", "--port", "0"), **locked),
            _run(worker, **locked),
            _run(baton_command("migrate"), **locked),
            _run(baton_command("api", "--port", port)),
            _run(worker, BATON_WORKER_PORT=port, DATABASE_URL=place.dsn),
            _run(worker, BATON_TOOLS_MODULES='["no_such_tools"]', DATABASE_URL=place.dsn),
            _run(worker, BATON_TOOLS_MODULES="no_such_tools"),
        )
    finally:
        taken.close()
    faults = ["database_password"] * 3 + ["port_taken"] * 2 + ["tools_unusable", "setting_invalid"]
    assert [code for code, _ in ends] == [FAULTS[fault].exit_code for fault in faults]
    for (_, said), fault in zip(ends, faults, strict=True):
        assert FAULTS[fault].remedy in said.splitlines()[-1]
        assert not any(text in said for text in (_SECRET, "Traceback"))


async def test_doctor_prints_a_table_that_fits_and_its_exit_code_says_how_it_went(place: Place) -> None:
    await wrong_password(place)
    locked = {"DATABASE_URL": place.settings["database_url"].get_secret_value()}
    doctor = baton_command("doctor", "--url", f"http://{NOWHERE}")
    (bad, table), (_, listed) = await asyncio.gather(_run(doctor, **locked), _run([*doctor, "--json"], **locked))
    assert bad == 1
    assert re.search(r"^failed +database$", table, re.MULTILINE)
    assert re.search(r"^ok +search_attributes$", table, re.MULTILINE)
    assert max(len(line) for line in table.splitlines()) <= 80
    found = {check["name"]: check.get("code") for check in json.loads(listed)}
    assert (found["database"], found["api"], found["temporal"]) == ("database_password", "no_answer", None)


async def _run(command: list[str], **environment: str) -> tuple[int, str]:
    """How a process ends, and what it says."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


def test_the_page_has_no_other_rows_in_its_table() -> None:
    assert [found["what"] for found in _ROW.finditer(_PAGE.read_text()) if found["what"] not in _BROKEN] == []


async def _start_api(settings: Settings) -> None:
    await check_start(settings)


async def _start_worker(settings: Settings) -> None:
    core = await open_core(settings)
    await core.close()


async def _start(start: Callable[[Settings], Awaitable[None]], settings: Settings, said: list[str]) -> str:
    try:
        await start(settings)
    except Unavailable as error:
        said.append(str(error))
        kind = FAULTS[error.fault]
        return "waits" if start is _start_worker and kind.passes else f"exit {kind.exit_code}"
    return "starts"


async def _readyz(process: str, needs: frozenset[str], settings: Settings) -> httpx.Response:
    monitor = Monitor(process, settings, needs)
    await monitor.look()
    async with PageServer(listen("127.0.0.1", 0), health_pages(monitor)) as server:
        host, port = server.address
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://{host}:{port}/readyz")


def _self_signed(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    chain, private = directory / "server.pem", directory / "server.key"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private
