"""Are variables named that look like settings and are none?"""

import pytest

from baton.runtime.environment import unknown_settings
from baton.settings import Settings


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("BATON_TASK_QUEU", "there is no setting BATON_TASK_QUEU; did you mean BATON_TASK_QUEUE?"),
        ("BATON_REDIS_URI", "there is no setting BATON_REDIS_URI; did you mean BATON_REDIS_URL?"),
        ("BATON_WORKR_PORT", "there is no setting BATON_WORKR_PORT; did you mean BATON_WORKER_PORT?"),
        ("BATON_COLOUR_OF_LOGO", "there is no setting BATON_COLOUR_OF_LOGO"),
    ],
)
def test_an_unknown_name_is_told_with_the_one_that_was_meant(name: str, said: str) -> None:
    assert unknown_settings({name: "hunter2"}) == [said]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATON_TASK_QUEUE", "x"),
        ("BATON_URL", "x"),
        ("BATON_API_KEY", "x"),
        ("BATON_TEST_SEED", "1"),
        ("BATON_MISSPELT", ""),
        ("BATON_SERVICE_HOST", "10.0.0.1"),
        ("BATON_API_SERVICE_PORT_HTTP", "8080"),
        ("BATON_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("BATON_API_PORT", "tcp://10.0.0.1:8080"),
        ("TEMPORAL_ADRESS", "x"),
    ],
)
def test_what_something_reads_or_a_platform_sets_is_no_mistake(name: str, value: str) -> None:
    assert unknown_settings({name: value}) == []


def test_what_kubernetes_sets_for_a_service_is_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_PORT", "tcp://10.0.0.1:8080")
    monkeypatch.setenv("BATON_WORKER_PORT", "tcp://10.0.0.1:8081")
    settings = Settings()
    assert (settings.port, settings.worker_port) == (8080, None)
