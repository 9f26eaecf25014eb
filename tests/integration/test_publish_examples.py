"""Every example plugin, from a git address to an artifact in a registry that a real Envoy has loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.doors.gateways import Envoy
from tests.machine.command_line import CommandLine
from tests.machine.example_repository import HIGRESS_PLUGINS, release_tags
from tests.machine.git_daemon import GitDaemon
from tests.machine.prefect_server import PrefectServer
from tests.machine.registries import RunningRegistry
from tests.machine.stored import new_shelf

HIGRESS_ONLY = "wasm-go-sdk-headers-v1.0.0"
TAGS = release_tags(HIGRESS_PLUGINS)
NINE = [
    *("resolve-release", "checkout-source", "detect-files", "build-module", "pack-artifact"),
    *("log-in", "push-artifact", "verify-artifact", "post-report"),
]


@pytest.mark.parametrize("tag", TAGS)
def test_every_example_is_published_from_its_address_and_answers_in_a_real_envoy(
    tag: str,
    shared_command_line: CommandLine,
    git_daemon: GitDaemon,
    example_repository: Path,
    open_registry: RunningRegistry,
    envoy: Envoy,
) -> None:
    shelf = new_shelf(open_registry)
    found = shared_command_line.published(
        git_daemon.url(example_repository), tag, shelf.destination, more=("--run-in-envoy",)
    )
    assert found["published"] is True
    assert found["repository"] == git_daemon.url(example_repository)
    assert found["builder"].endswith(", container)")
    assert shelf.tags[f"{found['name']}:{found['version']}"] == found["digest"]
    assert [layer["title"] for layer in found["layers"]][-1] == "plugin.tar.gz"
    if tag == HIGRESS_ONLY:
        assert found["verdict"]["portability"] == "higress-only"
        assert found["probe"]["summary"].startswith("not run: the module loads on Higress only")
        return
    assert found["verdict"]["portability"] == "portable"
    assert envoy.version in found["probe"]["summary"]
    exchanges = found["probe"]["exchanges"]
    assert len(exchanges) >= 2
    assert [item["fault"] for item in exchanges] == [""] * len(exchanges)


def test_the_example_that_blocks_requests_is_seen_to_block_and_to_let_through(
    shared_command_line: CommandLine,
    example_repository: Path,
    open_registry: RunningRegistry,
    prefect_server: PrefectServer,
    envoy: Envoy,
) -> None:
    tag = "wasm-go-request-block-v1.0.0"
    found = shared_command_line.published(
        example_repository, tag, new_shelf(open_registry).destination, more=("--run-in-envoy",)
    )
    said = [(item["request"], item["answer"]) for item in found["probe"]["exchanges"]]
    assert [answer for _, answer in said] == ["403", "403", "200"], said
    run = prefect_server.newest_run(f"publish {tag}")
    names = [item["name"].split()[0] for item in prefect_server.task_runs(run["id"])]
    assert [name for name in names if name in NINE] == NINE
    assert "run-in-envoy" in names


def test_the_registry_serves_layers_in_the_order_of_the_specification(
    shared_command_line: CommandLine, example_repository: Path, open_registry: RunningRegistry
) -> None:
    shelf = new_shelf(open_registry)
    found = shared_command_line.published(example_repository, "wasm-go-request-block-v1.0.0", shelf.destination)
    manifest = json.loads(open_registry.stored_blob(found["digest"]).read_bytes())
    assert [layer["mediaType"] for layer in manifest["layers"]] == [
        "application/vnd.module.wasm.spec.v1+yaml",
        "application/vnd.module.wasm.doc.v1+markdown",
        "application/vnd.module.wasm.doc.v1.en+markdown",
        "application/vnd.module.wasm.icon.v1+png",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ]
