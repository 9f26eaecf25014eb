from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pluginyard.audits import (
    DRIFT_RULES,
    Drift,
    Record,
    RecordedVersion,
    Scope,
    SeenPlugin,
    SeenVersion,
    SourcePlugin,
    judge_drift,
)
from pluginyard.errors import BatchError, RegistryUnavailableError, VerificationError
from pluginyard.oci import parse_destination
from pluginyard.reports import render_drift

A, B = parse_destination("a.example/plugins"), parse_destination("b.example/plugins")
NAME = "request-block"
AT, AT_B = f"a.example/plugins/{NAME}", f"b.example/plugins/{NAME}"


def digest(mark: str) -> str:
    return "sha256:" + mark * 64


def seen_version(tag: str, mark: str = "1", **fields: Any) -> SeenVersion:
    defaults = {"digest": digest(mark) if mark else "", "revision": "c", "version": tag, "loads": ("higress", "istio")}
    return SeenVersion(tag, **{**defaults, "judged": 5, **fields})


def seen(*versions: SeenVersion, place: Any = A, latest: SeenVersion | str | None = "", **fields: Any) -> SeenPlugin:
    """Return a plugin with these versions, and `latest` at the last of them, at a mark's digest, or not there."""
    tags = tuple(version.tag for version in versions)
    if latest == "":
        latest = SeenVersion("latest", versions[-1].digest, version=versions[-1].tag) if versions else None
    assert not isinstance(latest, str)
    all_tags = (*tags, "latest") if latest else tags
    return SeenPlugin(place, NAME, **{"tags": all_tags, "versions": versions, "latest": latest, **fields})


def record(**versions: str) -> Record:
    rows = (
        RecordedVersion(NAME, f"1.{tag[1:]}.0", digest(mark), "higress, istio", "", 5, "repo")
        for tag, mark in versions.items()
    )
    return Record(tuple(rows))


def judge(
    *plugins: SeenPlugin,
    before: Mapping[Any, Record] | None = None,
    accept: tuple[str, ...] = (),
    source: SourcePlugin | None = None,
    **scope: Any,
) -> Drift:
    places = tuple(dict.fromkeys(plugin.place for plugin in plugins))
    asked = Scope((source or SourcePlugin(NAME),), places, **{"gateways": ("higress",), "repository": "repo", **scope})
    return judge_drift(asked, plugins, {place: (before or {}).get(place, Record()) for place in places}, accept)


def told(drift: Drift) -> list[tuple[str, str, str]]:
    return [(each.rule, each.level, each.reference) for each in drift.findings]


TWO = (seen_version("1.0.0", "0"), seen_version("1.1.0", "1"))


def test_the_first_run_takes_what_it_sees_as_right() -> None:
    drift = judge(seen(*TWO))
    assert drift.findings == ()
    assert drift.new == (f"{AT}:1.0.0", f"{AT}:1.1.0")
    assert drift.records[A] == record(v0="0", v1="1")
    drift.raise_for_drift("all")


def test_what_is_as_it_was_is_neither_new_nor_told_of_and_the_record_stays() -> None:
    before = {A: record(v0="0", v1="1")}
    drift = judge(seen(*TWO), before=before)
    assert (drift.findings, drift.new, drift.records) == ((), (), before)


def test_a_version_that_moved_is_told_of_and_stays_recorded_as_it_was() -> None:
    before = {A: record(v0="9", v1="1")}
    drift = judge(seen(*TWO), before=before)
    assert told(drift) == [("D2", "E", f"{AT}:1.0.0")]
    assert drift.findings[0].message == f"it was {digest('9')}, and is {digest('0')}"
    assert drift.records == before
    with pytest.raises(VerificationError, match=r"request-block:1\.0\.0: it was .* \(D2\)") as failure:
        drift.raise_for_drift("all")
    assert failure.value.exit_code == 10
    assert "Accept" in failure.value.remedy


@pytest.mark.parametrize("pattern", [f"{AT}:1.0.0", f"{AT}:*", "*"])
def test_a_move_that_is_accepted_is_right_from_now_on(pattern: str) -> None:
    drift = judge(seen(*TWO), before={A: record(v0="9", v1="1")}, accept=(pattern,))
    assert drift.findings == ()
    assert drift.records[A] == record(v0="0", v1="1")


def test_accepting_one_reference_accepts_no_other() -> None:
    drift = judge(seen(*TWO), before={A: record(v0="9", v1="8")}, accept=(f"{AT}:1.0.0",))
    assert told(drift) == [("D2", "E", f"{AT}:1.1.0")]
    assert drift.records[A] == record(v0="0", v1="8")


