"""Are rules, dashboard and runbook about series that there are, and does each rule fire for its fault alone?"""

import json
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import REGISTRY

from baton.metrics import series
from tests.faults.alerts import FIRED
from tests.support.queries_of_metrics import ADDED, named

_ROOT: Final = Path(__file__).resolve().parents[2]
_RULES: Final = _ROOT / "deploy/prometheus/alerts.yaml"
_DASHBOARD: Final = _ROOT / "deploy/grafana/baton.json"
_RUNBOOK: Final = _ROOT / "docs/runbooks/monitoring.md"
_SUFFIX: Final = re.compile(r"_(total|bucket|count|sum|info)$")


def rules() -> dict[str, dict[str, Any]]:
    """The alert rules by name."""
    groups = yaml.safe_load(_RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def queries() -> list[str]:
    """What the dashboard asks."""
    panels = json.loads(_DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def expressions() -> list[str]:
    """All of both."""
    return [*(rule["expr"] for rule in rules().values()), *queries()]


def own_series() -> dict[str, set[str]]:
    """The series that this code defines, with their labels, by the names that Prometheus has for them."""
    found: dict[str, set[str]] = {}
    for metric in vars(series).values():
        if getattr(metric, "_labelnames", None) is None:
            continue
        (family,) = metric.describe()
        names = {
            "counter": [f"{family.name}_total"],
            "histogram": [f"{family.name}{suffix}" for suffix in ("_bucket", "_count", "_sum")],
            "info": [f"{family.name}_info"],
        }.get(family.type, [family.name])
        found |= {name: set(metric._labelnames) for name in names}
    return found


def test_rules_and_dashboard_name_series_and_labels_that_there_are() -> None:
    ours = own_series()
    asked = [(name, labels) for text in expressions() for name, labels in named(text).items()]
    assert len(asked) > 50
    wrong = {
        name: labels - ours.get(name, set())
        for name, labels in asked
        if name.startswith("baton_") and not (name in ours and labels - ADDED <= ours[name])
    }
    assert wrong == {}


def test_the_sdk_knows_the_series_of_its_own_that_are_asked_for() -> None:
    """Some are there only once something has failed: their names are in the SDK's library."""
    bridge = import_module("temporalio.bridge.temporal_sdk_bridge").__file__
    assert bridge
    library = Path(bridge).read_bytes()
    asked = {name for text in expressions() for name in named(text) if name.startswith("temporal_")}
    plain = {re.sub(r"(_seconds)?(_total|_bucket|_count|_sum)?$", "", name.removeprefix("temporal_")) for name in asked}
    assert len(plain) > 8
    assert [name for name in plain if name.encode() not in library] == []


def test_the_runbook_has_each_series_with_its_labels_and_each_alert() -> None:
    page = _RUNBOOK.read_text()
    told = set(re.findall(r"`(baton_\w+)`", page))
    assert told == {re.sub(r"_(bucket|count|sum)$", "", name) for name in own_series()}
    headings = set(re.findall(r"^### (Baton\w+)$", page, re.MULTILINE))
    assert headings == set(rules())
    assert all(
        rule["annotations"]["runbook"] == f"docs/runbooks/monitoring.md#{name.lower()}"
        for name, rule in rules().items()
    )


def test_what_alerts_look_for_begins_at_nothing() -> None:
    """Prometheus sees no increase in a series whose first value is 1."""
    for name, labels in {
        "baton_workflows_replaced_total": {"workflow": "task", "cause": "NonDeterministicError"},
        "baton_limits_reached_total": {"limit": "max_usd", "of": "plan"},
        "baton_database_failures_total": {"kind": "unfit"},
        "baton_steps_handed_back_total": {"reason": "no_slot"},
        "baton_rate_limited_total": {"what": "streams"},
    }.items():
        assert REGISTRY.get_sample_value(name, labels) is not None


_UP: Final = {"job": "baton-api", "instance": "a:1"}
_TASKS: Final = {"task_queue": "q", "instance": "w:1"}
#: For each alert the fault that it is for, as series: what Prometheus reads every minute. `60x20`: 60 more, 20 times.
_FAULTS: Final[dict[str, list[tuple[str, dict[str, str], str]]]] = {
    "BatonProcessDown": [("up", _UP, "0x20")],
    "BatonOldestUnprocessed": [("baton_oldest_unprocessed_seconds", {}, "0+60x40")],
    "BatonNoWorker": [("baton_unheard_seconds", {"queue": "q"}, "0+60x20")],
    "BatonUnknownQueue": [("baton_astray_seconds", {}, "0+60x20")],
    "BatonRelayLag": [("baton_relay_lag_seconds", {}, "0+60x20")],
    "BatonDatabaseUnavailable": [("baton_database_failures_total", {"kind": "away"}, "0+5x20")],
    "BatonBacklogUnknown": [("baton_backlog_timestamp_seconds", {}, "0x30")],
    "BatonDatabaseSlow": [("baton_database_failures_total", {"kind": "slow"}, "0+5x20")],
    "BatonTemporalAway": [("baton_doorbell_seconds_count", {"outcome": "away"}, "0+10x20")],
    "BatonApiErrors": [
        ("baton_http_request_seconds_count", {"dialect": "baton", "code": "500"}, "0+2x20"),
        ("baton_http_request_seconds_count", {"dialect": "baton", "code": "200"}, "0+90x20"),
    ],
    "BatonAcceptSlow": [
        ("baton_accept_seconds_bucket", {"dialect": "baton", "le": "1.0"}, "0x30"),
        ("baton_accept_seconds_bucket", {"dialect": "baton", "le": "2.5"}, "0+9x30"),
        ("baton_accept_seconds_bucket", {"dialect": "baton", "le": "+Inf"}, "0+9x30"),
    ],
    "BatonStuckWorkflows": [
        ("baton_workflows_replaced_total", {"workflow": "task", "cause": "NonDeterministicError"}, "0 0 1x20")
    ],
    "BatonProviderAway": [("baton_model_failures_total", {"model": "openai:x", "code": "model_unavailable"}, "0+2x20")],
    "BatonModelUnusable": [
        ("baton_model_failures_total", {"model": "openai:x", "code": "model_key_rejected"}, "_ _ 1x20")
    ],
    "BatonBudgetReached": [("baton_limits_reached_total", {"limit": "max_usd", "of": "plan"}, "0 0 1x20")],
    "BatonStepsFull": [("baton_steps_handed_back_total", {"reason": "no_slot"}, "0+9x20")],
    "BatonStreamsFull": [("baton_streams", _UP, "3900x20"), ("baton_streams_max", _UP, "4000x20")],
    "BatonWorkflowTasksWait": [
        ("temporal_workflow_task_schedule_to_start_latency_seconds_bucket", {**_TASKS, "le": "1"}, "0x30"),
        ("temporal_workflow_task_schedule_to_start_latency_seconds_bucket", {**_TASKS, "le": "5"}, "0+9x30"),
        ("temporal_workflow_task_schedule_to_start_latency_seconds_bucket", {**_TASKS, "le": "+Inf"}, "0+9x30"),
    ],
    "BatonActivitiesWait": [
        ("temporal_activity_schedule_to_start_latency_seconds_bucket", {**_TASKS, "le": "5"}, "0x30"),
        ("temporal_activity_schedule_to_start_latency_seconds_bucket", {**_TASKS, "le": "10"}, "0+9x30"),
        ("temporal_activity_schedule_to_start_latency_seconds_bucket", {**_TASKS, "le": "+Inf"}, "0+9x30"),
    ],
    "BatonNoSlots": [("baton_worker_slots_free", {"queue": "q", "kind": "workflow", "instance": "w:1"}, "0x30")],
    "BatonNoPollers": [("temporal_num_pollers", {**_TASKS, "poller_type": "workflow_task"}, "0x30")],
    "BatonPollsFail": [("temporal_long_request_failure_total", {"operation": "PollActivityTaskQueue"}, "0+5x30")],
    "BatonTemporalRequestsFail": [
        (
            "temporal_request_failure_total",
            {"operation": "RespondWorkflowTaskCompleted", "status_code": "UNAVAILABLE"},
            "0+9x30",
        )
    ],
    "BatonNonDeterminism": [
        (
            "temporal_workflow_task_execution_failed_total",
            {"workflow_type": "PlanWorkflow", "failure_reason": "NonDeterminismError"},
            "_ _ 1x20",
        )
    ],
    "BatonWorkflowTasksFail": [
        (
            "temporal_workflow_task_execution_failed_total",
            {"workflow_type": "PlanWorkflow", "failure_reason": "WorkflowError"},
            "1+1x30",
        )
    ],
    "BatonStickyCacheMisses": [
        ("temporal_sticky_cache_miss_total", _TASKS, "0+9x40"),
        ("temporal_sticky_cache_hit_total", _TASKS, "0+1x40"),
    ],
}


def test_there_is_a_fault_for_each_alert() -> None:
    assert set(_FAULTS) == set(rules())


def test_each_alert_is_fired_by_a_real_fault_too_and_the_runbook_says_which() -> None:
    tests = re.findall(r"^async def (test_\w+)", (_ROOT / "tests/faults/test_alerts.py").read_text(), re.MULTILINE)
    assert set(FIRED) <= set(tests)
    fired = [alert for alerts in FIRED.values() for alert in alerts]
    assert sorted(fired) == sorted(rules())
    told = dict(re.findall(r"^\| .* \| (Baton[\w, ]+) \| `(test_\w+)` \|$", _RUNBOOK.read_text(), re.MULTILINE))
    assert {test: frozenset(alerts.split(", ")) for alerts, test in told.items()} == FIRED


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    for name, rule in rules().items():
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}, name
        summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
        assert not summary.endswith("."), name
        assert description.endswith("."), name
        assert len(description) <= 130, name


def _series(name: str, labels: dict[str, str], values: str) -> dict[str, str]:
    told = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return {"series": f"{name}{{{told}}}", "values": values}


def _case(faults: list[tuple[str, dict[str, str], str]], *fires: str) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [_series(*fault) for fault in faults],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"} offset 1m)',
                "eval_time": "35m" if any(name in _LATE for name in fires) else "12m",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in fires],
            }
        ],
    }


