"""What the watch for drift sees of real registries, and of a layout folder, after somebody has tampered with them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pluginyard.audits import Drift, Record, Scope, SourcePlugin, judge_drift
from pluginyard.forms import VerifyRequest
from pluginyard.oci import Destination
from pluginyard.settings import Site
from pluginyard.webhooks.watch import DAY
from tasks.doors.registries import move_latest, push_version
from tasks.registries import Registries, observe_published
from tests.machine.artifacts import Place, SampleArtifact, make_artifact, new_name, place_in
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import RunningRegistry


@dataclass
class Watched:
    """One plugin in one place, and what the last look recorded."""

    place: Place
    name: str
    folder: Path
    artifacts: dict[str, SampleArtifact]
    record: Record

    def publish(self, version: str) -> None:
        self.artifacts[version] = artifact = make_artifact(f"{self.name} {version}", version=version)
        repository = self.place.open(self.name)
        push_version(repository, artifact.manifest, artifact.blobs, version)
        move_latest(repository, artifact.manifest, version)

    def look(self, **fields: int) -> Drift:
        where = self.place.destination
        site = Site(plain_http=self.place.access.plain_http, ca_bundle=self.place.access.ca_bundle)
        scope = Scope((SourcePlugin(self.name),), (where,), ("higress",))
        request = VerifyRequest(plugins=[self.name], **fields)
        registries = Registries(site, plain_http=False)
        seen = observe_published.fn(request, scope, {where: self.record}, self.folder, registries)
        drift = judge_drift(scope, seen, {where: self.record})
        self.record = drift.records[where]
        return drift

    def blob(self, digest: str) -> Path:
        if self.place.registry:
            return self.place.registry.stored_blob(digest)
        return Path(self.place.destination.namespace) / "blobs/sha256" / digest.removeprefix("sha256:")


def told(drift: Drift) -> list[tuple[str, str]]:
    """Return rule and tag of each finding; these artifacts hold no module, so that none of them loads is not said."""
    return [(each.rule, each.reference[-6:]) for each in drift.findings if each.rule != "D3"]


@pytest.fixture
def watched(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Return a plugin with two releases that was looked at once."""
    if place.credentials:
        monkeypatch.setenv("REGISTRY_USERNAME", place.credentials.username)
        monkeypatch.setenv("REGISTRY_PASSWORD", place.credentials.password)
    plugin = Watched(place, new_name(), tmp_path, {}, Record())
    plugin.publish("1.0.0")
    plugin.publish("1.1.0")
    assert told(plugin.look()) == []
    assert len(plugin.record.versions) == 2
    return plugin


def test_what_was_not_touched_is_not_told_of_and_pulled_again_only_after_its_time(watched: Watched) -> None:
    earlier = replace_all(watched.record, judged=int(time.time()) - 3 * DAY)
    watched.record = earlier
    assert told(watched.look()) == []
    assert watched.record == earlier, "the time of the verdict is in it"
    assert told(watched.look(pull_again_days=2)) == []
    assert watched.record != earlier


def test_a_version_and_latest_that_were_moved_are_seen(watched: Watched) -> None:
    repository = watched.place.open(watched.name)
    repository.push_manifest(watched.artifacts["1.1.0"].manifest, "1.0.0")
    repository.push_manifest(watched.artifacts["1.0.0"].manifest, "latest")
    assert told(watched.look()) == [("D2", "-1.0.0" if _is_layout(watched) else ":1.0.0"), ("D5", "latest")]


def test_a_blob_that_is_missing_is_seen_without_pulling_and_one_that_was_changed_by_pulling(watched: Watched) -> None:
    path = watched.blob(watched.artifacts["1.0.0"].archive.digest)
    content = path.read_bytes()
    path.unlink()
    damaged = [("D4", "-1.0.0" if _is_layout(watched) else ":1.0.0")]
    assert told(watched.look()) == damaged
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert told(watched.look(pull_again_days=0)) == damaged
    path.write_bytes(content)
    assert told(watched.look()) == [], "what was damaged is pulled again, and is whole"


def test_a_manifest_that_is_missing_is_seen(watched: Watched) -> None:
    watched.blob(watched.artifacts["1.0.0"].manifest.digest).unlink()
    assert told(watched.look()) == [("D4", "-1.0.0" if _is_layout(watched) else ":1.0.0")]


def test_a_registry_that_is_not_there_is_an_error_and_no_drift(watched: Watched) -> None:
    if _is_layout(watched):
        (Path(watched.place.destination.namespace) / "index.json").write_text("no json")
    else:
        watched.place = replace(watched.place, destination=Destination("127.0.0.1:9", "team/plugins"))
    assert_not_reached(watched.look())


@pytest.mark.parametrize("status", [403, 503])
def test_a_registry_that_refuses_or_fails_midway_is_an_error_and_no_drift(
    faulty_proxy: FaultyProxy, open_registry: RunningRegistry, tmp_path: Path, status: int
) -> None:
    plugin = Watched(place_in(open_registry), new_name(), tmp_path, {}, Record())
    plugin.publish("1.0.0")
    plugin.place = replace(plugin.place, destination=Destination(faulty_proxy.host, "team/plugins"))
    faulty_proxy.fail(Fault("status", path=f"{plugin.name}/blobs/", status=status, times=99))
    assert_not_reached(plugin.look())


def assert_not_reached(drift: Drift) -> None:
    assert drift.findings == ()
    assert [bool(each.error) for each in drift.seen] == [True]


def replace_all(record: Record, **fields: int) -> Record:
    return Record(tuple(replace(row, **fields) for row in record.versions))


def _is_layout(watched: Watched) -> bool:
    return watched.place.registry is None
