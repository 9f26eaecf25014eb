"""Clones that have a part of their remote, which cannot be reached any more."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pluginyard.errors import SourceError
from pluginyard.forms import PublishRequest
from pluginyard.releases import PluginBuild, resolve_request
from pluginyard.settings import load_site
from tasks.doors import sources
from tasks.doors.builders import find_builders
from tests.machine.example_repository import commit, git, git_environment

GO = "plugins/wasm-go/extensions"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """Give a repository of two plugins, the first of which reads a module beside them."""
    folder = tmp_path / "remote"
    for path, text in {
        f"{GO}/small/go.mod": "module small\nreplace x => ../../shared\n",
        f"{GO}/small/main.go": "package main\n",
        f"{GO}/other/go.mod": "module other\n",
        "plugins/wasm-go/shared/go.mod": "module x\n",
        "plugins/wasm-go/shared/large.txt": "a line\n" * 1000,
        "docs/README.md": "elsewhere\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "init", "--quiet")
    commit(folder, "two plugins")
    git(folder, "config", "uploadpack.allowFilter", "true")
    return folder


@pytest.fixture
def plan(tmp_path: Path) -> Callable[[Path, str], PluginBuild]:
    def run(clone: Path, plugin: str) -> PluginBuild:
        request = PublishRequest(repository=str(clone), plugin=plugin, version="1.0.0", registries=["oci:x"])
        release, site = resolve_request(request), load_site({})
        source = sources.open_release(request, release, cache=tmp_path, site=site)
        return sources.plan_release(
            request, release, source, site=site, builders=find_builders(), choose_host=lambda builder: None
        )

    return run


def clone_part(remote: Path, clone: Path, *options: str) -> Path:
    """Clone a part of `remote`, with the first plugin and its module checked out; the remote goes away."""
    command = ["git", "clone", "--quiet", "--sparse", *options, f"file://{remote}", str(clone)]
    subprocess.run(command, env=git_environment(), check=True)
    git(clone, "sparse-checkout", "set", f"{GO}/small", "plugins/wasm-go/shared")
    remote.rename(remote.with_name("away"))
    return clone


@pytest.mark.parametrize("lacking", ["blob:none", "tree:0", "blob:limit=1k"])
def test_a_sparse_clone_will_do_where_the_plugins_files_are_there(
    lacking: str, remote: Path, tmp_path: Path, plan: Callable[[Path, str], PluginBuild]
) -> None:
    whole = plan(remote, "small")
    clone = clone_part(remote, tmp_path / "clone", f"--filter={lacking}")
    build = plan(clone, "small")
    assert build.fingerprint == whole.fingerprint
    size = sum((clone / file.path).stat().st_size for file in build.plugin.context)
    assert sources.size_of_context(build.source, build.plugin.context) == size > 7000
    assert sum(len(content) for _, content in sources.read_context(build.source, build.plugin.context)) == size


def test_a_plugin_whose_files_are_elsewhere_is_an_error_with_what_to_do(
    remote: Path, tmp_path: Path, plan: Callable[[Path, str], PluginBuild]
) -> None:
    clone = clone_part(remote, tmp_path / "clone", "--filter=blob:none")
    with pytest.raises(SourceError, match=f"it is {GO}/other/go.mod") as failure:
        plan(clone, "other")
    assert "git sparse-checkout add" in failure.value.remedy


def test_a_clone_that_lacks_folders_is_refused_with_what_to_do(
    remote: Path, tmp_path: Path, plan: Callable[[Path, str], PluginBuild]
) -> None:
    clone = tmp_path / "clone"
    command = ["git", "clone", "--quiet", "--no-checkout", "--filter=tree:0", f"file://{remote}", str(clone)]
    subprocess.run(command, env=git_environment(), check=True)
    remote.rename(tmp_path / "away")
    with pytest.raises(SourceError) as failure:
        plan(clone, "small")
    assert "give the URL of its remote" in failure.value.remedy


def test_of_a_shallow_clone_the_parent_is_missing_and_nothing_else(
    remote: Path, tmp_path: Path, plan: Callable[[Path, str], PluginBuild]
) -> None:
    (remote / "docs/README.md").write_text("later\n")
    commit(remote, "later")
    clone = clone_part(remote, tmp_path / "clone", "--depth=1")
    assert plan(clone, "small")
    with pytest.raises(SourceError, match="is missing or corrupt"):
        sources.open_source(str(clone), ref="HEAD~1", cache=tmp_path)
