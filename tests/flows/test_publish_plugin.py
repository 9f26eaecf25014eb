"""The flow on Prefect's test server, into layout folders, with this machine's toolchain."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterName
from prefect.client.schemas.sorting import ArtifactSort, FlowRunSort

from flows.publish_plugin import publish_plugin
from pluginyard.errors import (
    ConfigurationError,
    GatewayError,
    PluginyardError,
    RequestError,
    SourceError,
    VersionTakenError,
)
from pluginyard.forms import PublishRequest
from tests.machine.example_repository import commit, git, make_repository

TAG = "wasm-go-request-block-v1.0.0"
NINE = [
    *("resolve-release", "checkout-source", "detect-files", "build-module", "pack-artifact"),
    *("log-in", "push-artifact", "verify-artifact", "post-report"),
]


def publish(repository: Path, *registries: Path, **fields: Any) -> dict[str, Any]:
    names = {"tag": TAG} if not {"tag", "plugin"} & set(fields) else {}
    request = PublishRequest(
        repository=str(repository), registries=[f"oci:{place}" for place in registries], **names, **fields
    )
    return publish_plugin(request)


def index(layout: Path) -> dict[str, str]:
    if not (layout / "index.json").exists():
        return {}
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    return {
        entry.get("annotations", {}).get("org.opencontainers.image.ref.name", ""): entry["digest"] for entry in entries
    }


def last_run(title: str, until: str = "post-report") -> tuple[Any, list[Any]]:
    """Return the newest run of that title and its task runs, once the task `until` is among them and done."""
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(name=FlowRunFilterName(like_=title)),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=1,
        )
        for _ in range(120):  # task runs reach the server as events, a moment later
            found = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
            done = [item for item in found if item.state and item.state.is_final()]
            if len(done) == len(found) and any(item.name.startswith(until) for item in done):
                return run, sorted(done, key=lambda item: item.start_time)
            time.sleep(0.25)
    raise AssertionError(f"{until} is not among {[item.name for item in found]}")


def names(task_runs: list[Any]) -> list[str]:
    return [item.name.split()[0] for item in task_runs]


def test_the_run_shows_nine_tasks_in_order_and_a_report(example: Path, tmp_path: Path) -> None:
    result = publish(example, tmp_path / "out")
    run, task_runs = last_run(TAG)
    assert names(task_runs) == NINE
    assert run.name == f"publish {TAG}"
    assert result["published"] is True
    assert index(tmp_path / "out") == {
        "request-block-1.0.0": result["digest"],
        "request-block-latest": result["digest"],
    }


def test_the_report_says_what_to_paste_into_a_cluster(example: Path, tmp_path: Path) -> None:
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    result = publish(example, tmp_path / "out")
    with get_client(sync_client=True) as client:
        reports = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["published-go-request-block"])),
            sort=ArtifactSort.CREATED_DESC,
            limit=1,
        )
    text = str(reports[0].data)
    resource = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert resource["kind"] == "WasmPlugin"
    assert resource["spec"]["sha256"] == result["digest"].removeprefix("sha256:"), (
        "the manifest's digest, not the module's"
    )
    assert (resource["spec"]["phase"], resource["spec"]["priority"]) == ("AUTHZ", 320), "as its spec.yaml declares"
    for fact in (
        result["reference"],
        result["commit"],
        result["fingerprint"],
        result["builder"],
        "loads on every gateway",
    ):
        assert fact in text


def test_a_second_publish_builds_nothing_and_changes_nothing(example: Path, tmp_path: Path) -> None:
    first = publish(example, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    second = publish(example, tmp_path / "out")
    assert second["published"] is False
    assert second["digest"] == first["digest"]
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    _, task_runs = last_run(TAG)
    assert names(task_runs) == [name for name in NINE if name not in ("build-module", "pack-artifact")]


def test_what_is_configured_for_a_registry_stands_in_the_manifest(example: Path, tmp_path: Path) -> None:
    own = {"config_media_type": "application/vnd.oci.image.config.v1+json", "annotations": {"com.example.team": "edge"}}
    path = example / "pluginyard.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "registry_settings": {"*": own}}))
    commit(example, "what the registry insists on")
    digest = publish(example, tmp_path / "out", plugin="request-block", version="1.0.0")["digest"]
    manifest = json.loads((tmp_path / "out/blobs/sha256" / digest.removeprefix("sha256:")).read_bytes())
    assert manifest["config"]["mediaType"] == own["config_media_type"]
    assert manifest["annotations"]["com.example.team"] == "edge"


def test_publishing_again_mends_a_layout_folder_whose_blob_was_damaged(example: Path, tmp_path: Path) -> None:
    first = publish(example, tmp_path / "out")
    blob = tmp_path / "out/blobs/sha256" / first["layers"][-1]["digest"].removeprefix("sha256:")
    content = blob.read_bytes()
    blob.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    again = publish(example, tmp_path / "out")
    assert again["digest"] == first["digest"]
    assert blob.read_bytes() == content


def test_two_clones_in_two_folders_give_the_same_digest_in_two_registries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for name in ("a", "b/deeper"):
        original = make_repository(tmp_path / name / "original")
        git(tmp_path, "clone", "-q", str(original), str(tmp_path / name / "clone"))
        monkeypatch.setenv("PLUGINYARD_CACHE", str(tmp_path / name / "cache"))
        digests.add(publish(tmp_path / name / "clone", tmp_path / name / "out")["digest"])
    assert len(digests) == 1


def test_a_registry_that_lacks_what_another_holds_gets_the_very_same_digest(example: Path, tmp_path: Path) -> None:
    first = publish(example, tmp_path / "one")
    (example / "NOTES.md").write_text("outside the plugin\n")
    commit(example, "another commit: a fresh build would carry its id")
    result = publish(example, tmp_path / "one", tmp_path / "two", plugin="request-block", version="1.0.0")
    assert result["digest"] == first["digest"]
    assert [place["state"] for place in result["registries"]] == ["already-there", "published"]
    assert index(tmp_path / "two")["request-block-1.0.0"] == first["digest"]


def test_other_content_under_a_published_version_is_refused_before_it_is_built(example: Path, tmp_path: Path) -> None:
    first = publish(example, tmp_path / "out")
    (example / "plugins/wasm-go/extensions/request-block/README.md").write_text("other\n")
    commit(example, "other content")
    with pytest.raises(VersionTakenError, match="release a new version") as refusal:
        publish(example, tmp_path / "out", plugin="request-block", version="1.0.0")
    assert refusal.value.exit_code == 9
    assert index(tmp_path / "out")["request-block-1.0.0"] == first["digest"]
    _, task_runs = last_run("request-block 1.0.0", until="detect-files")
    assert names(task_runs) == NINE[:3]

    moved = publish(example, tmp_path / "out", plugin="request-block", version="1.0.0", overwrite=True)
    assert moved["digest"] != first["digest"]
    assert index(tmp_path / "out")["request-block-1.0.0"] == moved["digest"]


def test_latest_moves_forward_only_and_only_for_stable_versions(example: Path, tmp_path: Path) -> None:
    def release(version: str) -> str:
        folder = example / "plugins/wasm-go/extensions/request-block"
        (folder / "VERSION").write_text(f"{version}\n")
        commit(example, version)
        return str(publish(example, tmp_path / "out", plugin="request-block", version=version)["digest"])

    newest = release("2.0.0")
    older, candidate = release("1.9.0"), release("2.1.0-rc.1")
    assert len({newest, older, candidate}) == 3
    assert index(tmp_path / "out")["request-block-latest"] == newest


def test_a_module_that_was_built_is_not_built_again(example: Path, tmp_path: Path) -> None:
    publish(example, tmp_path / "one")
    publish(example, tmp_path / "two")
    _, task_runs = last_run(TAG)
    built = next(item for item in task_runs if item.name.startswith("build-module"))
    assert built.state_name == "Cached"


def test_a_module_whose_file_is_gone_is_built_again(example: Path, tmp_path: Path, shared_cache: Path) -> None:
    first = publish(example, tmp_path / "one")
    for module in (shared_cache / "modules").glob("*.wasm"):
        module.write_bytes(b"truncated")
    second = publish(example, tmp_path / "two")
    assert second["digest"] == first["digest"]


def test_a_version_nobody_names_comes_from_the_version_file_else_from_the_commit(example: Path, tmp_path: Path) -> None:
    assert publish(example, tmp_path / "out", plugin="request-block")["version"] == "1.0.0"
    (example / "plugins/wasm-go/extensions/request-block/VERSION").unlink()
    head = commit(example, "no version")
    result = publish(example, tmp_path / "out", plugin="request-block")
    assert result["version"].endswith(f"-{head[:7]}")
    assert index(tmp_path / "out")["request-block-latest"] != result["digest"], "a commit's version is not stable"


def test_nothing_is_left_in_the_cache_of_runs(example: Path, tmp_path: Path, shared_cache: Path) -> None:
    publish(example, tmp_path / "out")
    with pytest.raises(SourceError):
        publish(example, tmp_path / "out", plugin="no-such-plugin")
    assert list((shared_cache / "runs").iterdir()) == []


BAD_NAMES = {
    "build metadata": (
        {"tag": "wasm-go-request-block-v1.0.0+build1"},
        RequestError,
        "nearest: wasm-go-request-block-v1.0.0",
    ),
    "upper case": ({"tag": "wasm-go-Request-Block-v1.0.0"}, RequestError, "nearest: wasm-go-request-block-v1.0.0"),
    "empty version": ({"tag": "wasm-go-request-block-v"}, RequestError, "nearest: wasm-go-request-block-v1.0.0"),
    "dots": ({"plugin": "../request-block"}, RequestError, "try request-block"),
    "language": ({"plugin": "request-block", "language": "ruts"}, RequestError, "use rust"),
    "unknown tag": ({"tag": "wasm-go-request-block-v9.9.9"}, SourceError, "did you mean wasm-go-request-block-v1.0.0"),
    "unknown plugin": ({"plugin": "request-blok"}, SourceError, "did you mean request-block"),
}


@pytest.mark.parametrize("case", BAD_NAMES, ids=str)
def test_a_bad_name_is_refused_with_the_remedy_and_nothing_is_written(case: str, example: Path, tmp_path: Path) -> None:
    fields, kind, remedy = BAD_NAMES[case]
    with pytest.raises(kind) as refusal:
        publish(example, tmp_path / "out", **fields)
    assert isinstance(refusal.value, PluginyardError)
    assert remedy in refusal.value.remedy
    assert not (tmp_path / "out").exists()


def test_a_missing_envoy_is_refused_before_anything_runs(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGINYARD_ENVOY", str(tmp_path / "absent"))
    with pytest.raises(GatewayError, match="does not run"):
        publish(example, tmp_path / "out", run_in_envoy=True)
    assert not (tmp_path / "out").exists()


def test_a_wrong_probe_is_refused_before_anything_is_built(example: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(example), str(clone))
    (clone / "pluginyard.yaml").write_text("plugins: {request-block: {probe: {exchangs: []}}}\n")
    commit(clone, "A misspelt key")
    with pytest.raises(ConfigurationError, match="unknown key plugins.request-block.probe.exchangs") as refusal:
        publish(clone, tmp_path / "out", plugin="request-block", ref="HEAD")
    assert refusal.value.remedy == "did you mean exchanges?"
    assert not (tmp_path / "out").exists()


def test_the_form_describes_every_field(example: Path) -> None:
    from prefect.utilities.callables import parameter_schema

    schema = parameter_schema(publish_plugin)
    fields = schema.definitions["PublishRequest"]["properties"]
    assert set(fields) == set(PublishRequest.model_fields)
    assert all(field["description"] and field["title"] for field in fields.values())
