from __future__ import annotations

import re
import time
import urllib.error
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.machine.browsers import Page
from tests.machine.deployed_server import DeployedServer, await_that
from tests.machine.git_daemon import GitDaemon
from tests.machine.loopback import direct, json_request
from tests.machine.registries import RunningRegistry
from tests.machine.workers import faults_of

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


def test_a_maintainer_publishes_a_plugin_from_the_form_and_reads_the_report(
    page: Page,
    site_with_ui: DeployedServer,
    git_daemon: GitDaemon,
    example_repository: Path,
    open_registry: RunningRegistry,
) -> None:
    destination = f"{open_registry.host}/plugins"
    fill_in_the_form(page, site_with_ui, git_daemon.url(example_repository), TAG, destination)
    page.picture("form", 2000)
    faults = faults_of(site_with_ui)
    (faults / "hold build-module").touch()  # it may be built before anybody has looked
    run = submit(page, site_with_ui)

    page.see(f"publish {TAG}", seconds=60)
    await_that(lambda: tasks(site_with_ui, run, "COMPLETED") == 3, "the steps before the build are done", 120)
    await_that(lambda: tasks(site_with_ui, run, "RUNNING"), "the plugin is built", 120)
    page.reload()  # the page follows the states, but keeps the task runs it began with
    page.see("\nRunning\n")
    page.press("Task Runs")
    page.see("1 Running", STEPS[3])
    show_in_order(page)
    page.picture("running", 1000)
    (faults / "go-on").touch()
    page.see("\nCompleted\n", seconds=300)
    await_that(lambda: tasks(site_with_ui, run, "COMPLETED") == len(STEPS), "the server has them all", 180)
    page.reload()
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
    page.see(f"reference\n{destination}/request-block:1.0.0", f"sha256: {digest.removeprefix('sha256:')}")
    page.picture("report", 2060)

    assert stored(destination, "request-block", "1.0.0") == digest
    assert stored(destination, "request-block", "latest") == digest


def test_a_failed_run_shows_the_task_that_failed_and_what_to_do(
    page: Page,
    site_with_ui: DeployedServer,
    git_daemon: GitDaemon,
    broken_repository: Path,
    open_registry: RunningRegistry,
) -> None:
    destination = f"{open_registry.host}/plugins"
    fill_in_the_form(page, site_with_ui, git_daemon.url(broken_repository), BROKEN_TAG, destination)
    submit(page, site_with_ui)

    page.see(f"publish {BROKEN_TAG}", seconds=60)
    page.see("\nFailed\n", seconds=300)
    page.reload()
    page.press("Task Runs")
    page.see("1 Failed)", FAILED_STEP)
    page.press(FAILED_STEP)
    page.see(*ADVICE)
    page.picture("failed", 800)
    assert stored(destination, "broken-no-abi", "1.0.0") == "", "nothing was published"


def test_the_newer_ui_that_one_may_switch_to_leads_to_the_form_by_the_same_words(
    page: Page, site_with_ui: DeployedServer
) -> None:
    open_the_form(page, f"{address(site_with_ui)}/v2/")
    assert page.url().startswith(f"{address(site_with_ui)}/v2/")
    page.fill("Release tag", TAG)


def address(site: DeployedServer) -> str:
    """Return what people type to open the UI."""
    return site.url.removesuffix("/api")


def open_the_form(page: Page, url: str) -> None:
    """Go from the UI's first page to the form of publish-plugin/on-demand."""
    page.open(url)
    page.press("Deployments")
    page.see("publish-plugin", "publish-plugins", "verify-published", "watch-tags")
    page.press_in_row("on-demand", "publish-plugin")
    page.press("Run")
    page.press("Custom run")
    page.see("What to publish, and where", "wasm-{language}-{name}-v{semver}; leave empty to name the plugin below")


def fill_in_the_form(page: Page, site: DeployedServer, repository: str, tag: str, destination: str) -> None:
    """Open the UI as somebody who has never done so, and fill in the form."""
    open_the_form(page, address(site))
    assert "/v2/" not in page.url(), "the pictures are those of the other UI"
    page.fill("Repository", repository)
    page.fill("Release tag", tag)
    page.press("Add item")
    page.fill("Registries", destination)


def submit(page: Page, site: DeployedServer) -> str:
    """Send the form, open the page of its run, and return the run.

    A person presses again where the server was busy with its embedded database; the page does not, and the link that
    it shows is gone in seconds.
    """
    known = {run["id"] for run in runs_on_demand(site)}

    def begun() -> list[str]:
        return [str(run["id"]) for run in runs_on_demand(site) if run["id"] not in known]

    for _ in range(4):
        page.enter("Submit")
        with suppress(AssertionError):
            await_that(lambda: begun() or REFUSED in page.text(), "an answer to the form", 180)
        time.sleep(5)  # what is refused stays to be read, so this is as long as an answer may take
        if begun():
            break
    run = begun()[0]
    page.open(f"{address(site)}/runs/flow-run/{run}")
    return run


def runs_on_demand(site: DeployedServer) -> list[dict[str, Any]]:
    """Return the runs of the form's deployment."""
    asked = {"deployments": {"id": {"any_": [site.deployment("publish-plugin/on-demand")["id"]]}}}
    found: list[dict[str, Any]] = site.call("POST", "flow_runs/filter", asked)
    return found


def tasks(site: DeployedServer, run: str, state: str) -> int:
    """Return how many task runs the server knows to be in that state: it records them a moment later."""
    asked = {"flow_runs": {"id": {"any_": [run]}}, "task_runs": {"state": {"type": {"any_": [state]}}}}
    return len(site.call("POST", "task_runs/filter", asked))


def show_in_order(page: Page) -> None:
    """Let the graph draw one task run below the other."""
    settings = "(//*[contains(@class, 'run-graph-settings')]//button)[1]"
    page.click(settings)
    page.press("Temporal sequence")
    page.press("Hide dependency arrows")
    page.click(settings)


def stored(destination: str, plugin: str, tag: str) -> str:
    """Return the digest that the registry has under the tag; empty where there is none."""
    host, _, namespace = destination.partition("/")
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    request = json_request(f"http://{host}/v2/{namespace}/{plugin}/manifests/{tag}", headers=accept)
    try:
        with direct().open(request, timeout=30) as answer:
            return str(answer.headers["Docker-Content-Digest"])
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return ""
        raise
