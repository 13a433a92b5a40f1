"""Clients that @hey-api/openapi-ts makes of the documents that we serve, types checked, one walk through each API."""

import asyncio
import fcntl
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.clients import Deployment, run
from tests.support.packages import CACHE

SOURCES = Path(__file__).parent / "typescript"
DONE = "You said: Europe\nDone."
ASKED = "Which region?"

#: What each walk comes to.
WALKS: dict[str, Any] = {
    "asteroid": {
        "listed": True,
        "kinds": ["reasoning", "status_changed", "step_completed", "step_started"],
        "added": "User message added.",
        "result": DONE,
        "found": 1,
        "unknown": [404, 404],
    },
    "kubiya": {
        "listed": True,
        "asked": ASKED,
        "signaled": True,
        "last": "done",
        "status": "completed",
        "unknown": [404, "there is no such execution"],
    },
    "maia": {"question": ASKED, "sent": True, "listed": True, "stopped": "STOPPED", "unknown": [404, 404]},
    "chat_tasks": {"prompt": ASKED, "output": DONE, "steps": ["message", "thinking"], "idle": "no_pending_interaction"},
    "twill": {
        "workspace": True,
        "repositories": [],
        "asked": "completed",
        "answered": "completed",
        "final": DONE,
        "archived": True,
        "unknown": "not_found",
    },
    "baton": {"listed": True, "last": "end", "result": DONE, "receipt": "processed", "unknown": "task_not_found"},
}

pytestmark = [
    pytest.mark.timeout(420),  # the generator and the compiler are fetched on first use
    pytest.mark.skipif(
        shutil.which("node") is None or shutil.which("npm") is None,
        reason="generated TypeScript clients need node and npm, which are not installed",
    ),
]


def modules() -> Path:
    """The `node_modules` with the generator and the compiler; made on first use, and kept."""
    package = SOURCES / "package.json"
    home = CACHE / "packages" / f"typescript-{hashlib.sha256(package.read_bytes()).hexdigest()[:12]}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / ".complete").exists():
            shutil.copy(package, home)
            command = ["npm", "install", "--no-fund", "--no-audit", "--prefix", str(home)]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
            assert done.returncode == 0, done.stdout
            (home / ".complete").touch()
    return home / "node_modules"


@pytest.fixture(scope="module")
async def program(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled walks. What does not fit the generated types does not compile."""
    home = tmp_path_factory.mktemp("typescript")
    (home / "node_modules").symlink_to(await asyncio.to_thread(modules))
    for source in SOURCES.iterdir():
        shutil.copy(source, home)
    binaries = home / "node_modules" / ".bin"
    async with httpx.AsyncClient(base_url=deployment.url, trust_env=False) as http:
        for dialect in WALKS:
            document = home / f"{dialect}.json"
            document.write_bytes((await http.get(f"/docs/{dialect}/openapi.json")).content)
            await run(binaries / "openapi-ts", "-i", document, "-o", home / dialect, cwd=home)
    await run(binaries / "tsc", cwd=home)
    return home / "out" / "walk.js"


@pytest.mark.parametrize("dialect", WALKS)
async def test_a_walk_with_the_generated_client(deployment: Deployment, program: Path, dialect: str) -> None:
    d = deployment
    output, _ = await run("node", program, dialect, d.url, d.key, d.queue, d.agent, d.number)
    assert json.loads(output) == WALKS[dialect]
