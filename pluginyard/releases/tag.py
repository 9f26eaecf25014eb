"""What is to be released: the anchored parse of a release tag, or a plugin's name and version.

>>> parse_release_tag("wasm-go-foo-v1-v2.0.0")
Release(language='go', name='foo-v1', version='2.0.0', tag='wasm-go-foo-v1-v2.0.0')
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches

from pluginyard.errors import RequestError, SourceError
from pluginyard.versions import parse_semver

# A name holds no dot, a SemVer core holds two: so the tag splits in one place only, however many `-v1` it has.
_NAME = r"[a-z0-9]+(?:[-_]+[a-z0-9]+)*"
_TAG = re.compile(rf"wasm-(?P<language>[a-z0-9]+)-(?P<name>{_NAME})-v(?P<version>[0-9]+\.[0-9]+\.[0-9]+\S*)")
_LOOSE_TAGS = (
    re.compile(r"wasm-(?P<language>[a-z0-9]+)-(?P<name>.+)-v[-._]?(?P<core>[0-9][0-9.]*)(?P<rest>-[0-9a-z.-]+)?"),
    re.compile(r"wasm-(?P<language>[a-z0-9]+)-(?P<name>.+?)-(?P<core>[0-9][0-9.]*)(?P<rest>-[0-9a-z.-]+)?"),
    re.compile(r"wasm-(?P<language>[a-z0-9]+)-(?P<name>[^.]+?)(?:-v)?(?P<core>)(?P<rest>)"),
)
_LONGEST_VERSION = 128
_LONGEST_TAG = 255
"""git keeps a tag in a file of its name, so that no file system holds a longer one."""
TAG_FORM = "wasm-{language}-{name}-v{semver}, as in wasm-go-request-block-v1.0.0"


@dataclass(frozen=True)
class Release:
    """Say which plugin, in which version, was asked for; an empty version is not known yet."""

    language: str
    name: str
    version: str = ""
    tag: str = ""

    def with_version(self, version: str) -> Release:
        """Return the same release with its version known."""
        return replace(self, version=version)

    def __str__(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name


def parse_release_tag(text: str) -> Release:
    """Parse `wasm-{language}-{name}-v{semver}`; raise RequestError that names the nearest valid tag.

    Whether the language has a folder is the repository's word, so that is checked once it is read.

    The shell it replaces cut at the first `v` and the last dash.
    """
    tag = text.removeprefix("refs/tags/")
    found = _TAG.fullmatch(tag) if len(tag) <= _LONGEST_TAG else None
    if not found:
        raise _tag_error(tag, "not a release tag")
    try:
        version = check_version(found["version"], subject=tag)
    except RequestError as error:
        raise _tag_error(tag, error.message) from error
    return Release(found["language"], found["name"], version, tag)


def choose_release(language: str, name: str, version: str) -> Release:
    """Return the release for a name and an optional version; raise RequestError on the first bad part."""
    if not re.fullmatch(_NAME, name):
        nearest = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")
        raise RequestError(
            "a plugin's name is lower case a-z, 0-9, with single - or _ between",
            subject=name or "''",
            remedy=f"try {nearest}" if nearest else "give the name of the plugin's folder",
        )
    return Release(language, name, check_version(version, subject=name) if version else "")


def check_version(version: str, *, subject: str) -> str:
    """Return `version` if it is SemVer without build metadata (`+` is illegal in an OCI tag)."""
    if len(version) > _LONGEST_VERSION:
        raise RequestError("the version is longer than an OCI tag may be (128)", subject=subject, remedy="shorten it")
    if version.startswith("v"):
        raise RequestError(
            f"version {version!r} has a leading v",
            subject=subject,
            remedy=f"write {version.removeprefix('v')}",
        )
    if "+" in version:
        plain = version.partition("+")[0]
        raise RequestError(
            f"version {version!r} has build metadata, and + is illegal in an OCI tag",
            subject=subject,
            remedy=f"write {plain}",
        )
    try:
        parse_semver(version)
    except RequestError as error:
        raise RequestError(f"{version!r} is {error.message}", subject=subject, remedy=error.remedy) from None
    return version


def parse_version_file(content: bytes, *, subject: str) -> str:
    """Return what a VERSION file says, without line ends and the byte order mark of editors on Windows.

    Raises SourceError for one that is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise SourceError(
            "the file is not UTF-8", subject=subject, remedy="save it as UTF-8, with the version alone, as 1.0.0"
        ) from None


def check_language(language: str, languages: Collection[str], *, subject: str) -> str:
    """Return `language` if the repository's layout has a folder for it."""
    if language in languages:
        return language
    near = get_close_matches(language, languages, n=1)
    raise RequestError(
        f"no folder is configured for language {language!r}",
        subject=subject,
        remedy=f"use {near[0]}" if near else f"use one of {', '.join(sorted(languages))}, or add it under `layout:`",
    )


def version_of_commit(commit_time: int, commit: str) -> str:
    """Return `{commit time UTC}-{short commit}`, the version of a plugin that declares none."""
    return f"{datetime.fromtimestamp(commit_time, UTC):%Y%m%d-%H%M%S}-{commit[:7]}"


def nearest_tag(text: str) -> str:
    """Return the valid tag nearest to `text`, or an empty string where none is near."""
    if len(text) > _LONGEST_TAG:
        return ""
    plain = re.sub(r"[^a-z0-9._-]+", "-", text.partition("+")[0].lower())
    found = next((match for form in _LOOSE_TAGS if (match := form.fullmatch(plain))), None)
    if not found:
        return ""
    numbers = [str(int(part)) for part in found["core"].split(".") if part] or ["1"]
    prerelease = [str(int(part)) if part.isdigit() else part for part in (found["rest"] or "")[1:].split(".")]
    version = ".".join([*numbers, "0", "0"][:3]) + (f"-{'.'.join(prerelease)}" if found["rest"] else "")
    name = re.sub(r"[^a-z0-9_]+", "-", found["name"]).strip("-_")
    candidate = f"wasm-{found['language']}-{name}-v{version}"
    return candidate if _TAG.fullmatch(candidate) and _is_semver(version) else ""


def nearest_names(name: str, names: Iterable[str]) -> str:
    """Return a remedy that names what is near `name` among `names`."""
    known = sorted(set(names))
    near = get_close_matches(name, known, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are: {', '.join(known[:12])}{', …' if len(known) > 12 else ''}" if known else "there is none"


def _is_semver(version: str) -> bool:
    try:
        parse_semver(version)
    except RequestError:
        return False
    return True


def _tag_error(tag: str, message: str) -> RequestError:
    nearest = nearest_tag(tag)
    form = f"the form is {TAG_FORM}"
    shown = tag if len(tag) <= _LONGEST_TAG else f"{tag[:_LONGEST_TAG]}…"
    return RequestError(message, subject=shown or "''", remedy=f"nearest: {nearest}; {form}" if nearest else form)
