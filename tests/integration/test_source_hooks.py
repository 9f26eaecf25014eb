"""pluginyard in a hook of git: the caller's repository is not taken for the one that is read, and stays as it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows.__main__ import main
from tasks.doors import sources
from tasks.doors.sources.environment import network_environment, reading_environment
from tests.machine.example_repository import commit, git, git_environment
from tests.machine.git_hooks import HookStops, Stop, bytes_below

TAG = "wasm-go-small-v1.0.0"
COMMITTING = {"pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "reference-transaction"}
CLONE = COMMITTING | {
    *("post-rewrite", "post-checkout", "pre-merge-commit", "post-merge", "pre-rebase", "post-index-change"),
    *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-auto-gc", "fsmonitor-watchman", "pre-push"),
}
BARE = {"pre-receive", "update", "reference-transaction", "post-receive", "post-update"}


class Repositories:
    """Hold the repositories in whose hooks pluginyard is run, all below one folder."""

    def __init__(self, folder: Path, stops: HookStops) -> None:
        self.folder, self._stops = folder, stops
        folder.mkdir()
        git(folder, "init", "--quiet", "--bare", "--template", "", "bare")
        stops.put_into(folder / "bare", "bare")

    def clone(self, name: str, hooks: str) -> Path:
        """Make a repository of two commits, with hooks that are named `hooks`."""
        folder = self.folder / name
        git(self.folder, "init", "--quiet", "--initial-branch", "main", "--template", "", name)
        (folder / "file").write_text("content\n")
        commit(folder, "first")
        self._stops.put_into(folder / ".git", hooks)
        return folder

    def worktree(self) -> Path:
        """Make a linked worktree of another repository: git gives its hooks an absolute GIT_DIR."""
        git(self.clone("main", "worktree"), "worktree", "add", "--quiet", "-b", "work", "../worktree")
        return self.folder / "worktree"

    def submodule(self) -> Path:
        """Make a submodule of another repository."""
        inner, outer = self.clone("inner", "none"), self.clone("outer", "none")
        git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "submodule")
        self._stops.put_into(outer / ".git/modules/submodule", "submodule")
        return outer / "submodule"

    def begin_hooks(self, folder: Path) -> Iterator[Stop]:
        """Do in `folder` what begins hooks of a clone, and of the repositories that it pushes to."""
        (self.folder / "patch").write_text(_patch_of(folder))
        hook = git(folder, "rev-parse", "--path-format=absolute", "--git-path", "hooks/fsmonitor-watchman")
        loose = Path(git(folder, "rev-parse", "--path-format=absolute", "--git-path", "objects/17"))
        loose.mkdir(exist_ok=True)
        for name in ("a" * 38, "b" * 38):  # by this folder git guesses whether there is enough to collect
            (loose / name).touch()
        in_place = self.clone("in-place", "in-place")
        git(in_place, "config", "receive.denyCurrentBranch", "updateInstead")
        for command in (
            f"-c core.fsmonitor={hook} status",
            "commit --allow-empty -m second",
            "commit --allow-empty --amend -m better",
            "checkout --quiet -b side HEAD~1",
            "commit --allow-empty -m beside",
            "merge --quiet --no-ff --no-edit -",
            "rebase --quiet --force-rebase HEAD~1",
            f"am --quiet {self.folder}/patch",
            "-c gc.auto=1 -c gc.autoDetach=false gc --quiet --auto",
            f"push --quiet {self.folder}/bare HEAD:refs/heads/pushed",
            f"push --quiet --force {in_place} HEAD:refs/heads/main",
        ):
            yield from self._stops.during(folder, *command.split(), environment=git_environment())


def _patch_of(folder: Path) -> str:
    head = git(folder, "rev-parse", "HEAD")
    (folder / "patched").write_text("new\n")
    commit(folder, "patched")
    patch = git(folder, "format-patch", "--stdout", "-1")
    git(folder, "reset", "--quiet", "--hard", head)
    return f"{patch}\n"


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    return Repositories(tmp_path / "callers", HookStops(tmp_path / "stops"))


@pytest.fixture
def read(tmp_path: Path) -> Path:
    """Give the repository that is read: a plugin and its release tag."""
    folder = tmp_path / "read"
    plugin = folder / "plugins/wasm-go/extensions/small"
    plugin.mkdir(parents=True)
    git(folder, "init", "--quiet", "--template", "")
    (plugin / "go.mod").write_text("module small\n")
    (plugin / "main.go").write_text("package main\n\nfunc main() {}\n")
    commit(folder, "a plugin")
    git(folder, "tag", TAG)
    return folder


@pytest.fixture
def check_in(
    read: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Stop, Path], None]:
    """Give the function that runs everything where git stands in a hook."""
    expected = git(read, "rev-parse", "HEAD")
    clean = dict(os.environ)

    def check(stop: Stop, callers: Path) -> None:
        before = bytes_below(callers)
        with monkeypatch.context() as here:
            for name in clean.keys() - stop.environment.keys():
                here.delenv(name, raising=False)
            for name, value in stop.environment.items():
                here.setenv(name, value)
            here.chdir(stop.folder)
            cache = tmp_path / "caches" / stop.name
            here.setenv("PLUGINYARD_CACHE", str(cache))
            here.setenv("PLUGINYARD_ENGINE", "container")
            for address in (str(read), f"file://{read}"):
                assert main(["plan", "--repository", address, "--tag", TAG, "--registry", "oci:x"]) == 0, stop.name
                assert expected in capsys.readouterr().out, stop.name
                tags = sources.read_git_tags(address, cache=cache)
                assert [tag.source.commit for tag in tags] == [expected], stop.name
        assert bytes_below(callers) == before, stop.name

    return check


@pytest.mark.parametrize("kind", ["plain", "worktree", "submodule"])
def test_in_no_hook_the_callers_repository_is_read_or_changed(
    kind: str, repositories: Repositories, check_in: Callable[[Stop, Path], None]
) -> None:
    make = {"worktree": repositories.worktree, "submodule": repositories.submodule}
    folder = make[kind]() if kind in make else repositories.clone("plain", "plain")
    seen, given = set(), set()
    for stop in repositories.begin_hooks(folder):
        seen.add(stop.name)
        given |= stop.environment.keys()
        check_in(stop, repositories.folder)
    assert {"GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_QUARANTINE_PATH", "GIT_PREFIX"} <= given
    assert {f"{kind} {name}" for name in CLONE} <= seen
    assert {f"bare {name}" for name in BARE} | {"in-place push-to-checkout"} <= seen


def test_git_gets_no_variable_that_git_itself_calls_one_of_a_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True)
    further = ("GIT_QUARANTINE_PATH", "GIT_NAMESPACE", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0", "GIT_DEFAULT_HASH")
    for name in (*listed.stdout.split(), *further):
        monkeypatch.setenv(name, "the caller's")
    person = {"GIT_TOKEN": "a helper's", "GIT_SSL_CAINFO": "/ca.pem", "GIT_CONFIG_GLOBAL": "/gitconfig"}
    for name, value in person.items():
        monkeypatch.setenv(name, value)
    for environment in (reading_environment(), network_environment("git@git.example:x.git", "")):
        assert [name for name, value in environment.items() if value == "the caller's"] == []
        assert {name: environment.get(name) for name in person} == person
