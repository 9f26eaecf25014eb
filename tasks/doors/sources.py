"""The door to git: pin a repository to a commit and read its objects.

Nothing is checked out: files are read as git objects, so no filter, hook or line-ending setting of this
machine runs or changes a byte (docs/decisions.md). URLs are mirrored once and fetched after that.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import git
from git.exc import GitCommandError, GitError

from pluginyard.errors import PluginyardError, SourceError
from pluginyard.plugins import EXECUTABLE, LINK, Source, SourceFile, SourceTree
from pluginyard.releases import nearest_names

FETCH_SECONDS = 600
# The user inside the containers; the tar carries it so that no chown is needed there.
_OWNER = 65534
_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
_URL = re.compile(r"(?:https?|ssh|git|file)://|[^/\s]+@[^/\s:]+:")
_UNREACHABLE = re.compile(
    r"could not resolve|unable to access|connection (?:refused|reset|timed out)|early eof|timed out|hung up|"
    r"the remote end|returned error: (?:429|5\d\d)|unable to connect",
    re.IGNORECASE,
)
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_NOT_FOR_GIT = "REGISTRY_PASSWORD"


class SourceUnavailableError(SourceError):
    """The remote repository does not answer: worth another try."""

    transient = True


def open_source(repository: str, *, tag: str = "", ref: str = "", cache: Path) -> Source:
    """Pin `repository` (URL or local path) at a tag, branch or commit; HEAD where none is named.

    Raises SourceError (not a repository, no such tag: the nearest is named) or SourceUnavailableError.
    """
    folder = _update_mirror(repository, cache / "mirrors") if _URL.match(repository) else _local(repository)
    with _opened(folder, repository) as repo:
        revision = f"refs/tags/{tag}" if tag else ref or "HEAD"
        if revision.startswith("-"):
            raise SourceError("a ref does not begin with -", subject=ref, remedy="name a tag, branch or commit")
        commit = _resolve(repo, revision, tag, ref, repository)
        seconds = int(repo.git.show("-s", "--format=%ct", commit))
        return Source(strip_credentials(repository), folder, commit, seconds)


def read_tree(source: Source) -> SourceTree:
    """List every file of the commit."""
    with _opened(source.git_folder, source.repository) as repo:
        listing = repo.git.ls_tree("-r", "-z", "-l", "--full-tree", source.commit)
    rows = (row.partition("\t") for row in listing.split("\0") if row)
    return SourceTree(tuple(_file(head.split(), path) for head, _, path in rows))


class BlobReader:
    """Read blobs of one repository through one `git cat-file --batch`; a context manager."""

    def __init__(self, source: Source) -> None:
        self._repo = _open(source.git_folder, source.repository)

    def __enter__(self) -> BlobReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._repo.close()

    def read(self, file: SourceFile) -> bytes:
        """Return the content of `file`."""
        return bytes(self._repo.odb.stream(bytes.fromhex(file.blob)).read())


def write_context(source: Source, files: Iterable[SourceFile], target: Path) -> None:
    """Write `files` as an uncompressed tar of repository-relative paths, owned by the build's user.

    Raises SourceError for a Git LFS pointer: the compiler would read the pointer, not the file.
    """
    with (
        BlobReader(source) as blobs,
        target.open("wb") as output,
        tarfile.open(fileobj=output, mode="w|") as tar,
    ):
        folders: set[str] = set()
        for file in files:
            _add_folders(tar, file.path, folders)
            tar.addfile(*_member(file, blobs.read(file)))


def strip_credentials(text: str) -> str:
    """Return `text` without the user and password of any URL in it."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1", text)


def list_tags(source: Source) -> tuple[str, ...]:
    """Return the names of all tags."""
    with _opened(source.git_folder, source.repository) as repo:
        return tuple(repo.git.tag("--list").split())


def _resolve(repo: git.Repo, revision: str, tag: str, ref: str, repository: str) -> str:
    for candidate in (revision,) if tag or not ref else (revision, f"refs/heads/{ref}", f"refs/remotes/origin/{ref}"):
        try:
            return str(repo.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}"))
        except GitCommandError:
            continue
    names = repo.git.tag("--list").split() if tag else [head.name for head in repo.heads]
    raise SourceError(
        f"no {'tag' if tag else 'commit, tag or branch'} {tag or ref or 'HEAD'}",
        subject=strip_credentials(repository),
        remedy=nearest_names(tag or ref, names) if names else "commit and push first",
    )