def test_a_version_that_is_gone_is_told_of_until_that_is_accepted() -> None:
    before = {A: record(v0="0", v1="1", v2="2")}
    drift = judge(seen(*TWO), before=before)
    assert told(drift) == [("D1", "E", f"{AT}:1.2.0")]
    assert drift.records == before
    accepted = judge(seen(*TWO), before=before, accept=(f"{AT}:1.2.0",))
    assert (accepted.findings, accepted.records[A]) == ((), record(v0="0", v1="1"))


def test_a_plugin_that_is_gone_altogether_is_told_of_for_each_version() -> None:
    drift = judge(seen(), before={A: record(v0="0", v1="1")})
    assert told(drift) == [("D1", "E", f"{AT}:1.0.0"), ("D1", "E", f"{AT}:1.1.0")]


def test_a_version_below_the_depth_only_has_to_be_there() -> None:
    before = {A: record(v0="9", v1="1")}
    drift = judge(seen(TWO[1], tags=("1.0.0", "1.1.0", "latest")), before=before)
    assert (drift.findings, drift.records) == ((), before)


@pytest.mark.parametrize(
    ("version", "gateways", "message"),
    [
        (seen_version("1.0.0", loads=()), ("higress",), "higress would not load it"),
        (seen_version("1.0.0", loads=("higress",)), ("higress", "istio"), "istio would not load it"),
        (
            seen_version("1.0.0", loads=(), faults="M3: no plugin.wasm"),
            ("higress",),
            "would not load it M3: no plugin.wasm",
        ),
        (seen_version("1.0.0", faults="M5: not wasm"), ("higress",), "M5: not wasm"),
    ],
)
def test_what_a_required_gateway_does_not_load_is_told_of(
    version: SeenVersion, gateways: tuple[str, ...], message: str
) -> None:
    drift = judge(seen(version), gateways=gateways)
    assert told(drift) == [("D3", "E", f"{AT}:1.0.0")]
    assert message in drift.findings[0].message
    assert judge(seen(version), gateways=gateways, before=drift.records).findings == drift.findings


def test_a_gateway_that_is_not_required_may_refuse() -> None:
    assert judge(seen(seen_version("1.0.0", loads=("higress",)))).findings == ()


def test_damage_is_told_of_and_the_version_is_pulled_again_next_time() -> None:
    drift = judge(seen(seen_version("1.0.0", damage="sha256:… is missing")), before={A: record(v0="1")})
    assert told(drift) == [("D4", "E", f"{AT}:1.0.0")]
    assert drift.records[A].of(NAME)["1.0.0"].judged == 0


def test_a_manifest_that_cannot_be_read_leaves_the_record_as_it_was() -> None:
    broken = SeenVersion("1.0.0", damage="the manifest received is not sha256:…")
    before = {A: record(v0="1")}
    drift = judge(seen(broken, latest=SeenVersion("latest", damage="the same")), before=before)
    assert told(drift) == [("D4", "E", f"{AT}:1.0.0"), ("D4", "E", f"{AT}:latest")]
    assert drift.records == before
    assert judge(seen(broken, latest=None)).records[A] == Record()


def latest_at(mark: str, version: str) -> SeenVersion:
    return SeenVersion("latest", digest(mark), version=version)


KNOWN = {A: record(v0="0", v1="1")}
HALF = {A: record(v0="0")}


@pytest.mark.parametrize(
    ("versions", "latest", "before", "level", "message"),
    [
        (TWO, latest_at("1", "1.1.0"), {}, "", ""),
        (TWO, latest_at("0", "1.0.0"), {}, "E", "it is 1.0.0, not the newest stable version 1.1.0"),
        (TWO, latest_at("0", "1.0.0"), KNOWN, "E", "it is 1.0.0"),
        (TWO, latest_at("7", ""), KNOWN, "E", f"it is {digest('7')}, not"),
        (TWO, None, {}, "E", "it is not there; the newest stable version is 1.1.0"),
        # A publish under way: the version's tag is there, latest is about to follow.
        (TWO, latest_at("0", "1.0.0"), HALF, "W", "it is 1.0.0"),
        (TWO, None, HALF, "W", "it is not there"),
        # Forward only: latest stays where it is when the version's tag was cleaned away.
        (TWO, latest_at("7", "1.2.0"), {}, "W", "it is 1.2.0, a version that has no tag"),
        ((*TWO, seen_version("2.0.0-rc.1", "2")), latest_at("1", "1.1.0"), {}, "", ""),
        ((*TWO, seen_version("2.0.0-rc.1", "2")), latest_at("2", "2.0.0-rc.1"), {}, "E", "it is 2.0.0-rc.1, not"),
        ((seen_version("1.0.0-rc.1", "1"),), None, {}, "", ""),
        ((seen_version("20260101-000000-abcdef0", "1"),), None, {}, "", ""),
    ],
)
def test_latest_stands_for_the_newest_stable_version(
    versions: tuple[SeenVersion, ...], latest: SeenVersion | None, before: Any, level: str, message: str
) -> None:
    findings = [each for each in judge(seen(*versions, latest=latest), before=before).findings if each.rule == "D5"]
    assert [(each.level, each.reference) for each in findings] == ([(level, f"{AT}:latest")] if level else [])
    assert not findings or message in findings[0].message


