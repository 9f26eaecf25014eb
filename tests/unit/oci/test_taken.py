"""Whether a version is published, free or taken is one table."""

from __future__ import annotations

import pytest

from pluginyard.errors import VersionTakenError
from pluginyard.oci import (
    BUILDER,
    FINGERPRINT,
    MANIFEST,
    REVISION,
    StoredManifest,
    canonical_json,
    digest_of,
    is_published,
)

INPUTS, OTHER = digest_of(b"inputs"), digest_of(b"other")
NOTES = {FINGERPRINT: INPUTS, REVISION: "c0ffee", BUILDER: "go 1.24"}
STORED = StoredManifest(canonical_json({"schemaVersion": 2, "annotations": NOTES}), MANIFEST)
FOREIGN = StoredManifest(canonical_json({"schemaVersion": 2}), MANIFEST)


@pytest.mark.parametrize(
    ("stored", "ours", "expected"),
    [
        (None, {"digest": STORED.digest}, "free"),
        (None, {"fingerprint": INPUTS}, "free"),
        (STORED, {"digest": STORED.digest}, "published"),
        (STORED, {"digest": OTHER}, "taken"),
        (STORED, {"digest": INPUTS}, "taken"),  # a fingerprint is no digest
        (STORED, {"fingerprint": INPUTS}, "published"),
        (STORED, {"fingerprint": OTHER}, "taken"),
        (STORED, {"fingerprint": STORED.digest}, "taken"),
        (FOREIGN, {"fingerprint": INPUTS}, "taken"),
    ],
)
def test_a_version_is_ours_by_digest_or_by_fingerprint(
    stored: StoredManifest | None, ours: dict[str, str], expected: str
) -> None:
    if expected != "taken":
        assert is_published(stored, "r/x:1.0.0", **ours) is (expected == "published")
        assert is_published(stored, "r/x:1.0.0", **ours, overwrite=True) is (expected == "published")
        return
    with pytest.raises(VersionTakenError, match="published already") as caught:
        is_published(stored, "r/x:1.0.0", **ours)
    assert caught.value.subject == "r/x:1.0.0"
    assert is_published(stored, "r/x:1.0.0", **ours, overwrite=True) is False


def test_who_published_other_inputs_under_a_version_is_said() -> None:
    with pytest.raises(VersionTakenError, match=r"commit c0ffee, builder go 1\.24"):
        is_published(STORED, "r/x:1.0.0", fingerprint=OTHER)
    with pytest.raises(VersionTakenError, match=r"commit unknown, builder unknown"):
        is_published(FOREIGN, "r/x:1.0.0", fingerprint=OTHER)