def _local(repository: str) -> str:
    path = Path(repository).expanduser()
    if not path.is_dir():
        raise SourceError("there is no such folder", subject=repository, remedy="give a URL or the path of a clone")
    with _opened(str(path), repository) as repo:
        return str(Path(repo.git_dir).resolve())


def _update_mirror(url: str, mirrors: Path) -> str:
    """Clone `url` as a mirror, or fetch into the one that is there; safe beside other runs."""
    mirrors.mkdir(parents=True, exist_ok=True)
    folder = mirrors / f"{hashlib.sha256(url.encode()).hexdigest()[:24]}.git"
    with (mirrors / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if folder.exists():
                with _open(str(folder), url) as repo:
                    repo.git.fetch("--prune", "--force", "origin", kill_after_timeout=FETCH_SECONDS)
            else:
                _clone(url, folder)
        except (GitError, ValueError) as error:
            raise _translated(error, url) from None  # the original holds the URL with its password
    return str(folder)


def _clone(url: str, folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    repo = git.Repo.clone_from(url, partial, multi_options=["--mirror"], env=dict(os.environ) | _environment())
    repo.close()
    partial.rename(folder)


def _translated(error: Exception, url: str) -> PluginyardError:
    said = strip_credentials(str(getattr(error, "stderr", "") or error)).strip().strip("'")
    lines = [line for line in said.splitlines() if line.strip()]
    text = lines[-1].strip() if lines else "git failed"
    if _UNREACHABLE.search(said):
        return SourceUnavailableError(f"cannot reach it: {text}", subject=strip_credentials(url), remedy="try later")
    return SourceError(
        f"cannot clone: {text}",
        subject=strip_credentials(url),
        remedy="check the address and git's own credentials",
    )


def _open(folder: str, repository: str) -> git.Repo:
    try:
        repo = git.Repo(folder, search_parent_directories=True)
    except (GitError, ValueError) as error:
        raise SourceError(
            "not a git repository",
            subject=strip_credentials(repository),
            remedy="run git init and commit, or give a URL",
        ) from error
    repo.git.update_environment(**_environment())
    return repo


def _environment() -> dict[str, str]:
    """Return what git runs with besides ours: no prompt, and no password that is meant for a registry.

    git starts programs that its configuration names; GitPython can replace a variable, not take it away.
    """
    return _QUIET | {name: "" for name in os.environ if name.startswith(_NOT_FOR_GIT)}


@contextmanager
def _opened(folder: str, repository: str) -> Iterator[git.Repo]:
    with _open(folder, repository) as repo:
        try:
            yield repo
        except GitCommandError as error:
            raise _translated(error, repository) from error


def _file(head: list[str], path: str) -> SourceFile:
    mode, _, blob, size = head
    return SourceFile(path, mode, blob, 0 if size == "-" else int(size))


def _add_folders(tar: tarfile.TarFile, path: str, done: set[str]) -> None:
    """Add the folders above `path`, so that the build's user owns them and may write beside the sources."""
    parts = path.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        name = "/".join(parts[:depth])
        if name not in done:
            done.add(name)
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o755, _OWNER, _OWNER
            tar.addfile(folder)


def _member(file: SourceFile, content: bytes) -> tuple[tarfile.TarInfo, IO[Any] | None]:
    member = tarfile.TarInfo(file.path)
    member.uid = member.gid = _OWNER
    if file.mode == LINK:
        member.type, member.linkname = tarfile.SYMTYPE, content.decode("utf-8", "surrogateescape")
        return member, None
    if content.startswith(_LFS_POINTER) and len(content) < 1024:
        raise SourceError(
            "a Git LFS pointer, not the file itself", subject=file.path, remedy="commit the file without LFS"
        )
    member.size, member.mode = len(content), 0o755 if file.mode == EXECUTABLE else 0o644
    return member, io.BytesIO(content)
