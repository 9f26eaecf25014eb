"""The watch for drift on Prefect's test server: layout folders that somebody has tampered with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.publish_plugin import publish_plugin
from flows.verify_published import verify_published
from pluginyard.audits import record_key
from pluginyard.errors import BatchError, RequestError, VerificationError
from pluginyard.forms import PublishRequest, VerifyRequest
from pluginyard.oci import parse_destination
from tests.machine.example_repository import commit, git, make_repository

FOLDER = "plugins/wasm-go/extensions/request-block"
NAME = "request-block"


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[Path, Path, Path]]:
    """Return what makes copies of one repository with two releases, and of two layouts that hold both."""
    root = tmp_path_factory.mktemp("published")

    def give(target: Path) -> tuple[Path, Path, Path]:
        if not (root / "two").exists():
            repository = make_repository(root / "repository")
            for version in ("1.0.0", "1.1.0"):
                (repository / FOLDER / "VERSION").write_text(f"{version}\n")
                if version != "1.0.0":
                    (repository / FOLDER / "README.md").write_text(f"As of {version}\n")
                    commit(repository, version)
                git(repository, "tag", "--force", f"wasm-go-{NAME}-v{version}")
                places = [f"oci:{root / 'one'}", f"oci:{root / 'two'}"]
                publish_plugin(
                    PublishRequest(repository=str(repository), tag=f"wasm-go-{NAME}-v{version}", registries=places)
                )
        for name in ("repository", "one", "two"):
            shutil.copytree(root / name, target / name, symlinks=True)
        return target / "repository", target / "one", target / "two"

    return give


@pytest.fixture
def yard(
    published: Callable[[Path], tuple[Path, Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path, Path]:
    """Return a repository with two releases and two layouts that hold both; nothing was verified yet."""
    monkeypatch.setenv("PLUGINYARD_BUILD_CACHE", "shared")
    return published(tmp_path)


def verify(repository: Path | str, *layouts: Path, **fields: Any) -> dict[str, Any]:
    places = [f"oci:{layout}" for layout in layouts]
    return verify_published(
        VerifyRequest(**{"repository": str(repository), "plugins": [NAME], "registries": places, **fields})
    )


def drift(repository: Path | str, *layouts: Path, **fields: Any) -> str:
    """Verify, and return what the run failed with."""
    with pytest.raises(VerificationError) as failure:
        verify(repository, *layouts, **fields)
    assert failure.value.exit_code == 10
    return str(failure.value)


def tamper(layout: Path, change: Callable[[dict[str, dict[str, Any]]], Any]) -> None:
    """Change the layout's entries, by tag."""
    index = json.loads((layout / "index.json").read_text())
    tagged = {entry["annotations"]["org.opencontainers.image.ref.name"]: entry for entry in index["manifests"]}
    change(tagged)
    (layout / "index.json").write_text(json.dumps({**index, "manifests": list(tagged.values())}))


def digests(layout: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    tamper(layout, lambda entries: found.update({tag: entry["digest"] for tag, entry in entries.items()}))
    return found


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def layers(layout: Path, tag: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(blob(layout, digests(layout)[tag]).read_text())["layers"]
    return found


def artifacts(key: str) -> list[Any]:
    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))


def test_the_first_run_records_and_the_next_finds_nothing_new(yard: tuple[Path, Path, Path]) -> None:
    repository, one, two = yard
    first = verify(repository, one, two)
    assert first["summary"] == "4 versions, 4 new"
    assert first["findings"] == []
    second = verify(repository, one, two)
    assert second["summary"] == "4 versions"
    (record,) = artifacts(record_key(parse_destination(f"oci:{one}")))
    rows = {row["version"]: row for row in json.loads(record.data)}
    assert rows["1.1.0"]["digest"] == digests(one)[f"{NAME}-1.1.0"]
    assert "higress" in rows["1.1.0"]["loads"]
    assert "As it should be" in artifacts("verified-plugins")[0].data


def test_a_version_that_was_moved_is_named_every_night_until_it_is_accepted(yard: tuple[Path, Path, Path]) -> None:
    repository, one, _ = yard
    verify(repository, one)
    before = digests(one)
    tamper(one, lambda tags: tags[f"{NAME}-1.0.0"].update(digest=before[f"{NAME}-1.1.0"]))
    reference = f"oci:{one}:{NAME}-1.0.0"
    for _ in range(2):
        told = drift(repository, one)
        assert f"{reference}: it was {before[f'{NAME}-1.0.0']}, and is {before[f'{NAME}-1.1.0']} (D2)" in told
        assert "(D5)" not in told
    assert [item["rule"] for item in verify(repository, one, accept=[reference])["findings"]] == ["D9"]
    assert verify(repository, one)["findings"][0]["level"] == "W"


def test_a_version_that_was_removed_is_named(yard: tuple[Path, Path, Path]) -> None:
    repository, one, two = yard
    verify(repository, one, two)
    tamper(one, lambda tags: tags.pop(f"{NAME}-1.0.0"))
    told = drift(repository, one, two)
    assert f"oci:{one}:{NAME}-1.0.0: it is gone; it was sha256:" in told
    assert "1 finding: " in told
    verify(repository, one, two, accept=[f"oci:{one}:*"])
    warned = verify(repository, one, two)["findings"]
    assert [(item["rule"], item["reference"]) for item in warned] == [("D7", f"oci:{one}:{NAME}-1.0.0")]


