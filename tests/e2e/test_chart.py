"""The Helm chart: rendered by Helm, each object checked against Kubernetes' own schemas, and against this checkout."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from baton.cli.main import COMMANDS
from baton.settings import Settings
from tests.support.helm import find_helm

_ROOT = Path(__file__).resolve().parents[2]
_CHART = _ROOT / "deploy/helm/baton"
_KUBERNETES = "1.34"

_NEEDED = {
    "image": {"repository": "registry.example/baton"},
    "existingSecret": "baton",
    "temporal": {"address": "temporal.example:7233"},
}
_EVERYTHING: dict[str, Any] = {
    **_NEEDED,
    "image": {"repository": "registry.example/baton", "digest": f"sha256:{'a' * 64}"},
    "imagePullSecrets": [{"name": "pull"}],
    "temporal": {"address": "temporal.example:7233", "tls": True, "existingSecret": "temporal", "prepare": False},
    "settings": {"BATON_LOG_LEVEL": "INFO", "BATON_MAX_STREAMS": 10, "BATON_CORS_ORIGINS": ["https://a.example"]},
    "api": {
        "settings": {"BATON_MAX_STREAMS": 0},
        "service": {"annotations": {"a": "b"}},
        "ingress": {"enabled": True, "host": "baton.example", "tlsSecret": "tls", "className": "nginx"},
    },
    "workers": {
        "default": None,
        "gpu": {"queues": ["gpu", "gpu-2"], "existingSecret": "models", "keda": {"enabled": True}},
        "cpu": {"queues": ["cpu"], "replicas": 0, "disruptionBudget": {"maxUnavailable": "50%"}},
    },
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "agents"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "serviceAccount": {"create": False, "name": "agents"},
}

Objects = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def helm() -> Path:
    return find_helm()


def _render(helm: Path, values: dict[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
    command = [helm, "template", "acme", _CHART, "--kube-version", _KUBERNETES, "--values", "-", *options]
    return subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)


def _objects(rendered: subprocess.CompletedProcess[str]) -> Objects:
    assert not rendered.returncode, rendered.stderr
    return {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load_all(rendered.stdout) if o}


@pytest.fixture(scope="module")
def least(helm: Path) -> Objects:
    return _objects(_render(helm, _NEEDED))


@pytest.fixture(scope="module")
def most(helm: Path) -> Objects:
    return _objects(_render(helm, _EVERYTHING))


def _pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, pod and container of all that runs."""
    for (kind, name), o in objects.items():
        if kind in ("Deployment", "Job"):
            pod = o["spec"]["template"]["spec"]
            yield name, pod, pod["containers"][0]


