from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine.browsers import Page
from tests.machine.deployed_server import DeployedServer
from tests.machine.git_daemon import GitDaemon

TAG = "wasm-go-request-block-v1.0.0"
STEPS = (
    "resolve-release wasm-go-request-block-v1.0.0",
    "checkout-source git://127.0.0.1",
    "detect-files request-block",
    "build-module request-block with go",
    "pack-artifact request-block",
    "log-in request-block",
    "push-artifact request-block 1.0.0",
    "verify-artifact request-block 1.0.0",
    "post-report request-block 1.0.0",
)


@pytest.fixture
def layout() -> Iterator[Path]:
    # Not in pytest's folder: its name is that of who runs the tests, and the pictures show it.
    with tempfile.TemporaryDirectory(prefix="pluginyard-") as folder:
        yield Path(folder) / "plugins"


def test_a_maintainer_publishes_a_plugin_from_the_form_and_reads_the_report(
    page: Page, site_with_ui: DeployedServer, git_daemon: GitDaemon, example_repository: Path, layout: Path
) -> None:
    page.open(site_with_ui.url.removesuffix("/api") + "/deployments")
    page.see("publish-plugin", "publish-plugins", "verify-published", "watch-tags")
    page.press("on-demand")
    page.press("Run")
    page.press("Custom run")

    page.see("What to publish, and where", "wasm-{language}-{name}-v{semver}; leave empty to name the plugin below")
    page.fill("Repository", git_daemon.url(example_repository))
    page.fill("Release tag", TAG)
    page.press("Add item")
    page.fill("Registries", f"oci:{layout}")
    page.picture("form", 2000)
    page.press("Submit")

    page.follow("/runs/flow-run/")
    page.see(f"publish {TAG}", seconds=60)
    page.see("\nCompleted\n", seconds=300)
    page.reload()  # the page follows the state, but keeps the number of task runs it began with
    page.see("9 Task runs")
    page.press("Task Runs")
    page.see("(9 Completed)", *STEPS)
    show_in_order(page)
    page.drawn(".run-graph canvas", 15_000)
    page.picture("graph", 1000)

    page.press("Artifacts")
    page.scroll_to("Task runs")
    page.see("published-go-request-block")
    page.press("published-go-request-block")
    page.see("Published: request-block 1.0.0", "loads on every gateway as compat variant", "kind: WasmPlugin")
    (digest,) = re.findall(r"^digest (sha256:[0-9a-f]{64})$", page.text(), re.MULTILINE)
    page.see(f"reference oci:{layout}:request-block-1.0.0", f"sha256: {digest.removeprefix('sha256:')}")
    page.picture("report", 1900)

    assert stored(layout)["request-block-1.0.0"] == digest
    assert (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).is_file()


def show_in_order(page: Page) -> None:
    """Let the graph draw one task run below the other."""
    settings = "(//*[contains(@class, 'run-graph-settings')]//button)[1]"
    page.click(settings)
    page.press("Temporal sequence")
    page.press("Hide dependency arrows")
    page.click(settings)


def stored(layout: Path) -> dict[str, str]:
    """Return the digests of a layout folder by name."""
    index = json.loads((layout / "index.json").read_text())
    return {item["annotations"]["org.opencontainers.image.ref.name"]: item["digest"] for item in index["manifests"]}
