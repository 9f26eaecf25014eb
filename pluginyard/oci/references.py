"""Where artifacts go: destinations (`HOST/NAMESPACE` or `oci:PATH`) and references within them.

A scheme means a registry (`oci://`, `docker://`; `http://` in plain HTTP, `https://` always with TLS); `oci:` with
anything but `//` behind it is a folder.

>>> parse_destination("registry.example.com/plugins").reference_to("request-block", "1.0.0")
'registry.example.com/plugins/request-block:1.0.0'
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from pluginyard.errors import RequestError
from pluginyard.oci.digests import is_digest

Scheme = Literal["", "http", "https"]
LAYOUT_SCHEME = "oci:"
# distribution-spec v1.1, "Pulling manifests": the grammars of a name and of a tag.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAMESPACE = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1035, 2.3.1: no name server is asked for others
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::([0-9]{{1,5}}))?")
_LAYOUT = re.compile(rf"{LAYOUT_SCHEME}(?!//)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)
_SCHEMES: dict[str, Scheme] = {"": "", "oci": "", "docker": "", "http": "http", "https": "https"}
_AT_DIGEST = re.compile("@(?=sha256:)")
_USER = re.compile(r"^.*@(?!sha256:)", re.DOTALL)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class Destination:
    """Name a place that holds plugins: a registry's namespace, or an OCI image layout folder."""

    host: str
    """Registry host with optional port; empty for a layout folder."""
    namespace: str
    """Path below the host, or the folder of the layout."""
    scheme: Scheme = field(default="", compare=False)
    """How the registry must be spoken to; empty: as the settings say."""

    @property
    def is_layout(self) -> bool:
        """Return whether this is an OCI image layout folder."""
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
    """Parse `[SCHEME://]HOST/NAMESPACE` or `oci:PATH`; raise RequestError with the remedy where it is neither."""
    if _LAYOUT.match(text):
        path = text.removeprefix(LAYOUT_SCHEME)
        if not path or not path.isprintable():
            said = "the layout folder has no path" if not path else "the path holds a character that cannot be shown"
            raise RequestError(said, subject=text, remedy="write oci:PATH")
        return Destination("", path.rstrip("/") or "/")
    _refuse_password(text, "a destination", "HOST/NAMESPACE")
    scheme, rest = _split_scheme(text)
    host, _, namespace = rest.partition("/")
    found = _HOST.fullmatch(host)
    if not found or int(found[1] or 0) > 65535 or not namespace:
        raise RequestError(
            "not a registry destination",
            subject=text,
            remedy="write HOST/NAMESPACE, or oci:PATH for a folder",
        )
    return Destination(host, check_repository(namespace, subject=text), scheme)


def _split_scheme(text: str) -> tuple[Scheme, str]:
    found = _SCHEME.match(text)
    name = found[1].lower() if found else ""
    if name not in _SCHEMES:
        raise RequestError(
            f"{name}:// leads to no registry",
            subject=text,
            remedy="write HOST/NAMESPACE, with oci://, http:// or https:// before it if need be; or oci:PATH",
        )
    return _SCHEMES[name], text[found.end() :] if found else text


def _refuse_password(text: str, what: str, form: str) -> None:
    shown = _USER.sub("***@", text)
    if shown != text:
        raise RequestError(
            f"{what} holds no user or password",
            subject=shown,
            remedy=f"write {form}; credentials are read from the environment, a block or docker login",
        )


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
    """Parse `[SCHEME://]HOST/REPOSITORY[:TAG|@DIGEST]` or `oci:PATH[:NAME-TAG|@DIGEST]`; no tag means `latest`.

    Raises RequestError. The default tag is what a gateway assumes (image-spec, step 1 of the loader).
    """
    is_layout = bool(_LAYOUT.match(text))
    if not is_layout:
        _refuse_password(text, "a reference", "HOST/REPOSITORY")
    found = _AT_DIGEST.search(text) if is_layout else re.search("@", text)  # a folder's name may hold an @
    head, digest = (text[: found.start()], text[found.start() + 1 :]) if found else (text, "")
    if found and not is_digest(digest):
        raise RequestError("the digest is not sha256:<64 hex>", subject=text, remedy="copy it from the report")
    if is_layout:
        return _parse_layout_reference(head, digest, text)
    if "/" not in _split_scheme(head)[1]:
        raise RequestError(
            "a reference begins with a registry's host",
            subject=text,
            remedy="write HOST/REPOSITORY[:TAG|@DIGEST], or oci:PATH:NAME-VERSION",
        )
    path, colon, tag = head.rpartition(":")
    if not colon or "/" in tag:
        path, tag = head, "" if digest else "latest"
    elif not digest or tag:
        check_tag(tag, subject=text)
    destination = parse_destination(path)
    return ArtifactReference(destination, destination.namespace, tag, digest)


def _parse_layout_reference(head: str, digest: str, text: str) -> ArtifactReference:
    path, colon, tag = head.removeprefix(LAYOUT_SCHEME).rpartition(":")
    if digest or not colon or "/" in tag:
        path, tag = head.removeprefix(LAYOUT_SCHEME), ""
    if not path or not (tag or digest):
        raise RequestError(
            "a reference into a layout folder names a tag or a digest",
            subject=text,
            remedy="write oci:PATH:NAME-VERSION or oci:PATH@sha256:…",
        )
    return ArtifactReference(parse_destination(f"{LAYOUT_SCHEME}{path}"), "", tag, digest)
