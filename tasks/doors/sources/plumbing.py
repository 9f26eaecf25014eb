"""Ask git about one repository by plumbing, which runs no program that the repository's settings name.

Objects come as their bytes and are compared with their ids, so no replacement, forged pack or alternate changes what
a commit is. Every git has a time limit, and what it prints has a size.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, cast

from pluginyard.errors import SourceError
from pluginyard.sources import GitFailure, GitObject, judge_git_failure, missing_object
from tasks.doors.process_groups import process_group
from tasks.doors.sources.environment import reading_environment
from tasks.doors.sources.fetches import end_of
from tasks.doors.sources.mirrors import error_for

ANSWER_SECONDS = 60
MIB = 1024 * 1024
LARGEST_READ = 64 * MIB
_ELSEWHERE = "look into the repository with git, or give the URL of another"
# Ids that are asked for at once: fewer bytes than a pipe holds, so git never waits for us while we wait for git.
_AT_ONCE = 400


class GitReader:
    """Read the repository whose git folder is `folder`; a context manager, for one git that all objects come from.

    With `within`, `folder` is any folder of a clone.
    """

    def __init__(self, repository: str, folder: str, *, within: bool = False) -> None:
        self._repository, self._folder = repository, folder
        self._where = ("-C", folder) if within else (f"--git-dir={folder}",)
        self._open = contextlib.ExitStack()
        self._batch: _Git | None = None

    def __enter__(self) -> GitReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def lines(self, *arguments: str) -> list[str]:
        """Return what a git command prints; nothing where it fails without a word."""
        with self._started(*arguments) as git:
            printed = git.rest()
            if said := git.said():
                raise self._error(judge_git_failure(said))
        return printed.decode("utf-8", "surrogateescape").splitlines()

    def object(self, identity: str) -> GitObject:
        """Return one object; raise SourceError where git lacks it, or some of it."""
        return next(self.objects([identity]))

    def objects(self, identities: Iterable[str], largest: int = LARGEST_READ) -> Iterator[GitObject]:
        """Yield the objects in order; raise SourceError for one that is missing, damaged or above `largest` bytes."""
        if self._batch is None:
            self._batch = self._open.enter_context(self._started("cat-file", "--batch"))
        for identity, kind, size in self._headers(self._batch, identities):
            if size > largest:
                said = f"object {identity} has {size:,} bytes, and {largest:,} are read at most"
                raise self._error(GitFailure(said, _ELSEWHERE))
            found = GitObject(kind, identity, self._batch.take(size + 1)[:-1])
            if not found.is_what_its_id_says:
                raise self._error(missing_object(identity))
            yield found

    def kinds(self, identities: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield kind and size in bytes of objects, and read none of them; raise as `objects` does."""
        with self._started("cat-file", "--batch-check") as git:
            yield from ((kind, size) for _, kind, size in self._headers(git, identities))

    def _headers(self, git: _Git, identities: Iterable[str]) -> Iterator[tuple[str, str, int]]:
        """Ask for objects, and yield id, kind and size of each; what else git sends is the caller's to take."""
        waiting = iter(identities)
        while asked := list(islice(waiting, _AT_ONCE)):
            git.send("".join(f"{identity}\n" for identity in asked))
            for identity in asked:
                words = git.line().split()
                if len(words) != 3 or words[0] != identity:
                    raise self._error(missing_object(identity))
                yield identity, words[1], int(words[2])

    @contextlib.contextmanager
    def _started(self, *arguments: str) -> Iterator[_Git]:
        # What a commit-graph says of parents is not compared with the commits.
        command = ["git", *self._where, "-c", "core.commitGraph=false", *arguments]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with (
            tempfile.TemporaryFile() as errors,
            process_group(command, reading_environment(), stderr=errors, **streams) as process,
        ):
            yield _Git(process, errors, self._error)

    def _error(self, failure: GitFailure) -> SourceError:
        return error_for(failure, self._folder, self._repository)


class _Git:
    """Talk to a git that runs, and wait for it no longer than the time limit."""

    def __init__(
        self, process: subprocess.Popen[bytes], errors: IO[bytes], error: Callable[[GitFailure], SourceError]
    ) -> None:
        self._process, self._errors, self._error = process, errors, error
        self._input = cast("IO[bytes]", process.stdin)
        self._output = cast("IO[bytes]", process.stdout).fileno()
        self._received = bytearray()

    def send(self, text: str) -> None:
        """Write to git's input; one that ended is noticed where its answer is read."""
        with contextlib.suppress(BrokenPipeError):
            self._input.write(text.encode())
            self._input.flush()

    def line(self) -> str:
        """Return the next line."""
        while (end := self._received.find(b"\n")) < 0:
            self._receive_more()
        return self.take(end + 1).decode("ascii", "replace")

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._received) < count:
            self._receive_more()
        with memoryview(self._received) as received:
            taken = received[:count].tobytes()
        del self._received[:count]
        return taken

    def rest(self) -> bytes:
        """Return all that comes."""
        while self._receive():
            if len(self._received) > LARGEST_READ:
                raise self._error(GitFailure(f"git prints more than {LARGEST_READ:,} bytes", _ELSEWHERE))
        return bytes(self._received)

    def said(self) -> str:
        """Return what it printed as errors where it fails; one whose output ended, ends by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ANSWER_SECONDS)
        return end_of(self._errors) if self._process.returncode else ""

    def _receive_more(self) -> None:
        if not self._receive():
            raise self._error(judge_git_failure(self.said()))

    def _receive(self) -> bool:
        """Take what has come, or wait for more; False at the end."""
        waiting = select.poll()
        waiting.register(self._output, select.POLLIN)
        if not waiting.poll(ANSWER_SECONDS * 1000):
            raise self._error(GitFailure(f"git gives no answer within {ANSWER_SECONDS} s", _ELSEWHERE))
        received = os.read(self._output, MIB)
        self._received += received
        return bool(received)
