"""Many machines on PostgreSQL: one is lost at each task, the server dies, and every release is published exactly once.

Everything happens at once, so that the time until a lost machine is missed is waited for once.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machine.debian import MissingPackageError
from tests.machine.deployed_server import DeployedServer, await_that
from tests.machine.example_repository import HIGRESS_PLUGINS, make_repository
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.host_toolchains import GO_PLUGINS, find_go, miss
from tests.machine.many_machines import ManyMachines, run_many_machines, shipped_settings
from tests.machine.postgres import ensure_postgres
from tests.machine.registries import RunningRegistry
from tests.machine.stored import Shelf, new_shelf
from tests.machine.warm_toolchains import warm_cache

TASKS = (
    *("resolve-release", "checkout-source", "detect-files", "build-module", "pack-artifact"),
    *("log-in", "push-artifact", "verify-artifact", "post-report"),
)
AT_TASKS = tuple(f"lost-at-{task}" for task in TASKS)
LOST = (*AT_TASKS, "lost-before-begin", "lost-before-latest")
TWICE, UNSEEN = "held-at-push-artifact", "held-at-resolve-release"
EVERY = (*LOST, TWICE, UNSEEN)
OCCASIONS = ("publish-plugin/on-demand", "publish-plugin/on-tag")
MACHINES = 4
DOWN_SECONDS = 8
# Long enough for a busy machine; what never comes is found all the same.
PATIENCE = 600
# A run that was lost holds its places until their lease of five minutes is over.
PLACES = 20
ENDS = ("COMPLETED", "FAILED", "CANCELLED")
pytestmark = pytest.mark.timeout(1800)  # the first test waits for everything


@dataclass(frozen=True)
class Aftermath:
    """Hold what is there when everything is over."""

    machines: ManyMachines
    shelf: Shelf
    runs: dict[str, list[str]]
    undisturbed: dict[str, str]

    @property
    def site(self) -> DeployedServer:
        return self.machines.site

    def states(self, plugin: str) -> list[list[str]]:
        """Return what each run of the plugin went through, from the first time it was taken."""
        found = (self.site.states(run) for run in self.runs[plugin])
        return [states[states.index("Pending") :] for states in found]


def tag_of(plugin: str) -> str:
    return f"wasm-go-{plugin}-v1.0.0"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a repository of one plugin for each thing that goes wrong."""
    source = tmp_path_factory.mktemp("source")
    for plugin in EVERY:
        shutil.copytree(HIGRESS_PLUGINS / GO_PLUGINS / "request-block", source / GO_PLUGINS / plugin)
    return make_repository(tmp_path_factory.mktemp("repository"), source)


@pytest.fixture(scope="module")
def aftermath(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, open_registry: RunningRegistry
) -> Iterator[Aftermath]:
    """Lose a machine at each task, kill the server while others work, and wait until every run has ended."""
    try:
        ensure_postgres()
    except MissingPackageError as error:
        miss(str(error))
    if not find_go():
        miss("a Go toolchain")
    limits = f"builder-go={PLACES},registry-{open_registry.host}={PLACES}"
    shelf = new_shelf(open_registry)
    with ExitStack() as stack:
        proxy = stack.enter_context(FaultyProxy(open_registry.host))
        folder = tmp_path_factory.mktemp("many")
        machines = stack.enter_context(run_many_machines(folder, MACHINES, PLUGINYARD_LIMITS=limits))
        proxy.fail(Fault("silence", method="PUT", path="/manifests/latest"))
        runs = start_all(machines, repository, shelf, proxy)
        await_that(lambda: proxy.count("PUT", "/manifests/latest"), "a version is there and latest is not", PATIENCE)
        machines.lose(machines.begun(tag_of("lost-before-latest"), "push-artifact")[0])
        await_that(lambda: all_lost_and_held(machines), "nine machines are lost and three runs under way", PATIENCE)
        machines.server.kill(DOWN_SECONDS)
        time.sleep(DOWN_SECONDS / 2)
        machines.let_go_on()  # they push while nobody records it
        await_that(machines.answers, "the server is back", PATIENCE)
        undisturbed = publish_undisturbed(machines.site, repository, folder / "undisturbed")
        every = [run for each in runs.values() for run in each]
        await_that(lambda: all(is_over(machines.site, run) for run in every), "every run has ended", PATIENCE)
        yield Aftermath(machines, shelf, runs, undisturbed)


def start_all(machines: ManyMachines, repository: Path, shelf: Shelf, proxy: FaultyProxy) -> dict[str, list[str]]:
    """Start a run for each plugin, two for one of them, by the two deployments in turns; return their ids."""
    site = machines.site
    runs: dict[str, list[str]] = {}
    for turn, plugin in enumerate(("lost-before-begin", "lost-before-latest", *AT_TASKS, TWICE, TWICE, UNSEEN)):
        place = f"{proxy.host}/{shelf.namespace}" if plugin == "lost-before-latest" else shelf.destination
        request = {"repository": str(repository), "tag": tag_of(plugin), "registries": [place], "plain_http": True}
        run = site.start(OCCASIONS[turn % 2], request)["id"]
        if plugin == "lost-before-begin":
            (machines.faults / "before-begin" / run).touch()
        site.set_state(run, "SCHEDULED")  # now
        runs.setdefault(plugin, []).append(run)
    return runs


def all_lost_and_held(machines: ManyMachines) -> bool:
    held = len(machines.begun(tag_of(TWICE), "push-artifact")) + len(machines.begun(tag_of(UNSEEN), "resolve-release"))
    return held == 3 and all(machines.is_lost(tag_of(plugin)) for plugin in AT_TASKS)