def _environment(container: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


@pytest.mark.timeout(1200)  # where Helm has to be built
def test_least_values_give_the_whole(least: Objects) -> None:
    assert set(least) == {
        ("ServiceAccount", "acme-baton"),
        ("Job", "acme-baton-migrate"),
        ("Deployment", "acme-baton-api"),
        ("Service", "acme-baton-api"),
        ("PodDisruptionBudget", "acme-baton-api"),
        ("Deployment", "acme-baton-worker-default"),
        ("PodDisruptionBudget", "acme-baton-worker-default"),
    }


def test_kubernetes_knows_every_field(least: Objects, most: Objects) -> None:
    own = {"PodMonitor", "ScaledObject"}
    assert own <= {kind for kind, _ in most}
    for (kind, _), o in [*least.items(), *most.items()]:
        if kind not in own:
            kubernetes_validate.validate(o, _KUBERNETES, strict=True)


def test_settings_and_commands_are_those_of_this_checkout(least: Objects, most: Objects) -> None:
    known = {f"BATON_{name.upper()}" for name in Settings.model_fields}
    known |= {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_TLS"}
    for objects in (least, most):
        for name, _, container in _pods(objects):
            assert set(_environment(container)) <= known, name
            assert container["args"][0] in COMMANDS, name


def test_own_settings_win_also_where_they_are_nothing(most: Objects) -> None:
    environment = {name: _environment(container) for name, _, container in _pods(most)}
    assert environment["acme-baton-api"]["BATON_MAX_STREAMS"] == "0"
    assert environment["acme-baton-worker-gpu"]["BATON_MAX_STREAMS"] == "10"
    assert environment["acme-baton-worker-gpu"]["BATON_CORS_ORIGINS"] == '["https://a.example"]'
    assert Settings.model_validate({"cors_origins": ["https://a.example"]}).cors_origins == ("https://a.example",)


def test_only_its_own_pods_read_the_keys_of_models(most: Objects) -> None:
    secrets = {name: [e["secretRef"]["name"] for e in c["envFrom"]] for name, _, c in _pods(most)}
    assert secrets == {
        "acme-baton-migrate": ["baton", "temporal"],
        "acme-baton-api": ["baton", "temporal"],
        "acme-baton-worker-gpu": ["baton", "temporal", "models"],
        "acme-baton-worker-cpu": ["baton", "temporal"],
    }


def test_pods_have_no_rights_that_they_do_not_need(least: Objects, most: Objects) -> None:
    for objects in (least, most):
        for name, pod, container in _pods(objects):
            assert pod["securityContext"]["runAsNonRoot"] is True, name
            assert pod["automountServiceAccountToken"] is False, name
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name


def test_every_selector_finds_pods_and_every_named_port_is_open(least: Objects, most: Objects) -> None:
    for objects in (least, most):
        pods = [o["spec"]["template"] for (kind, _), o in objects.items() if kind == "Deployment"]
        for (kind, name), o in objects.items():
            if kind not in ("Service", "PodDisruptionBudget"):
                continue
            wanted = o["spec"]["selector"].get("matchLabels", o["spec"]["selector"])
            found = [p for p in pods if wanted.items() <= p["metadata"]["labels"].items()]
            assert len(found) == 1, name
            for port in o["spec"].get("ports", ()):
                assert port["targetPort"] in {p["name"] for p in found[0]["spec"]["containers"][0]["ports"]}
        for _, pod, container in _pods(objects):
            ports = {port["name"] for port in container.get("ports", ())}
            probes = [container[probe] for probe in ("startupProbe", "livenessProbe", "readinessProbe") if ports]
            assert {probe["httpGet"]["port"] for probe in probes} <= ports
            assert pod.get("terminationGracePeriodSeconds", 30) >= 30


def test_a_monitor_reads_every_process_that_stays(most: Objects) -> None:
    spec = most["PodMonitor", "acme-baton"]["spec"]
    (endpoint,) = spec["podMetricsEndpoints"]
    for (kind, name), o in most.items():
        if kind == "Deployment":
            pod = o["spec"]["template"]
            assert spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items(), name
            (container,) = pod["spec"]["containers"]
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            where = "BATON_METRICS_PORT" if name.endswith("-api") else "BATON_WORKER_PORT"
            assert str(ports[endpoint["port"]]) == _environment(container)[where], name


def test_a_scaler_watches_every_queue_of_its_worker(most: Objects) -> None:
    scaler = most["ScaledObject", "acme-baton-worker-gpu"]["spec"]
    worker = most["Deployment", scaler["scaleTargetRef"]["name"]]["spec"]
    assert "replicas" not in worker, "an upgrade would undo what the scaler did"
    watched = {trigger["metadata"]["taskQueue"] for trigger in scaler["triggers"]}
    assert watched == {a.removeprefix("--queue=") for a in worker["template"]["spec"]["containers"][0]["args"][1:]}
    assert most["Deployment", "acme-baton-worker-cpu"]["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"image": {}}, "image.repository"),
        ({"existingSecret": ""}, "a Secret with DATABASE_URL"),
        ({"temporal": {}}, "temporal.address"),
        ({"replicas": 3}, "replicas"),
        ({"workers": {"a": {"queue": ["a"]}}}, "workers.a"),
        ({"workers": {"a": {"queues": []}}}, "workers.a.queues"),
        ({"settings": {"DATABASE_URL": "postgresql://…"}}, "settings"),
        ({"image": {"repository": "a", "digest": "latest"}}, "image.digest"),
    ],
)
def test_what_is_missing_or_misspelt_is_named(helm: Path, values: dict[str, Any], said: str) -> None:
    rendered = _render(helm, _NEEDED | values)
    assert rendered.returncode
    assert said.lower() in rendered.stderr.lower()
