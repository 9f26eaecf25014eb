"""A small repository of plugins that is watched for tags, and the deployment that a watch or a webhook starts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from tests.machine.example_repository import commit, git, make_repository
from tests.machine.url_rewrites import stand_in_for

TAG = "wasm-go-request-block-v1.0.0"
FOLDER = "plugins/wasm-go/extensions/request-block"
FORGE = "https://forge.example.com/acme/plugins"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return the example repository with one plugin and its tag."""
    example = make_repository(tmp_path / "example")
    for tag in git(example, "tag").split():
        if tag != TAG:
            git(example, "tag", "-d", tag)
    return example


@pytest.fixture
def hosted(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the repository of FORGE: git goes to its folder where the address says the forge."""
    folder = tmp_path / "acme" / "plugins"
    shutil.move(small, folder)
    stand_in_for(monkeypatch, tmp_path / "gitconfig", "https://forge.example.com/", f"file://{tmp_path}/")
    return folder


@pytest.fixture
def deployment() -> Iterator[UUID]:
    """Make a deployment `publish-plugin/on-tag` that no worker looks after."""
    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("publish-plugin")
        made = client.create_deployment(flow, "on-tag")
        yield made
        for run in runs_of(made):
            client.delete_flow_run(run.id)
        client.delete_deployment(made)


def states(result: dict[str, Any]) -> dict[str, str]:
    return {row["tag"]: row["state"] for row in result["tags"]}


def runs_of(deployment: UUID) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        chosen = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        return client.read_flow_runs(deployment_filter=chosen, sort=FlowRunSort.EXPECTED_START_TIME_DESC)


def release(repository: Path, version: str) -> str:
    """Commit something new and tag it as a version; return the tag."""
    (repository / FOLDER / "VERSION").write_text(f"{version}\n")
    commit(repository, version)
    tag = f"wasm-go-request-block-v{version}"
    git(repository, "tag", tag)
    return tag


def set_state(run: FlowRun, state: Any) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, state, force=True)
