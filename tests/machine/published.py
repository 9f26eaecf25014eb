"""A published plugin as a value, for what is rendered of it."""

from __future__ import annotations

from pluginyard.releases import PublishedPlugin

DIGEST = "sha256:" + "ab" * 32
REFUSED = {
    "summary": "no gateway loads it",
    "gateways": [{"gateway": "higress", "loads": False, "variant": None, "reason": "two\n\tlines | <b>", "rule": "M2"}],
    "findings": [{"rule": "M2", "level": "E", "message": "why", "remedy": "what to do"}],
}


def published(reference: str = "r.example.com/p/my_plugin:1.0.0", **changes: object) -> PublishedPlugin:
    place = {
        "registry": reference.rpartition("/")[0],
        "reference": reference,
        "state": "published",
        "latest": "moved: newest",
        "plain_http": False,
    }
    known = {
        "name": "my_plugin", "language": "go", "version": "1.0.0", "commit": "c" * 40, "commit_time": 0,
        "repository": "https://example.com/x.git", "fingerprint": DIGEST, "builder": "go", "digest": DIGEST,
        "registries": (place,),
        "layers": ({"title": "plugin.tar.gz", "mediaType": "t", "size": 1234567, "digest": DIGEST},),
        "verdict": REFUSED, "published": True,
    }  # fmt: skip
    return PublishedPlugin(**{**known, **changes})  # type: ignore[arg-type]
