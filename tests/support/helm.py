"""Helm, for the tests of the chart: on PATH, else in the cache, else built with Go once (some minutes of one core)."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from baton.localstack.temporal_binary import cache_directory

_MODULE = "helm.sh/helm/v3/cmd/helm@v3.18.4"


def find_helm() -> Path:
    """The program. Skips the test where there is neither Helm nor Go."""
    if found := shutil.which("helm"):
        return Path(found)
    folder = cache_directory() / "helm"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "helm"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            go = shutil.which("go")
            if go is None:
                pytest.skip("Helm is not installed, and there is no Go to build it with")
            subprocess.run([go, "install", _MODULE], env={**os.environ, "GOBIN": str(folder)}, check=True)
    return program
