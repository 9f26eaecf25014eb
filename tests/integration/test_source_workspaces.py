"""A Go workspace of a repository: what `go build` finds there for people, a build finds too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pluginyard.builds import BuiltModule
from pluginyard.builds.recipe import HostChoice
from pluginyard.errors import BuildError
from pluginyard.forms import PublishRequest
from pluginyard.releases import resolve_request
from pluginyard.settings import load_site
from tasks.doors import sources
from tasks.doors.builders import find_builders
from tasks.doors.toolchains import build_on_host, find_toolchain
from tests.machine.builds import GO_SOURCE
from tests.machine.example_repository import commit, git
from tests.machine.host_toolchains import miss
from tests.machine.warm_toolchains import warm_cache

PLUGIN = "plugins/wasm-go/extensions/small"
FILES = {
    f"{PLUGIN}/go.mod": "module example.com/small\n\ngo 1.24\n",
    f"{PLUGIN}/main.go": GO_SOURCE.replace('import "fmt"', 'import (\n\t"fmt"\n\n\t"example.com/shared"\n)').replace(
        "a + b", "shared.Add(a, b)"
    ),
    "plugins/wasm-go/shared/go.mod": "module example.com/shared\n\ngo 1.24\n",
    "plugins/wasm-go/shared/shared.go": "package shared\n\nfunc Add(a, b int32) int32 { return a + b }\n",
}
WORK = "go 1.24\n\nuse (\n\t./plugins/wasm-go/extensions/small\n\t./plugins/wasm-go/shared\n)\n"


@pytest.fixture
def build(tmp_path: Path) -> Callable[[dict[str, str]], BuiltModule]:
    """Give the function that commits files, plans the plugin and builds it with this machine's Go."""
    builders = find_builders()
    go = find_toolchain(builders["go"]) or miss("a Go toolchain")
    warm = warm_cache(tmp_path) / "toolchains"

    def run(files: dict[str, str]) -> BuiltModule:
        repository = tmp_path / "repository"
        for path, text in files.items():
            (repository / path).parent.mkdir(parents=True, exist_ok=True)
            (repository / path).write_text(text)
        git(repository, "init", "--quiet")
        commit(repository, "a plugin")
        request = PublishRequest(repository=str(repository), plugin="small", version="1.0.0", registries=["oci:x"])
        release, site = resolve_request(request), load_site({})
        source = sources.open_release(request, release, cache=tmp_path, site=site)
        planned = sources.plan_release(
            request,
            release,
            source,
            site=site,
            builders=builders,
            choose_host=lambda builder: HostChoice(go.version, ""),
        )
        return build_on_host(
            go,
            planned.recipe,
            sources.read_context(source, planned.plugin.context),
            tmp_path / "plugin.wasm",
            log=print,
            workdir=tmp_path / "work",
            warm_folder=warm,
        )

    return run


def test_a_module_that_only_the_workspace_supplies_is_found(build: Callable[[dict[str, str]], BuiltModule]) -> None:
    assert build(FILES | {"go.work": WORK}).size > 1000


def test_without_the_workspace_it_is_not(build: Callable[[dict[str, str]], BuiltModule]) -> None:
    with pytest.raises(BuildError, match=r"example\.com/shared|not tidy"):
        build(FILES)
    with pytest.raises(BuildError):
        build(FILES | {"go.work": WORK.replace("\t./plugins/wasm-go/extensions/small\n", "")})
