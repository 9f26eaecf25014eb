"""Stop a real git in each of its hooks, and give what the hook was given: its environment and its folder."""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.doors.process_groups import process_group

HOOKS = (
    *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit", "prepare-commit-msg"),
    *("commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "pre-push", "post-rewrite"),
    *("reference-transaction", "post-index-change", "pre-auto-gc", "pre-receive", "update", "post-receive"),
    *("post-update", "push-to-checkout", "fsmonitor-watchman"),
)
# While somebody listens, the first call of each hook waits until it is answered; all others do nothing.
_HOOK = """#!/bin/sh
exec </dev/null
[ -e "{folder}/listening" ] || exit 0
stop="{folder}/{kind} $(basename "$0")"
mkdir "$stop" 2>/dev/null || exit 0
env -0 > "$stop/environment"
pwd > "$stop/folder"
echo "$stop" > "{folder}/asked"
cat "{folder}/answered" >/dev/null
case "$0" in *pre-auto-gc) exit 1 ;; esac
"""


@dataclass(frozen=True)
class Stop:
    """Say in which hook git stands, and with what."""

    name: str
    environment: Mapping[str, str]
    folder: Path


class HookStops:
    """Put hooks into repositories, and stop git in them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        os.mkfifo(folder / "asked")
        os.mkfifo(folder / "answered")

    def put_into(self, git_folder: Path, kind: str) -> None:
        """Put every hook into the repository in `git_folder`; `kind` names it in `Stop.name`."""
        (git_folder / "hooks").mkdir(exist_ok=True)
        for name in HOOKS:
            path = git_folder / "hooks" / name
            path.write_text(_HOOK.format(folder=self._folder, kind=kind))
            path.chmod(0o755)

    def during(self, folder: Path, *arguments: str, environment: Mapping[str, str]) -> Iterator[Stop]:
        """Run git in `folder`, and yield each hook that it stands in; what is done until the next one happens there."""
        command = ["git", "-C", str(folder), *arguments]
        printed = self._folder / "printed"
        (self._folder / "listening").touch()
        asked = os.open(self._folder / "asked", os.O_RDWR | os.O_NONBLOCK)
        with (
            printed.open("wb") as output,
            process_group(command, environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as git,
        ):
            while git.poll() is None:
                if select.select([asked], [], [], 0.02)[0]:
                    yield _stop_at(Path(os.read(asked, 4096).decode().strip()))
                    (self._folder / "answered").write_text("go on")
        os.close(asked)
        (self._folder / "listening").unlink()
        assert git.returncode == 0, f"git {' '.join(arguments)}: {printed.read_text()}"


def _stop_at(stop: Path) -> Stop:
    variables = (entry.partition("=") for entry in (stop / "environment").read_text().split("\0") if entry)
    return Stop(stop.name, {name: value for name, _, value in variables}, Path((stop / "folder").read_text().strip()))


def bytes_below(folder: Path) -> dict[str, tuple[int, str]]:
    """Return mode and content of everything below `folder`, by its path."""
    return {str(path.relative_to(folder)): (path.lstat().st_mode, _content(path)) for path in sorted(folder.rglob("*"))}


def _content(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
