"""Is what a worker says that it has what it has?"""

import ast
import inspect
import textwrap
from contextlib import suppress

import pytest
from pydantic_ai.providers import infer_provider_class

from baton.agents.catalog import own_catalog
from baton.agents.known_models import GATEWAY_APIS, PROVIDERS, known_models

#: What pydantic-ai knows and has no models of: they embed, or speak.
_WITHOUT_MODELS = {"elevenlabs", "sentence-transformers", "voyageai"}


def test_the_providers_are_those_of_the_library() -> None:
    source = ast.parse(textwrap.dedent(inspect.getsource(infer_provider_class)))
    cases = [one.value for one in ast.walk(source) if isinstance(one, ast.MatchValue)]
    known = {one.value for one in cases if isinstance(one, ast.Constant)}
    assert known - _WITHOUT_MODELS == PROVIDERS
    for name in GATEWAY_APIS:
        with suppress(ImportError):  # a vendor's SDK that is not installed here: the name is known
            infer_provider_class(f"gateway/{name}")


def test_a_worker_has_its_tools_and_the_models_that_it_can_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    catalog = own_catalog()
    assert (catalog.tools["clock"], catalog.tools["write_note"]) == (False, True)
    assert "gpt-5-mini" in catalog.models["openai"]
    assert catalog.models["openai"] == catalog.models["openai-chat"] == catalog.models["openai-responses"]
    assert any(name.startswith("claude-") for name in catalog.models["anthropic"])
    assert catalog.models["azure"] == catalog.models["ollama"] == catalog.models["gateway/openai"] == ()


def test_a_server_of_ones_own_may_call_its_models_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway.example/v1")
    models = known_models()
    assert models["openai"] == models["openai-chat"] == ()
    assert models["anthropic"]
