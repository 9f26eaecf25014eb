"""One of several registries fails: what the others got is said, and done once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pluginyard.errors import PluginyardError, RegistryUnavailableError
from pluginyard.oci import Destination
from pluginyard.releases import PackedArtifact, PluginBuild, Publication
from pluginyard.settings import Site
from tasks.doors.registries import Access
from tasks.registries import Registries, push_artifact
from tests.machine.artifacts import SampleArtifact, make_artifact, new_name, place_in
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import RunningRegistry
from tests.unit.releases.test_plan import plan

TRIES = Access().attempts
Push = Callable[..., tuple[Publication, ...]]


def packed(artifact: SampleArtifact, folder: Path) -> PackedArtifact:
    files = {}
    for digest, content in artifact.contents.items():
        path = folder / digest.removeprefix("sha256:")
        path.write_bytes(content)
        files[digest] = str(path)
    return PackedArtifact(artifact.manifest, artifact.layers, files)


@pytest.fixture
def namespace() -> str:
    return new_name()


@pytest.fixture
def push(tmp_path: Path, namespace: str) -> Push:
    artifact = packed(make_artifact(namespace), tmp_path)

    def push(*hosts: str, latest: str = "forward") -> tuple[Publication, ...]:
        build: PluginBuild = plan(version="1.0.0", registries=[f"{host}/{namespace}" for host in hosts])
        build = replace(build, settings=build.settings.model_copy(update={"latest": latest}))
        return push_artifact.fn(build, artifact, Registries(Site(plain_http=hosts), plain_http=False), overwrite=False)

    return push


def digests_in(registry: RunningRegistry, namespace: str) -> set[str]:
    place = replace(place_in(registry), destination=Destination(registry.host, namespace))
    repository = place.open("request-block")
    found = [repository.find_manifest(tag) for tag in ("1.0.0", "latest")]
    return {manifest.digest for manifest in found if manifest}


def test_a_registry_that_keeps_failing_holds_back_no_other_and_the_error_says_what_is_done(
    push: Push,
    namespace: str,
    open_registry: RunningRegistry,
    basic_registry: RunningRegistry,
    faulty_proxy: FaultyProxy,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REGISTRY_USERNAME", basic_registry.username)
    monkeypatch.setenv("REGISTRY_PASSWORD", basic_registry.password)
    busy = Fault("status", method="PUT", path="/manifests/", status=503, headers={"Retry-After": "0"}, times=TRIES)
    faulty_proxy.upstream = basic_registry.host
    faulty_proxy.fail(busy)
    with caplog.at_level(logging.INFO, "pluginyard"), pytest.raises(RegistryUnavailableError) as caught:
        push(faulty_proxy.host, open_registry.host)
    assert caught.value.subject == f"{faulty_proxy.host}/{namespace}/request-block"
    assert caught.value.message.endswith(f"; the version is in {open_registry.host}/{namespace}")
    assert caught.value.remedy == "try again later; then run it again: only what is missing is done"
    assert f"published: {open_registry.host}/{namespace}/request-block:1.0.0" in caplog.text
    assert f"latest in {open_registry.host}/{namespace}: moved" in caplog.text

    again = push(faulty_proxy.host, open_registry.host)
    assert [publication.latest for publication in again] == [
        "moved: 1.0.0 is the newest stable version",
        "kept: it is 1.0.0 already",
    ]
    assert digests_in(open_registry, namespace) == digests_in(basic_registry, namespace)


@pytest.mark.parametrize("status", [400, 403, 405, 409, 412])
def test_where_only_latest_fails_the_version_is_said_to_be_there(
    push: Push, faulty_proxy: FaultyProxy, status: int
) -> None:
    faulty_proxy.fail(Fault("status", method="PUT", path="/manifests/latest", status=status))
    with pytest.raises(PluginyardError, match=rf"{status}.*; the version is in {faulty_proxy.host}/") as caught:
        push(faulty_proxy.host)
    assert "latest: never" in caught.value.remedy


def test_where_latest_may_be_refused_by_the_settings_the_version_is_published(
    push: Push, faulty_proxy: FaultyProxy
) -> None:
    faulty_proxy.fail(Fault("status", method="PUT", path="/manifests/latest", status=412))
    (publication,) = push(faulty_proxy.host, latest="if-allowed")
    assert publication.state == "published"
    assert publication.latest.startswith("kept: the registry answers 412")


def test_every_registry_that_fails_is_named(
    push: Push, faulty_proxy: FaultyProxy, open_registry: RunningRegistry
) -> None:
    with FaultyProxy(open_registry.host) as other:
        for proxy in (faulty_proxy, other):
            proxy.fail(Fault("status", method="POST", status=413, times=99))
        with pytest.raises(PluginyardError) as caught:
            push(faulty_proxy.host, other.host)
    assert caught.value.subject.startswith(faulty_proxy.host)
    assert f"; {other.host}/" in caught.value.message
    assert "run it again" not in caught.value.remedy, "nothing is done"
