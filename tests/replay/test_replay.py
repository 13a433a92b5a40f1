"""New code reads old histories: what runs somewhere goes on when the worker is replaced."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from tests.replay.record import HISTORIES, SCENES
from workflows.agent_task import AgentTaskWorkflow
from workflows.plan import PlanWorkflow
from workflows.runner import sandbox


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
async def test_new_code_replays(path: Path) -> None:
    replayer = Replayer(workflows=[AgentTaskWorkflow, PlanWorkflow], workflow_runner=sandbox())
    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8")))


def test_every_scene_is_recorded() -> None:
    assert {path.stem for path in HISTORIES.glob("*.json")} >= set(SCENES)
