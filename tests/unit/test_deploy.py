"""Do the deployment files name what is there? No container engine is needed for this."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from baton.localstack.temporal import DYNAMIC_CONFIGURATION
from baton.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_BATON = ("migrate", "api", "worker")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((_ROOT / "docker-compose.yml").read_text())


def test_every_dependency_is_a_service_and_every_volume_is_declared(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert set(service.get("depends_on", ())) <= set(compose["services"]), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (_ROOT / source).is_file() if source.startswith("./") else source in compose["volumes"], volume


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert re.search(r":(?!latest)[\w.-]+$", service["image"]), name
        assert ("build" in service) == (name in _BATON)


def test_only_known_settings_are_given(compose: dict[str, Any]) -> None:
    known = {"DATABASE_URL", *(f"BATON_{name.upper()}" for name in Settings.model_fields)}
    providers = {"worker": {"OPENAI_BASE_URL"}}
    for name in _BATON:
        given = {v for v in compose["services"][name]["environment"] if not v.startswith("TEMPORAL_")}
        assert {v for v in given if v.startswith("BATON_") or v.endswith("_URL")} <= known | providers.get(name, set())
        assert "DATABASE_URL" in given


def test_nothing_without_a_login_listens_to_the_world(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_server_has_what_the_local_one_has() -> None:
    given = yaml.safe_load((_ROOT / "deploy/temporal/dynamicconfig.yaml").read_text())
    assert {name: json.dumps(values[0]["value"]) for name, values in given.items()} == DYNAMIC_CONFIGURATION


def test_the_image_has_the_whole_package() -> None:
    dockerfile = (_ROOT / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE))
    sources = {name for line in copied for name in line.split()}
    pyproject = (_ROOT / "pyproject.toml").read_text()
    shipped = re.search(r"^only-include = (\[.*?\])", pyproject, re.MULTILINE | re.DOTALL)
    assert shipped
    assert set(json.loads(shipped[1])) <= sources
    ignored = (_ROOT / ".dockerignore").read_text().split()
    assert {f"!{name}" for name in sources} <= set(ignored), "the build does not see what is ignored"
    assert all((_ROOT / name).exists() for name in sources)


def test_the_image_has_what_its_commands_need_by_extras_alone() -> None:
    syncs = re.findall(r"^RUN uv sync (.+)$", (_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(syncs) == 2
    for sync in syncs:
        assert set(re.findall(r"--extra (\w+)", sync)) == {"cli", "redis"}
        assert {"--frozen", "--no-dev"} <= set(sync.split())
        assert "--no-install-package" not in sync
    extras = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert not any("pgserver" in needed for name in ("cli", "redis") for needed in extras[name])
