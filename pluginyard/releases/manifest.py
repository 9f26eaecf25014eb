"""The manifest of an artifact: layers in the spec's order, the archive last, every byte decided by the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pluginyard import oci
from pluginyard.oci import Descriptor, StoredManifest, canonical_json, digest_of
from pluginyard.releases.plugin import PluginBuild

CONFIG_CONTENT = b"{}"


def render_manifest(
    layers: Sequence[Descriptor], annotations: Mapping[str, str], config_media_type: str
) -> StoredManifest:
    """Return the manifest over `layers` in their order; gateways read the last one only.

    No gateway looks at the config, so its media type is the registry's choice.
    """
    config = Descriptor(config_media_type, digest_of(CONFIG_CONTENT), len(CONFIG_CONTENT))
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci.MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
        "annotations": dict(sorted(annotations.items())),
    }
    return StoredManifest(canonical_json(manifest), oci.MANIFEST)


def choose_annotations(build: PluginBuild, source_url: str = "") -> dict[str, str]:
    """Return the manifest's annotations; `created` is the commit's time, so the digest repeats."""
    created = datetime.fromtimestamp(build.source.commit_time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    annotations = {
        oci.CREATED: created,
        oci.REVISION: build.source.commit,
        oci.VERSION: build.release.version,
        "org.opencontainers.image.title": build.release.name,
        oci.FINGERPRINT: build.fingerprint,
        oci.BUILDER: build.builder,
    }
    return annotations | ({oci.SOURCE: source_url} if source_url else {})
