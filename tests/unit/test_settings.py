"""Are the settings what their page says?"""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from baton.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"^\| `(?P<name>[A-Z_]+)` \| (?:`(?P<default>[^`]*)`)? ?\| (?P<text>.+) \|$", re.MULTILINE)


def _variable(field: str) -> str:
    return "DATABASE_URL" if field == "database_url" else f"BATON_{field.upper()}"


def _written(default: object) -> str | None:
    match default:
        case None:
            return None
        case SecretStr():
            return default.get_secret_value()
        case ():
            return "[]"
        case float():
            return f"{default:g}"
        case _:
            return str(default)


def test_the_page_has_every_setting_with_its_default_and_meaning() -> None:
    page = (_ROOT / "docs" / "configuration.md").read_text()
    documented = {row["name"]: (row["default"], row["text"]) for row in _ROW.finditer(page)}
    assert documented == {
        _variable(name): (_written(field.default), field.description) for name, field in Settings.model_fields.items()
    }


def test_no_setting_is_without_effect() -> None:
    folders = ("api", "activities", "baton", "workflows")
    sources = [_ROOT / "worker.py", *(file for folder in folders for file in (_ROOT / folder).rglob("*.py"))]
    code = "\n".join(file.read_text() for file in sources)
    used = {"database_url"}  # by way of `dsn`
    assert [name for name in Settings.model_fields if name not in used and not re.search(rf"\.{name}\b", code)] == []


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:hunter2@somewhere/db")
    monkeypatch.setenv("BATON_PORT", "0")
    monkeypatch.setenv("BATON_CORS_ORIGINS", '["https://one.example"]')
    monkeypatch.setenv("BATON_LOG_LEVEL", "")
    settings = Settings()
    assert settings.dsn == "postgresql://someone:hunter2@somewhere/db"
    assert settings.port == 0
    assert settings.cors_origins == ("https://one.example",)
    assert settings.log_level == "INFO", "an empty variable is an unset one"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATON_PORT", "70000"),
        ("BATON_TEMPORAL_DETAILS", "all"),
        ("BATON_POOL_MAX_SIZE", "0"),
        ("BATON_REDIS_URL", "localhost:6379"),
        ("BATON_REQUESTS_PER_MINUTE", "-1"),
        ("BATON_JWT_SECRET", "x" * 31),
    ],
)
def test_what_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize("name", ["BATON_JWT_SECRET", "BATON_REDIS_URL"])
def test_a_secret_that_cannot_be_read_is_not_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "hunter2")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "hunter2" not in str(refused.value)
