from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.machine.browsers import Page
from tests.machine.deployed_server import DeployedServer, await_that
from tests.machine.git_daemon import GitDaemon

TAG = "wasm-go-request-block-v1.0.0"
BROKEN_TAG = "wasm-go-broken-no-abi-v1.0.0"
FAILED_STEP = "pack-artifact broken-no-abi"
ADVICE = (
    "VerdictError: broken-no-abi 1.0.0: Higress would not load it (M6)",
    "remedy: build with a proxy-wasm SDK",
)
REFUSED = "Oops. Something went wrong."
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
    fill_in_the_form(page, site_with_ui, git_daemon.url(example_repository), TAG, layout)
    page.picture("form", 2000)
    submit(page, site_with_ui)

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
    page.see(f"reference\noci:{layout}:request-block-1.0.0", f"sha256: {digest.removeprefix('sha256:')}")
    page.picture("report", 2060)

    assert stored(layout)["request-block-1.0.0"] == digest
    assert (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).is_file()


def test_a_failed_run_shows_the_task_that_failed_and_what_to_do(
    page: Page, site_with_ui: DeployedServer, git_daemon: GitDaemon, broken_repository: Path, layout: Path
) -> None:
    fill_in_the_form(page, site_with_ui, git_daemon.url(broken_repository), BROKEN_TAG, layout)
    submit(page, site_with_ui)

    page.see(f"publish {BROKEN_TAG}", seconds=60)
    page.see("\nFailed\n", seconds=300)
    page.reload()
    page.press("Task Runs")
    page.see("1 Failed)", FAILED_STEP)
    page.press(FAILED_STEP)
    page.see(*ADVICE)
    page.picture("failed", 800)
    assert not layout.exists(), "nothing was published"


def fill_in_the_form(page: Page, site: DeployedServer, repository: str, tag: str, layout: Path) -> None:
    """Open the form of publish-plugin/on-demand and fill it in."""
    page.open(site.url.removesuffix("/api") + "/deployments")
    page.see("publish-plugin", "publish-plugins", "verify-published", "watch-tags")
    page.follow(f"/deployments/deployment/{site.deployment('publish-plugin/on-demand')['id']}")
    page.press("Run")
    page.press("Custom run")

    page.see("What to publish, and where", "wasm-{language}-{name}-v{semver}; leave empty to name the plugin below")
    page.fill("Repository", repository)
    page.fill("Release tag", tag)
    page.press("Add item")
    page.fill("Registries", f"oci:{layout}")


def submit(page: Page, site: DeployedServer) -> None:
    """Send the form, and open the page of its run.

    A person presses again where the server was busy with its embedded database; the page does not, and the link that
    it shows is gone in seconds.
    """
    known = {run["id"] for run in runs_on_demand(site)}

    def begun() -> list[str]:
        return [run["id"] for run in runs_on_demand(site) if run["id"] not in known]

    for _ in range(4):
        page.enter("Submit")
        with suppress(AssertionError):
            await_that(lambda: begun() or REFUSED in page.text(), "an answer to the form", 30)
        time.sleep(5)  # what is refused stays to be read, so this is as long as an answer may take
        if begun():
            break
    run = begun()[0]
    page.open(f"{site.url.removesuffix('/api')}/runs/flow-run/{run}")


def runs_on_demand(site: DeployedServer) -> list[dict[str, Any]]:
    """Return the runs of the form's deployment."""
    asked = {"deployments": {"id": {"any_": [site.deployment("publish-plugin/on-demand")["id"]]}}}
    found: list[dict[str, Any]] = site.call("POST", "flow_runs/filter", asked)
    return found


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
