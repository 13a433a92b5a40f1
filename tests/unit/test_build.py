"""The name of the code that runs changes with the code, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from baton.runtime import build


def test_it_names_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("activities", "baton", "workflows"):
        (tmp_path / name).mkdir()
    shutil.copy(Path(build.__file__), tmp_path / "baton" / "some.py")
    (tmp_path / "worker.py").write_text("")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    first = build.build_id()
    (tmp_path / "baton" / "some.pyc").write_text("what the interpreter leaves behind")
    assert build.build_id() == first
    (tmp_path / "workflows" / "more.sql").write_text("SELECT 1")
    assert build.build_id() != first
    assert build.build_id().rpartition("+")[0] == first.rpartition("+")[0] != ""
