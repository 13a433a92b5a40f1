"""A real Prometheus, where one is installed: it reads what a stack shows, every second."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

#: Rules of minutes, for tests of seconds.
_SHORTER: Final = (
    (r"for: \d+m", "for: 3s"),
    (r"\[(5|10)m\]", "[40s]"),
    (r"(\[|offset )15m", r"\g<1>60s"),
)


def shortened(rules: str, thresholds: Mapping[str, str]) -> str:
    """Alert rules that fire within seconds. ``thresholds``: what is replaced beside times."""
    for pattern, replacement in _SHORTER:
        rules = re.sub(pattern, replacement, rules)
    for long, short in thresholds.items():
        assert long in rules
        rules = rules.replace(long, short)
    return rules


@dataclass(slots=True)
class Prometheus:
    """A running Prometheus."""

    http: httpx.AsyncClient

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now. Raises AssertionError for one that it cannot evaluate."""
        answer = (await self.http.get("/api/v1/query", params={"query": expression})).json()
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    async def firing(self) -> set[str]:
        """The alerts that fire."""
        return {one["metric"]["alertname"] for one in await self.query('ALERTS{alertstate="firing"}')}

    async def fired(self) -> set[str]:
        """The alerts that fire or have fired."""
        return {
            one["metric"]["alertname"] for one in await self.query('max_over_time(ALERTS{alertstate="firing"}[1h])')
        }

    async def until_firing(self, *alerts: str, seconds: float = 90) -> None:
        """Wait until all of these fire, whatever else does."""
        try:
            async with asyncio.timeout(seconds):
                while not set(alerts) <= await self.firing():
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise AssertionError(f"of {alerts}, only {await self.firing()} fire") from None

    async def until_quiet(self, *alerts: str, seconds: float = 240) -> None:
        """Wait until none of these fires, or none at all if none is named."""
        try:
            async with asyncio.timeout(seconds):
                while (found := await self.firing()) and (not alerts or found & set(alerts)):
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise AssertionError(f"{await self.firing()} do not end") from None


def free_port() -> int:
    """A port of this machine that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def running_prometheus(directory: Path, targets: Mapping[str, int], rules: str) -> AsyncGenerator[Prometheus]:
    """Prometheus with its data in ``directory``. ``targets``: ports by job."""
    directory.mkdir()
    (directory / "rules.yaml").write_text(rules)
    scraped = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for job, port in targets.items()
    ]
    times = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = {"global": times, "rule_files": ["rules.yaml"], "scrape_configs": scraped}
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as http:
            async with asyncio.timeout(60):
                while not await _is_ready(http):
                    await asyncio.sleep(0.2)
            yield Prometheus(http)
    finally:
        process.terminate()
        await process.wait()


async def _is_ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/-/ready")).status_code == 200
    except httpx.HTTPError:
        return False
