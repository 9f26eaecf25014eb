"""Reach a repository: a local one as it is, a URL as a mirror that is cloned once and fetched after that."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import git
from git.exc import GitCommandError, GitError

from pluginyard.errors import PluginyardError, SourceError

FETCH_SECONDS = 600
_URL = re.compile(r"(?:https?|ssh|git|file)://|[^/\s]+@[^/\s:]+:")
_UNREACHABLE = re.compile(
    r"could not resolve|unable to access|connection (?:refused|reset|timed out)|early eof|timed out|hung up|"
    r"the remote end|returned error: (?:429|5\d\d)|unable to connect|did not complete in",
    re.IGNORECASE,
)
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
}
_NOT_FOR_GIT = ("REGISTRY_PASSWORD", "PLUGINYARD_GITHUB_TOKEN")


class SourceUnavailableError(SourceError):
    """The remote repository does not answer: worth another try."""

    transient = True


def bring_repository(repository: str, cache: Path) -> str:
    """Bring `repository` (URL or local path) up to date; return the folder of its objects.

    Raises SourceError (not a repository, no such address) or SourceUnavailableError.
    """
    return _update_mirror(repository, cache / "mirrors") if _URL.match(repository) else _local(repository)


@contextmanager
def opened(folder: str, repository: str) -> Iterator[git.Repo]:
    """Open the repository in `folder`; what git refuses is raised as a SourceError."""
    with open_repository(folder, repository) as repo:
        try:
            yield repo
        except GitCommandError as error:
            raise _translated(error, repository) from error


def strip_credentials(text: str) -> str:
    """Return `text` without the user and password of any URL in it."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1", text)


def _local(repository: str) -> str:
    path = Path(repository).expanduser()
    if not path.is_dir():
        raise SourceError("there is no such folder", subject=repository, remedy="give a URL or the path of a clone")
    with opened(str(path), repository) as repo:
        return str(Path(repo.git_dir).resolve())


def _update_mirror(url: str, mirrors: Path) -> str:
    """Clone `url` as a mirror, or fetch into the one that is there; safe beside other runs."""
    mirrors.mkdir(parents=True, exist_ok=True)
    folder = mirrors / f"{hashlib.sha256(url.encode()).hexdigest()[:24]}.git"
    with (mirrors / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if folder.exists():
                with open_repository(str(folder), url) as repo:
                    repo.git.fetch("--prune", "--force", "origin", kill_after_timeout=FETCH_SECONDS)
            else:
                _clone(url, folder)
        except (GitError, ValueError) as error:
            raise _translated(error, url) from None  # the original holds the URL with its password
    return str(folder)


def _clone(url: str, folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    # Not Repo.clone_from: it knows no time limit. What it refuses (`ext::`), GIT_ALLOW_PROTOCOL refuses.
    git.Git().clone(
        "--mirror", "--", url, str(partial), env=dict(os.environ) | _environment(), kill_after_timeout=FETCH_SECONDS
    )
    partial.rename(folder)


def _translated(error: Exception, url: str) -> PluginyardError:
    said = strip_credentials(str(getattr(error, "stderr", "") or error)).strip().strip("'")
    lines = [line for line in said.splitlines() if line.strip()]
    text = lines[-1].strip() if lines else "git failed"
    if "did not complete in" in said:  # GitPython's words, with the whole command line
        text = f"no answer within {FETCH_SECONDS} s"
    if _UNREACHABLE.search(said):
        return SourceUnavailableError(f"cannot reach it: {text}", subject=strip_credentials(url), remedy="try later")
    return SourceError(
        f"cannot clone: {text}",
        subject=strip_credentials(url),
        remedy="check the address and git's own credentials",
    )


def open_repository(folder: str, repository: str) -> git.Repo:
    """Open the repository in `folder`, to be closed by the caller; raise SourceError where there is none."""
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
    """Return what git runs with besides ours: no prompt, and no secret that is meant for others.

    git starts programs that its configuration names; GitPython can replace a variable, not take it away.
    """
    return _QUIET | {name: "" for name in os.environ if name.startswith(_NOT_FOR_GIT)}
