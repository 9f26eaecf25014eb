"""The status of the released commit, at a stand-in for the forge on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from flows.publish_plugin import publish_plugin
from pluginyard.errors import BuildError, RepeatedCrashError
from pluginyard.forms import PublishRequest
from tests.machine.example_repository import commit, git
from tests.machine.status_forge import StatusForge, run_status_forge
from tests.machine.url_rewrites import stand_in_for

TAG = "wasm-go-request-block-v1.0.0"
URL = "https://forge.example.com/acme/plugins.git"
TOKEN = "ghp_a-token-of-these-tests"


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatusForge]:
    with run_status_forge() as running:
        monkeypatch.setenv("PLUGINYARD_GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv("PLUGINYARD_GITHUB_URL", "https://forge.example.com")
        monkeypatch.setenv("PLUGINYARD_GITHUB_API", running.url)
        yield running


@pytest.fixture
def hosted(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let git go to the example where the forge's address says so."""
    stand_in_for(monkeypatch, example.with_name("gitconfig"), URL, f"file://{example}")
    return example


def publish(out: Path, repository: str = URL, tag: str = TAG) -> dict[str, Any]:
    return publish_plugin(PublishRequest(repository=repository, tag=tag, registries=[f"oci:{out}"]))


def told(forge: StatusForge) -> list[tuple[str, str]]:
    return [(call.document["state"], call.document["description"]) for call in forge.calls]


def test_the_commit_says_how_its_release_goes_with_a_link_to_the_run(
    forge: StatusForge, hosted: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path / "out")
    assert told(forge) == [("pending", "publishing request-block 1.0.0"), ("success", "published request-block 1.0.0")]
    head = git(hosted, "rev-parse", "HEAD")
    assert {call.path for call in forge.calls} == {f"/repos/acme/plugins/statuses/{head}"}
    assert {call.document["context"] for call in forge.calls} == {"pluginyard/request-block"}
    run = forge.calls[0].document["target_url"].rpartition("/runs/flow-run/")[2]
    with get_client(sync_client=True) as client:
        (found,) = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))
        assert found.name == f"publish {TAG}"
        recorded = found.model_dump_json()
    assert TOKEN not in recorded + "".join(capfd.readouterr())


def test_a_release_that_fails_is_a_failure_at_its_commit(forge: StatusForge, hosted: Path, tmp_path: Path) -> None:
    (hosted / "plugins/wasm-go/extensions/request-block/main.go").write_text(
        "package main\n\nfunc main() { nonsense }\n"
    )
    commit(hosted, "broken")
    git(hosted, "tag", "--force", TAG)
    with pytest.raises(BuildError):
        publish(tmp_path / "out")
    assert [state for state, _ in told(forge)] == ["pending", "failure"]
    assert told(forge)[1][1].startswith("request-block 1.0.0: ")


def test_a_release_whose_runs_crashed_too_often_is_a_failure_at_its_commit(
    forge: StatusForge, hosted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for begun, calls in ((4, 2), (5, 2)):
        monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", str(begun))
        with pytest.raises(RepeatedCrashError):
            publish(tmp_path / "out")
        assert len(forge.calls) == calls, "a run that crashes while it tells is not begun for ever"
    assert told(forge)[-1] == ("failure", "request-block 1.0.0: started 3 times already, and never finished")
    assert not (tmp_path / "out").exists()


def test_a_forge_that_refuses_the_status_fails_no_release(forge: StatusForge, hosted: Path, tmp_path: Path) -> None:
    forge.answers = [(401, {}, '{"message": "Bad credentials"}')] * 2
    assert publish(tmp_path / "out")["published"] is True
    assert len(forge.calls) == 2


def test_other_repositories_and_sites_without_a_token_get_no_status(
    forge: StatusForge, hosted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path / "out", repository=f"file://{hosted}")
    monkeypatch.delenv("PLUGINYARD_GITHUB_TOKEN")
    publish(tmp_path / "out")
    assert forge.calls == []
