"""Where artifacts go: destinations (`HOST/NAMESPACE` or `oci:PATH`) and references within them.

>>> parse_destination("registry.example.com/plugins").reference_to("request-block", "1.0.0")
'registry.example.com/plugins/request-block:1.0.0'
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pluginyard.errors import RequestError

LAYOUT_SCHEME = "oci:"
# distribution-spec v1.1, "Pulling manifests": the grammars of a name and of a tag.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAMESPACE = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1035, 2.3.1: no name server is asked for others
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::([0-9]{{1,5}}))?")
_USER = re.compile(r"^.*@(?!sha256:)", re.DOTALL)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Destination:
    """Name a place that holds plugins: a registry's namespace, or an OCI image layout folder."""

    host: str
    """Registry host with optional port; empty for a layout folder."""
    namespace: str
    """Path below the host, or the folder of the layout."""

    @property
    def is_layout(self) -> bool:
        """Tell whether this is an OCI image layout folder."""
        return not self.host

    def __str__(self) -> str:
        return f"{LAYOUT_SCHEME}{self.namespace}" if self.is_layout else f"{self.host}/{self.namespace}"

    def below(self, path: str) -> Destination:
        """Return the destination at `path` below this one: a further namespace, or a further layout folder."""
        return replace(self, namespace=f"{self.namespace}/{path}") if path else self

    def artifact(self, name: str, tag: str = "", digest: str = "") -> ArtifactReference:
        """Return the reference of plugin `name` in this destination; a path may stand before the name."""
        below, _, own = name.rpartition("/")
        if below:
            return self.below(below).artifact(own, tag, digest)
        repository = name if self.is_layout else f"{self.namespace}/{name}"
        return ArtifactReference(self, repository, tag, digest)

    def reference_to(self, name: str, tag: str) -> str:
        """Return the text of the reference of plugin `name` at `tag`."""
        return str(self.artifact(name, tag))


@dataclass(frozen=True)
class ArtifactReference:
    """Name one artifact: its place, repository, and a tag or digest.

    In a layout folder one `index.json` holds many plugins, so a tag there is `NAME-TAG`
    (a colon would be cut by oras, which splits `PATH:TAG` at the last one).
    """

    destination: Destination
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def layout_tag(self) -> str:
        """Return the `org.opencontainers.image.ref.name` of this artifact in a layout folder."""
        return f"{self.repository}-{self.tag}" if self.repository else self.tag

    @property
    def by_digest_or_tag(self) -> str:
        """Return what a registry's manifest endpoint is asked for."""
        return self.digest or self.tag

    def __str__(self) -> str:
        where = self.destination
        if where.is_layout:
            head = f"{LAYOUT_SCHEME}{where.namespace}"
            return f"{head}@{self.digest}" if self.digest else f"{head}:{self.layout_tag}"
        head = f"{where.host}/{self.repository}"
        return f"{head}@{self.digest}" if self.digest else f"{head}:{self.tag}"


def parse_destination(text: str) -> Destination:
    """Parse `HOST/NAMESPACE` or `oci:PATH`; raise RequestError with the remedy where it is neither."""
    if text.startswith(LAYOUT_SCHEME):
        path = text.removeprefix(LAYOUT_SCHEME)
        if not path:
            raise RequestError("the layout folder has no path", subject=text, remedy="write oci:PATH")
        return Destination("", path.rstrip("/") or "/")
    shown = _without_password(text)
    host, _, namespace = text.removeprefix("docker://").partition("/")
    if shown != text:
        raise RequestError(
            "a destination holds no user or password",
            subject=shown,
            remedy="write HOST/NAMESPACE; credentials are read from the environment, a block or docker login",
        )
    if "://" in text and not text.startswith("docker://"):
        raise RequestError(
            "a destination has no scheme",
            subject=text,
            remedy="write HOST/NAMESPACE (--plain-http for HTTP), or oci:PATH",
        )
    found = _HOST.fullmatch(host)
    if not found or int(found[1] or 0) > 65535 or not namespace:
        raise RequestError(
            "not a registry destination",
            subject=text,
            remedy="write HOST/NAMESPACE, or oci:PATH for a folder",
        )
    return Destination(host, check_repository(namespace, subject=text))


def _without_password(text: str) -> str:
    """Return `text` without what stands before an @ that begins no digest: it is quoted in errors."""
    return text if text.startswith(LAYOUT_SCHEME) else _USER.sub("***@", text)


def check_repository(path: str, *, subject: str) -> str:
    """Return `path` if it is a legal repository (rule T1); raise RequestError otherwise."""
    if _NAMESPACE.fullmatch(path):
        return path
    nearest = re.sub(r"[^a-z0-9._/-]+", "-", path.lower()).strip("/-._")
    raise RequestError(
        "a repository is lower case: a-z 0-9 and single . _ - / between",
        subject=subject,
        remedy=f"try {nearest}" if _NAMESPACE.fullmatch(nearest) else "choose another name",
    )


def check_tag(tag: str, *, subject: str) -> str:
    """Return `tag` if a registry accepts it (rule T1); raise RequestError otherwise."""
    if _TAG.fullmatch(tag):
        return tag
    raise RequestError(
        f"{tag!r} is not a legal tag: 1 to 128 of A-Z a-z 0-9 _ . -",
        subject=subject,
        remedy="choose another version",
    )


def parse_reference(text: str) -> ArtifactReference:
    """Parse `HOST/REPOSITORY[:TAG|@DIGEST]` or `oci:PATH[:NAME-TAG|@DIGEST]`; no tag means `latest`.

    Raises RequestError. The default tag is what a gateway assumes (image-spec, step 1 of the loader).
    """
    if _without_password(text) != text:
        parse_destination(text)  # says so
    head, at, digest = text.removeprefix("docker://").partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise RequestError("the digest is not sha256:<64 hex>", subject=text, remedy="copy it from the report")
    if "/" not in head and not head.startswith(LAYOUT_SCHEME):
        raise RequestError(
            "a reference begins with a registry's host",
            subject=text,
            remedy="write HOST/REPOSITORY[:TAG|@DIGEST], or oci:PATH:NAME-VERSION",
        )
    if head.startswith(LAYOUT_SCHEME):
        return _parse_layout_reference(head.removeprefix(LAYOUT_SCHEME), digest, text)
    path, colon, tag = head.rpartition(":")
    if not colon or "/" in tag:
        path, tag = head, "" if at else "latest"
    elif not at or tag:
        check_tag(tag, subject=text)
    destination = parse_destination(path)
    return ArtifactReference(destination, destination.namespace, tag, digest)


def _parse_layout_reference(head: str, digest: str, text: str) -> ArtifactReference:
    path, colon, tag = head.rpartition(":")
    if digest or not colon or "/" in tag:
        path, tag = head, ""
    if not path or not (tag or digest):
        raise RequestError(
            "a reference into a layout folder names a tag or a digest",
            subject=text,
            remedy="write oci:PATH:NAME-VERSION or oci:PATH@sha256:…",
        )
    return ArtifactReference(Destination("", path), "", tag, digest)
