"""Read a repository's tags, trees and blobs as git objects: nothing is checked out."""

from __future__ import annotations

from pathlib import Path

import git
from git.exc import GitCommandError

from pluginyard.errors import SourceError
from pluginyard.releases import nearest_names
from pluginyard.settings import strip_credentials
from pluginyard.sources import Source, SourceFile, SourceTag, SourceTree
from tasks.doors.sources.repositories import bring_repository, open_git_repository, opened, refused

_TAG_FORMAT = (
    "%(refname:strip=2)%09%(creatordate:unix)%09%(objecttype)%09%(*objecttype)%09%(if)%(*objectname)%(then)"
    "%(*objectname) %(*committerdate:unix)%(else)%(objectname) %(committerdate:unix)%(end)"
)


def open_source(repository: str, *, tag: str = "", ref: str = "", cache: Path, ca_bundle: str = "") -> Source:
    """Pin `repository` (URL or local path) at a tag, branch or commit; HEAD where none is named.

    Raises SourceError (not a repository, no such tag: the nearest is named) or SourceUnavailableError.
    """
    folder = bring_repository(repository, cache, ref=ref, ca_bundle=ca_bundle)
    with opened(folder, repository) as repo:
        revision = f"refs/tags/{tag}" if tag else ref or "HEAD"
        if revision.startswith("-"):
            raise SourceError("a ref does not begin with -", subject=ref, remedy="name a tag, branch or commit")
        commit = _resolve(repo, revision, tag, ref, repository)
        seconds = int(repo.git.show("-s", "--format=%ct", commit))
        return Source(strip_credentials(repository), folder, commit, seconds)


def read_tree(source: Source) -> SourceTree:
    """List every file of the commit."""
    with opened(source.git_folder, source.repository) as repo:
        listing = repo.git.ls_tree("-r", "-z", "-l", "--full-tree", source.commit)
    rows = (row.partition("\t") for row in listing.split("\0") if row)
    return SourceTree(tuple(_file(head.split(), path) for head, _, path in rows))


def read_git_tags(repository: str, *, cache: Path, ca_bundle: str = "") -> tuple[SourceTag, ...]:
    """Bring `repository` up to date and pin every tag that leads to a commit; raise as `open_source` does."""
    folder = bring_repository(repository, cache, ca_bundle=ca_bundle)
    with opened(folder, repository) as repo:
        rows = repo.git.for_each_ref("refs/tags", format=_TAG_FORMAT).splitlines()
        return tuple(tag for row in rows if (tag := _pin_tag(repo, row.split("\t"), repository, folder)))


class BlobReader:
    """Read blobs of one repository through one `git cat-file --batch`; a context manager."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._repo = open_git_repository(source.git_folder, source.repository)

    def __enter__(self) -> BlobReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._repo.close()

    def read(self, file: SourceFile) -> bytes:
        """Return the content of `file`; raise SourceError where git does not have all of it."""
        try:
            content = bytes(self._repo.odb.stream(bytes.fromhex(file.blob)).read())
        except ValueError:
            content = None
        if content is None or len(content) != file.size:
            said = f"{file.path} (object {file.blob}) cannot be read: object file is missing or corrupt"
            raise refused(said, self._source.git_folder, self._source.repository)
        return content


def _pin_tag(repo: git.Repo, row: list[str], repository: str, folder: str) -> SourceTag | None:
    name, tagged, *kinds, commit = row
    if kinds[1] == "tag":  # a tag of a tag: the listing goes one step only
        commit = repo.git.log("-1", "--format=%H %ct", f"refs/tags/{name}", "--")
    elif "commit" not in kinds:
        return None
    if not commit:  # it leads to no commit either
        return None
    digest, seconds = commit.split()
    return SourceTag(name, Source(strip_credentials(repository), folder, digest, int(seconds)), int(tagged or seconds))


def _resolve(repo: git.Repo, revision: str, tag: str, ref: str, repository: str) -> str:
    subject = strip_credentials(repository)
    for candidate in (revision,) if tag or not ref else (revision, f"refs/heads/{ref}", f"refs/remotes/origin/{ref}"):
        try:
            return str(repo.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}"))
        except GitCommandError as error:
            if "expected commit type" in str(error.stderr):
                kind = repo.git.cat_file("-t", f"{candidate}^{{}}")
                raise SourceError(f"{tag or ref} leads to a {kind}", subject=subject, remedy="tag a commit") from error
            if error.stderr:
                raise  # git says nothing where it only does not know the name
    names = repo.git.tag("--list").split() if tag else [head.name for head in repo.heads]
    raise SourceError(
        f"no {'tag' if tag else 'commit, tag or branch'} {tag or ref or 'HEAD'}",
        subject=subject,
        remedy=nearest_names(tag or ref, names) if names else "commit and push first",
    )


def _file(head: list[str], path: str) -> SourceFile:
    mode, _, blob, size = head
    return SourceFile(path, mode, blob, 0 if size == "-" else int(size))