def test_latest_that_was_moved_back_is_named_on_the_first_run_too(yard: tuple[Path, Path, Path]) -> None:
    repository, one, _ = yard
    tamper(one, lambda tags: tags[f"{NAME}-latest"].update(digest=tags[f"{NAME}-1.0.0"]["digest"]))
    told = drift(repository, one)
    assert f"oci:{one}:{NAME}-latest: it is 1.0.0, not the newest stable version 1.1.0 (D5)" in told
    tamper(one, lambda tags: tags.pop(f"{NAME}-latest"))
    assert "it is not there; the newest stable version is 1.1.0 (D5)" in drift(repository, one)


def test_a_blob_that_is_missing_or_changed_is_named_with_its_reference(yard: tuple[Path, Path, Path]) -> None:
    repository, one, _ = yard
    verify(repository, one)
    readme = next(each["digest"] for each in layers(one, f"{NAME}-1.0.0") if "README.md" in str(each))
    content = blob(one, readme).read_bytes()
    blob(one, readme).unlink()
    told = drift(repository, one)
    assert f"oci:{one}:{NAME}-1.0.0: {readme} is missing (D4)" in told
    assert "1.1.0" not in told
    blob(one, readme).write_bytes(bytes([content[0] ^ 1]) + content[1:])
    told = drift(repository, one, pull_again_days=0)
    assert f"oci:{one}:{NAME}-1.0.0: " in told
    assert "(D4)" in told
    blob(one, readme).write_bytes(content)
    assert verify(repository, one)["findings"] == []
    manifest = digests(one)[f"{NAME}-1.1.0"]
    blob(one, manifest).write_bytes(b"{}")
    told = drift(repository, one)
    assert f"oci:{one}:{NAME}-1.1.0: the manifest received is not {manifest} (D4)" in told


def test_registries_that_differ_are_named_both(yard: tuple[Path, Path, Path]) -> None:
    repository, one, two = yard
    tamper(two, lambda tags: tags[f"{NAME}-1.0.0"].update(digest=tags[f"{NAME}-1.1.0"]["digest"]))
    told = drift(repository, one, two)
    assert f"oci:{one}:{NAME}-1.0.0 is {digests(one)[f'{NAME}-1.0.0']}; oci:{two}:{NAME}-1.0.0 is sha256:" in told
    assert "(D6)" in told


def test_what_no_required_gateway_loads_is_named(yard: tuple[Path, Path, Path]) -> None:
    repository, one, _ = yard
    manifest = json.loads(blob(one, digests(one)[f"{NAME}-1.0.0"]).read_text())
    manifest["layers"] = manifest["layers"][:-1]
    publish_by_hand(one, f"{NAME}-1.0.0", manifest)
    told = drift(repository, one)
    assert f"oci:{one}:{NAME}-1.0.0: higress would not load it" in told
    assert "(D3)" in told
    assert "(D3)" in drift(repository, one), "the verdict is recorded with the digest"


def test_what_version_and_release_tags_say_is_compared_and_only_warned_of(yard: tuple[Path, Path, Path]) -> None:
    repository, one, _ = yard
    (repository / FOLDER / "VERSION").write_text("1.2.0\n")
    commit(repository, "to be released")
    git(repository, "tag", f"wasm-go-{NAME}-v1.3.0-rc.1")
    git(repository, "tag", "--force", f"wasm-go-{NAME}-v1.0.0")
    found = {item["rule"] + " " + item["reference"]: item["message"] for item in verify(repository, one)["findings"]}
    at = f"oci:{one}:{NAME}"
    assert set(found) == {f"D8 {at}-1.2.0", f"D9 {at}-1.3.0-rc.1", f"D9 {at}-1.0.0"}
    assert "the newest published is 1.1.0" in found[f"D8 {at}-1.2.0"]


def test_a_plugin_the_repository_has_no_more_is_still_looked_after(yard: tuple[Path, Path, Path]) -> None:
    repository, one, _ = yard
    only = {"plugins": ["request-*"]}
    verify(repository, one, **only)
    shutil.copytree(repository / FOLDER, repository / FOLDER.replace(NAME, "request-other"))
    shutil.rmtree(repository / FOLDER)
    commit(repository, "renamed")
    tamper(one, lambda tags: tags.pop(f"{NAME}-1.0.0"))
    assert f"oci:{one}:{NAME}-1.0.0: it is gone" in drift(repository, one, **only)


def test_names_need_no_repository_and_a_run_of_some_keeps_the_record_of_all(yard: tuple[Path, Path, Path]) -> None:
    repository, one, _ = yard
    verify(repository, one)
    verify("", one, plugins=["another"])
    tamper(one, lambda tags: tags.pop(f"{NAME}-1.0.0"))
    assert f"oci:{one}:{NAME}-1.0.0: it is gone" in drift("", one)
    with pytest.raises(RequestError, match="matches no plugin"):
        verify("", one, plugins=["req*"])


def test_a_registry_that_cannot_be_read_fails_the_run_and_holds_back_no_other(yard: tuple[Path, Path, Path]) -> None:
    repository, one, two = yard
    verify(repository, one, two)
    (two / "index.json").write_text("no json")
    with pytest.raises(BatchError, match="index.json is damaged"):
        verify(repository, one, two)
    tamper(one, lambda tags: tags.pop(f"{NAME}-1.0.0"))
    told = drift(repository, one, two)
    assert "it is gone" in told
    assert "index.json is damaged" in told


def publish_by_hand(layout: Path, tag: str, manifest: dict[str, Any]) -> None:
    from pluginyard.oci import canonical_json, digest_of

    content = canonical_json(manifest)
    blob(layout, digest_of(content)).write_bytes(content)
    tamper(layout, lambda tags: tags[tag].update(digest=digest_of(content), size=len(content)))