def is_over(site: DeployedServer, run: str) -> bool:
    return site.run(run)["state_type"] in ENDS


def publish_undisturbed(site: DeployedServer, repository: Path, folder: Path) -> dict[str, str]:
    """Publish everything in one run on one more machine, to another place; return the digests."""
    layout = folder / "layout"
    run = site.start("publish-plugins/nightly", {"repository": str(repository), "registries": [f"oci:{layout}"]})["id"]
    own = {"PLUGINYARD_ENGINE": "host", "PLUGINYARD_CACHE": str(warm_cache(folder / "cache"))}
    site.set_state(run, "PENDING")  # it is taken: no worker gets it
    site.command("prefect.engine", run, **shipped_settings(), **own)
    assert site.run(run)["state_name"] == "Completed"
    listed = json.loads((layout / "index.json").read_text())["manifests"]
    named = {item["annotations"]["org.opencontainers.image.ref.name"]: item["digest"] for item in listed}
    return {plugin: named[f"{plugin}-1.0.0"] for plugin in EVERY}


@pytest.mark.parametrize("plugin", AT_TASKS)
def test_a_run_whose_machine_was_lost_begins_again_elsewhere_and_completes(aftermath: Aftermath, plugin: str) -> None:
    taken = ["Pending", "Submitting", "Running"]
    (states,) = aftermath.states(plugin)
    assert states[:5] == [*taken, "Crashed", "AwaitingRetry"]
    assert states[-4:] == [*taken, "Completed"]
    # Between them a worker may have lost it once more, where it was handed out just as the server died.
    assert states.count("Running") == 2
    assert aftermath.machines.is_lost(tag_of(plugin))
    first, second = aftermath.machines.begun(tag_of(plugin), plugin.removeprefix("lost-at-"))
    assert first != second


def test_a_run_lost_before_it_began_is_scheduled_again(aftermath: Aftermath) -> None:
    (states,) = aftermath.states("lost-before-begin")
    assert states[:3] == ["Pending", "Submitting", "AwaitingRetry"]
    assert states[-4:] == ["Pending", "Submitting", "Running", "Completed"]
    assert states.count("Running") == 1
    assert not list((aftermath.machines.faults / "before-begin").iterdir())


def test_a_run_lost_between_the_version_and_latest_moves_latest_too(aftermath: Aftermath) -> None:
    (states,) = aftermath.states("lost-before-latest")
    assert (states.count("Crashed"), states[-1]) == (1, "Completed")


def test_runs_do_not_notice_that_the_server_is_killed_and_away_for_all_or_most_of_their_tasks(
    aftermath: Aftermath,
) -> None:
    assert aftermath.machines.server.deaths == 1
    for plugin in (UNSEEN, TWICE):
        for states in aftermath.states(plugin):
            assert states == ["Pending", "Submitting", "Running", "Completed"]


@pytest.mark.parametrize("plugin", EVERY)
def test_it_is_published_exactly_once_with_the_digest_of_an_undisturbed_publish(
    aftermath: Aftermath, plugin: str
) -> None:
    digest = aftermath.undisturbed[plugin]
    own = {name: found for name, found in aftermath.shelf.tags.items() if name.startswith(f"{plugin}:")}
    assert own == {f"{plugin}:1.0.0": digest, f"{plugin}:latest": digest}
    revisions = aftermath.shelf.folder / plugin / "_manifests/revisions/sha256"
    assert [path.name for path in revisions.iterdir()] == [digest.removeprefix("sha256:")]


def test_no_tag_ever_stood_for_two_digests(aftermath: Aftermath) -> None:
    ever = aftermath.shelf.ever_tagged
    assert len(ever) == 2 * len(EVERY)
    assert {len(digests) for digests in ever.values()} == {1}


def test_two_runs_of_one_release_at_once_on_two_machines_both_succeed_and_one_of_them_publishes(
    aftermath: Aftermath,
) -> None:
    assert len(set(aftermath.machines.begun(tag_of(TWICE), "push-artifact"))) == 2
    both = {"logs": {"flow_run_id": {"any_": aftermath.runs[TWICE]}}}
    told = [item["message"] for item in aftermath.site.call("POST", "logs/filter", both)]
    said = [line for line in told if line.startswith(("published: ", "already-there: "))]
    pushed = [line.partition(":")[0] for line in said if "@sha256:" not in line]  # a report's line names the digest
    assert len(pushed) == 2, told
    assert set(pushed) <= {"published", "already-there"}
    assert "published" in pushed


def test_no_run_is_left_behind(aftermath: Aftermath) -> None:
    under_way = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING", "CRASHED", "FAILED"]}}}}
    assert aftermath.site.call("POST", "flow_runs/filter", under_way) == []
    every = [run for runs in aftermath.runs.values() for run in runs]
    assert [aftermath.site.run(run)["state_name"] for run in every] == ["Completed"] * len(every)


def test_places_in_limits_are_given_back_across_the_death_of_the_server(aftermath: Aftermath) -> None:
    limits = aftermath.site.call("POST", "v2/concurrency_limits/filter", {})
    taken = {limit["name"]: limit["active_slots"] for limit in limits}
    builds = taken.pop("pluginyard-builder-go")
    pushes = taken.pop(f"pluginyard-registry-{aftermath.shelf.registry.host}")
    assert builds <= 1, "of the run that was lost at build-module, for the five minutes of its lease"
    assert pushes <= 2, "of the runs that were lost at push-artifact and verify-artifact"
    assert set(taken.values()) <= {0}, "deployments"
