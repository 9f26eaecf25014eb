"""Pin a repository to a commit, and read its tags, folders and files: nothing is checked out."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from pluginyard.errors import SourceError
from pluginyard.releases import nearest_names
from pluginyard.settings import strip_credentials
from pluginyard.sources import (
    MOST_FILES,
    GitObject,
    Source,
    SourceFile,
    SourceTag,
    SourceTree,
    choose_revisions,
    is_id,
    is_url,
    parse_folder,
)
from tasks.doors.sources.mirrors import update_mirror
from tasks.doors.sources.plumbing import LARGEST_READ, GitReader

_LONGEST_CHAIN = 40
"""Tags of tags that are followed."""


def open_source(repository: str, *, tag: str = "", ref: str = "", cache: Path, ca_bundle: str = "") -> Source:
    """Pin `repository` (URL or local path) at a tag, branch or commit; HEAD where none is named.

    Raises SourceError (not a repository, no such tag: the nearest is named) or SourceUnavailableError.
    """
    folder = _bring(repository, cache, ref=ref, ca_bundle=ca_bundle)
    subject = strip_credentials(repository)
    with GitReader(repository, folder) as reader:
        found = reader.object(_resolve(reader, tag, ref, subject))
        for _ in range(_LONGEST_CHAIN):
            if found.kind == "tag":
                found = reader.object(found.link(b"object"))
        if found.kind != "commit":
            raise SourceError(f"{tag or ref} leads to a {found.kind}", subject=subject, remedy="tag a commit")
        return _pinned(found, subject, folder)


def read_git_tags(repository: str, *, cache: Path, ca_bundle: str = "") -> tuple[SourceTag, ...]:
    """Bring `repository` up to date and pin every tag that leads to a commit; raise as `open_source` does."""
    folder = _bring(repository, cache, ca_bundle=ca_bundle)
    subject = strip_credentials(repository)
    with GitReader(repository, folder) as reader:
        printed = reader.lines("for-each-ref", "--format=%(objectname) %(refname:strip=2)", "refs/tags")
        rows = [line.split(" ", 1) for line in printed]
        objects = _follow(reader, [identity for identity, _ in rows])
        sources = {found.id: _pinned(found, subject, folder) for found in objects.values() if found.kind == "commit"}
        tags = []
        for identity, name in rows:
            target = identity
            while (found := objects.get(target)) and found.kind == "tag":
                target = found.link(b"object")
            if source := sources.get(target):
                tagged = objects[identity].seconds(b"tagger")
                tags.append(SourceTag(name, source, source.commit_time if tagged is None else tagged))
        return tuple(tags)


class CommitReader:
    """Read the files of one commit; a context manager."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._reader = GitReader(source.repository, source.git_folder)

    def __enter__(self) -> CommitReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.__exit__()

    @cached_property
    def tree(self) -> SourceTree:
        """The list of every file of the commit; raises SourceError for more than anybody reads."""
        commit = self._reader.object(self.source.commit)
        folders = [("", commit.link(b"tree"))]
        files: list[SourceFile] = []
        while folders:
            found = zip(folders, self._reader.objects([identity for _, identity in folders]), strict=True)
            parsed = [parse_folder(tree, path) for (path, _), tree in found]
            folders = [below for folder in parsed for below in folder.folders]
            files += [file for folder in parsed for file in folder.files]
            if len(files) + len(folders) > MOST_FILES:
                raise SourceError(
                    f"the commit has more than {MOST_FILES:,} files",
                    subject=self.source.repository,
                    remedy="publish plugins from a repository of their own",
                )
        return SourceTree(files)

    def read(self, file: SourceFile, largest: int = LARGEST_READ) -> bytes:
        """Return the content of `file`; raise SourceError where git does not have all of it, or it is too large."""
        try:
            return next(self._reader.objects([file.blob], largest)).content
        except SourceError as error:
            raise error.add(f"it is {file.path}") from None

    def size_of(self, files: Iterable[SourceFile]) -> int:
        """Return the bytes of all `files` together, without reading them."""
        wanted, sizes = tuple(files), list[int]()
        try:
            sizes.extend(size for _, size in self._reader.kinds(file.blob for file in wanted))
        except SourceError as error:
            raise error.add(f"it is {wanted[len(sizes)].path}") from None
        return sum(sizes)


def _bring(repository: str, cache: Path, *, ref: str = "", ca_bundle: str = "") -> str:
    """Bring `repository` (URL or local path) up to date; return its git folder."""
    if is_url(repository):
        return update_mirror(repository, cache / "mirrors", ref=ref, ca_bundle=ca_bundle)
    path = Path(repository).expanduser()
    if not path.is_dir():
        raise SourceError("there is no such folder", subject=repository, remedy="give a URL or the path of a clone")
    with GitReader(repository, str(path.resolve()), within=True) as reader:
        return str(Path(reader.lines("rev-parse", "--absolute-git-dir")[0]).resolve())


def _resolve(reader: GitReader, tag: str, ref: str, subject: str) -> str:
    for revision in choose_revisions(tag, ref):
        ask = ("-c", "core.disambiguate=committish", "rev-parse", "--verify", "--quiet", "--end-of-options", revision)
        if (lines := reader.lines(*ask)) and is_id(lines[0]):
            return lines[0]
    kind = "refs/tags" if tag else "refs/heads"
    names = reader.lines("for-each-ref", "--format=%(refname:strip=2)", kind)
    raise SourceError(
        f"no {'tag' if tag else 'commit, tag or branch'} {tag or ref or 'HEAD'}",
        subject=subject,
        remedy=nearest_names(tag or ref, names) if names else "commit and push first",
    )


def _follow(reader: GitReader, identities: list[str]) -> dict[str, GitObject]:
    """Return the tags and commits among `identities`, and what tags lead to, by id."""
    kinds = zip(identities, reader.kinds(identities), strict=True)
    waiting = {identity for identity, (kind, _) in kinds if kind in ("tag", "commit")}
    found: dict[str, GitObject] = {}
    for _ in range(_LONGEST_CHAIN):
        objects = list(reader.objects(sorted(waiting)))
        found |= {each.id: each for each in objects}
        waiting = {target for each in objects if (target := _target(each))} - found.keys()
        if not waiting:
            break
    return found


def _target(tag: GitObject) -> str:
    """Return the id of the tag or commit that a tag leads to, empty where there is none."""
    leads = tag.kind == "tag" and tag.field(b"type") in (b"tag", b"commit")
    return tag.link(b"object") if leads else ""


def _pinned(commit: GitObject, subject: str, folder: str) -> Source:
    seconds = commit.seconds(b"committer")
    if seconds is None:
        raise SourceError("the commit has no time", subject=f"commit {commit.id}", remedy="name another commit")
    return Source(subject, folder, commit.id, seconds)
