"""Mirror a URL: branches, tags and HEAD, made once, brought up to date by each run, made anew where it is damaged.

A lock file is held by the one run that changes a mirror; runs that read it need none.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path

from pluginyard.errors import SourceError
from pluginyard.settings import strip_credentials
from pluginyard.sources import GitFailure, choose_refspecs, is_url, judge_git_failure
from tasks.doors.locks import file_lock
from tasks.doors.sources.environment import network_environment, network_options
from tasks.doors.sources.fetches import TimedFetch, fetch_within

FETCH_SECONDS = 600
_HEAD = "ref: refs/pluginyard/HEAD\n"


def update_mirror(url: str, mirrors: Path, *, ref: str = "", ca_bundle: str = "") -> str:
    """Make the mirror of `url`, or bring it up to date; return its folder. Safe beside other runs.

    `ref` is a full name that is wanted besides branches and tags (`refs/pull/7/head`).
    """
    try:
        return _update(url, mirrors, ref, ca_bundle)
    except OSError as error:
        raise SourceError(
            f"its mirror cannot be written: {error.strerror}",
            subject=strip_credentials(url),
            remedy="make room below PLUGINYARD_CACHE, and let this user read and write there",
        ) from error


def _update(url: str, mirrors: Path, ref: str, ca_bundle: str) -> str:
    mirrors.mkdir(parents=True, exist_ok=True)
    folder = mirrors / f"{hashlib.sha256(url.encode()).hexdigest()[:24]}.git"
    with fetch_within(FETCH_SECONDS, strip_credentials(url)) as fetch, file_lock(_lock_of(folder), check=fetch.check):
        mirror = _Mirror(url, fetch, choose_refspecs(ref), ca_bundle)
        if _is_usable(folder):
            _remove_leftovers(folder)
            failure = mirror.fetch_into(folder)
            if failure is None:
                return str(folder)
            if not failure.may_be_damage:
                raise failure.as_error(strip_credentials(url))
        mirror.make(folder)
    return str(folder)


def error_for(failure: GitFailure, folder: str, repository: str) -> SourceError:
    """Return the error for what was read in `folder`; a damaged mirror is removed, to be made anew."""
    is_mirror = is_url(repository)
    if is_mirror and failure.may_be_damage:
        _remove_mirror(Path(folder))
    return failure.as_error(strip_credentials(repository), is_mirror=is_mirror)


def _remove_mirror(folder: Path) -> None:
    """Remove a mirror, unless another run is at it."""
    with contextlib.suppress(TimeoutError), file_lock(_lock_of(folder), seconds=0):
        shutil.rmtree(folder, ignore_errors=True)


class _Mirror:
    """Fetch one URL, by one time limit, into whichever folder."""

    def __init__(self, url: str, fetch: TimedFetch, refspecs: tuple[str, ...], ca_bundle: str) -> None:
        self._url, self._fetch, self._refspecs, self._ca_bundle = url, fetch, refspecs, ca_bundle

    def fetch_into(self, folder: Path) -> GitFailure | None:
        """Fetch into the bare repository `folder`; return why git could not, None where it could."""
        return self._git(folder, "fetch", "--prune", "--no-tags", "--", self._url, *self._refspecs)

    def make(self, folder: Path) -> None:
        """Make the mirror beside its place and move it there once it is complete."""
        _sweep(folder.parent)
        partial = _partial_of(folder)
        shutil.rmtree(partial, ignore_errors=True)
        try:
            # No template of this machine: it may hold hooks.
            failure = self._git(partial, "init", "--quiet", "--bare", "--template=")
            if not failure:
                (partial / "HEAD").write_text(_HEAD, encoding="ascii")
                failure = self.fetch_into(partial)
            if failure:
                raise failure.as_error(strip_credentials(self._url))
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _git(self, folder: Path, *arguments: str) -> GitFailure | None:
        command = ["git", f"--git-dir={folder}", *network_options(self._ca_bundle), *arguments]
        code, said = self._fetch.run(command, network_environment(self._url, self._ca_bundle))
        return judge_git_failure(said) if code else None


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _partial_of(folder: Path) -> Path:
    return folder.with_suffix(".partial")


def _is_usable(folder: Path) -> bool:
    """Whether there is a mirror, and not one of another layout."""
    head = folder / "HEAD"
    return head.is_file() and head.read_text(encoding="ascii", errors="replace") == _HEAD


def _remove_leftovers(folder: Path) -> None:
    """Remove what a git that was killed left: we hold the lock, so no git works here."""
    for path in (*folder.glob("*.lock"), *(folder / "refs").rglob("*.lock"), *(folder / "objects/pack").glob("tmp_*")):
        path.unlink(missing_ok=True)


def _sweep(mirrors: Path) -> None:
    """Remove the half-made mirrors of runs that are dead: nobody holds their locks."""
    for partial in mirrors.glob("*.partial"):
        with contextlib.suppress(TimeoutError), file_lock(_lock_of(partial.with_suffix(".git")), seconds=0):
            shutil.rmtree(partial, ignore_errors=True)