#: Those that are patient.
_LATE: Final = frozenset({"BatonOldestUnprocessed", "BatonStickyCacheMisses"})
#: A day on which all is well: none of these may fire.
_QUIET: Final[list[tuple[str, dict[str, str], str]]] = [
    ("up", _UP, "1x20"),
    ("baton_oldest_unprocessed_seconds", {}, "3x20"),
    ("baton_unheard_seconds", {"queue": "q"}, "0x20"),
    ("baton_astray_seconds", {}, "0x20"),
    ("baton_relay_lag_seconds", {}, "0x20"),
    ("baton_database_failures_total", {"kind": "away"}, "4x20"),
    ("baton_backlog_timestamp_seconds", {}, "0+60x20"),
    ("baton_doorbell_seconds_count", {"outcome": "rung"}, "0+99x20"),
    ("baton_http_request_seconds_count", {"dialect": "baton", "code": "200"}, "0+99x20"),
    ("baton_http_request_seconds_count", {"dialect": "baton", "code": "404"}, "0+9x20"),
    ("baton_accept_seconds_bucket", {"dialect": "baton", "le": "0.01"}, "0+99x20"),
    ("baton_accept_seconds_bucket", {"dialect": "baton", "le": "+Inf"}, "0+99x20"),
    ("baton_workflows_replaced_total", {"workflow": "task", "cause": "NonDeterministicError"}, "7x20"),
    ("baton_steps_handed_back_total", {"reason": "no_slot"}, "9x20"),
    ("baton_steps_handed_back_total", {"reason": "tool_busy"}, "0+9x20"),
    ("baton_streams_max", {"instance": "w:1"}, "0x20"),
    ("baton_streams", _UP, "9x20"),
    ("baton_streams_max", _UP, "4000x20"),
    ("baton_rate_limited_total", {"what": "requests"}, "0+9x20"),
    ("baton_worker_slots_free", {"queue": "q", "kind": "workflow", "instance": "w:1"}, "94x20"),
    ("temporal_num_pollers", {**_TASKS, "poller_type": "workflow_task"}, "3x20"),
    ("temporal_sticky_cache_hit_total", _TASKS, "0+9x20"),
    ("temporal_sticky_cache_miss_total", _TASKS, "0+1x20"),
]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus' promtool is not installed")
def test_each_alert_fires_for_its_fault_and_for_no_other(tmp_path: Path) -> None:
    cases = [_case(faults, name) for name, faults in _FAULTS.items()]
    test = {"rule_files": [str(_RULES)], "evaluation_interval": "30s", "tests": [*cases, _case(_QUIET)]}
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(test))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
