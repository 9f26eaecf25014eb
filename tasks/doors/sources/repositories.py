"""Reach a repository: a local one as it is, a URL as its mirror."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import git
from git.exc import GitCommandError, GitError

from pluginyard.errors import PluginyardError, SourceError
from pluginyard.settings import strip_credentials
from pluginyard.sources import judge_git_failure
from tasks.doors.sources.environment import quiet_environment
from tasks.doors.sources.fetches import SourceUnavailableError
from tasks.doors.sources.mirrors import as_error, is_mirror, remove_mirror, update_mirror, words_of

_URL = re.compile(r"(?:https?|ssh|git|file)://|[^/\s]+@[^/\s:]+:")


def bring_repository(repository: str, cache: Path, *, ref: str = "", ca_bundle: str = "") -> str:
    """Bring `repository` (URL or local path) up to date; return the folder of its objects.

    Raises SourceError (not a repository, no such address) or SourceUnavailableError.
    """
    if _URL.match(repository):
        return update_mirror(repository, cache / "mirrors", ref=ref, ca_bundle=ca_bundle)
    path = Path(repository).expanduser()
    if not path.is_dir():
        raise SourceError("there is no such folder", subject=repository, remedy="give a URL or the path of a clone")
    with opened(str(path), repository) as repo:
        return str(Path(repo.git_dir).resolve())


@contextmanager
def opened(folder: str, repository: str) -> Iterator[git.Repo]:
    """Open the repository in `folder`; what git refuses is raised as a SourceError."""
    with open_git_repository(folder, repository) as repo:
        try:
            yield repo
        except GitCommandError as error:
            raise refused(words_of(error), folder, repository) from error


def refused(said: str, folder: str, repository: str) -> PluginyardError:
    """Return the error for a repository in `folder` of which git says `said`; a mirror that is damaged goes."""
    failure = judge_git_failure(said)
    if failure.may_be_damage and is_mirror(Path(folder)):
        remove_mirror(Path(folder))
        subject = strip_credentials(repository)
        return SourceUnavailableError(
            f"its mirror on this machine was damaged: {failure.said}", subject=subject, remedy="run the same again"
        )
    return as_error(failure, repository)


def open_git_repository(folder: str, repository: str) -> git.Repo:
    """Open the repository in `folder`, to be closed by the caller; raise SourceError where there is none."""
    try:
        repo = git.Repo(folder, search_parent_directories=True)
    except (GitError, ValueError) as error:
        raise SourceError(
            "not a git repository",
            subject=strip_credentials(repository),
            remedy="run git init and commit, or give a URL",
        ) from error
    repo.git.update_environment(**quiet_environment())
    return repo