def test_a_repository_that_keeps_no_latest_is_not_told_of_it() -> None:
    assert judge(seen(*TWO, latest=None), follows_latest=False).findings == ()


def test_registries_with_different_digests_are_named_both() -> None:
    drift = judge(seen(*TWO), seen(seen_version("1.0.0", "9"), TWO[1], place=B))
    assert told(drift) == [("D6", "E", f"{AT}:1.0.0")]
    assert drift.findings[0].message == f"{AT}:1.0.0 is {digest('0')}; {AT_B}:1.0.0 is {digest('9')}"


def test_a_registry_that_never_had_a_version_is_warned_of() -> None:
    drift = judge(seen(*TWO), seen(TWO[1], place=B))
    assert told(drift) == [("D7", "W", f"{AT_B}:1.0.0")]
    drift.raise_for_drift("all")


def test_a_registry_that_lost_a_version_is_told_of_once() -> None:
    before = {A: record(v0="0", v1="1"), B: record(v0="0", v1="1")}
    assert told(judge(seen(*TWO), seen(TWO[1], place=B), before=before)) == [("D1", "E", f"{AT_B}:1.0.0")]


@pytest.mark.parametrize(
    ("source", "findings"),
    [
        (SourcePlugin(NAME, "1.1.0", {"1.1.0": "c", "1.0.0": "c"}), []),
        (SourcePlugin(NAME, "1.2.0"), [("D8", "1.2.0")]),
        (SourcePlugin(NAME, "1.2.0", {"1.2.0": "d"}), [("D8", "1.2.0")]),
        (SourcePlugin(NAME, "", {"1.2.0": "d"}), [("D9", "1.2.0")]),
        (SourcePlugin(NAME, "", {"1.1.0": "d"}), [("D9", "1.1.0")]),
        (SourcePlugin(NAME, "", {}), []),
    ],
)
def test_what_the_repository_declares_and_tags_is_only_warned_of(
    source: SourcePlugin, findings: list[tuple[str, str]]
) -> None:
    drift = judge(seen(*TWO), source=source)
    assert told(drift) == [(rule, "W", f"{AT}:{version}") for rule, version in findings]
    drift.raise_for_drift("all")


def test_a_commit_nobody_recorded_is_no_other_commit() -> None:
    drift = judge(seen(seen_version("1.0.0", revision="")), source=SourcePlugin(NAME, "", {"1.0.0": "c"}))
    assert drift.findings == ()


def test_what_is_not_reached_fails_the_run_keeps_its_record_and_hides_no_drift() -> None:
    lost = SeenPlugin(B, NAME, error=RegistryUnavailableError("it does not answer", subject="b.example"))
    before = {A: record(v0="0", v1="1"), B: record(v0="0")}
    drift = judge(seen(*TWO), lost, before=before)
    assert (drift.findings, drift.records) == ((), before)
    with pytest.raises(BatchError, match="1 of 2 could not be looked at") as failure:
        drift.raise_for_drift("all")
    assert failure.value.exit_code == 12
    with pytest.raises(VerificationError, match="it does not answer"):
        judge(seen(TWO[1], latest=latest_at("1", "1.1.0")), lost, before=before).raise_for_drift("all")


def test_findings_that_fail_the_run_come_first() -> None:
    drift = judge(seen(*TWO, latest=latest_at("0", "1.0.0")), source=SourcePlugin(NAME, "3.0.0"))
    assert [each.rule for each in drift.findings] == ["D5", "D8"]
    assert drift.summary == "2 versions, 1 drifted, 1 warnings, 2 new"


def test_the_report_says_what_is_wrong_what_to_do_and_where_everything_stands() -> None:
    lost = SeenPlugin(B, NAME, error=RegistryUnavailableError("it does not | answer", subject="b.example"))
    text = render_drift(judge(seen(*TWO, latest=latest_at("0", "1.0.0")), lost), "all of it")
    for part in (
        "# Drift: all of it",
        f"- **D5** (E) `{AT}:latest`: ",
        DRIFT_RULES["D5"].remedy,
        "does not \\| answer",
    ):
        assert part in text
    assert f"- `{AT}:1.0.0`" in text
    assert "# As it should be: x" in render_drift(judge(seen(*TWO)), "x")


def test_a_look_by_name_leaves_the_record_of_whose_plugin_it_is() -> None:
    before = {A: record(v0="0", v1="1")}
    assert judge(seen(*TWO), before=before, repository="").records == before
