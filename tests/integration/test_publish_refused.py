"""What is wrong is told with its object and the remedy, by an exit code of its own, before anything is moved.

BAD_INPUTS is the table of it: how each kind looks, and what is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machine.command_line import CommandLine, Outcome
from tests.machine.engine import EngineHandle
from tests.machine.example_repository import commit, git
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.prefect_server import PrefectServer
from tests.machine.registries import RunningRegistry
from tests.machine.shell_builders import write_shell_builder
from tests.machine.stored import Shelf, new_shelf

TAG = "wasm-go-request-block-v1.0.0"
PLUGIN = "plugins/wasm-go/extensions/request-block"
NOBODY = "127.0.0.1:9"  # the discard port: nothing listens there


@dataclass(frozen=True)
class BadInput:
    """Say how one kind of bad input is answered: exit code, and parts of the three texts."""

    release: str
    exit_code: int
    subject: str
    message: str
    remedy: str


def broken(name: str) -> str:
    return f"wasm-go-{name}-v1.0.0"


BAD_INPUTS = {
    "tag with build metadata": BadInput(
        f"{TAG}+build1", 2, f"{TAG}+build1", "has build metadata, and + is illegal in an OCI tag", f"nearest: {TAG}"
    ),
    "upper case": BadInput(
        "wasm-go-Request-Block-v1.0.0", 2, "wasm-go-Request-Block-v1.0.0", "not a release tag", f"nearest: {TAG}"
    ),
    "empty version": BadInput("wasm-go-request-block-v", 2, "request-block-v", "not a release tag", f"nearest: {TAG}"),
    "two dots": BadInput("../request-block=1.0.0", 2, "../request-block", "a plugin's name is", "try request-block"),
    "unknown plugin": BadInput(
        "request-blok=1.0.0", 4, "plugin request-blok", "there is no folder", "did you mean request-block"
    ),
    "missing main package": BadInput(
        broken("broken-no-main"), 5, "broken-no-main", "there is no package main", "put `package main`"
    ),
    "untidy go.mod": BadInput(broken("broken-untidy"), 5, "broken-untidy", "are not tidy", "run `go mod tidy` in"),
    "link out of the repository": BadInput(
        TAG, 4, f"{PLUGIN}/secrets", "../etc/passwd leaves the repository", "move what it points to"
    ),
    "broken spec.yaml": BadInput(broken("broken-spec"), 4, "broken-spec/spec.yaml", "rule S1: line", "fix spec.yaml"),
    "spec.yaml with a key twice": BadInput(
        broken("broken-spec-duplicate"), 4, "spec.yaml", "the key 'version' stands twice", "fix spec.yaml"
    ),
    "output that is not wasm": BadInput(TAG, 6, "request-block 1.0.0", "M5", "build the module again"),
    "no ABI": BadInput(
        broken("broken-no-abi"), 6, "broken-no-abi 1.0.0", "Missing or unknown Proxy-Wasm ABI version", "SDK"
    ),
    "import nobody offers": BadInput(
        broken("broken-missing-import"), 6, "broken-missing-import 1.0.0", "due to a missing import", "SDK"
    ),
    "wrong password": BadInput(TAG, 7, "127.0.0.1", "401", "check user, password and rights"),
    "registry down": BadInput(TAG, 8, NOBODY, "cannot talk to the registry: connection refused", "check host, port"),
    "repository that does not answer": BadInput(TAG, 4, f"git://{NOBODY}/plugins", "cannot reach it", "try later"),
}


@dataclass
class Scene:
    """Hold what the cases are made of; `asked` counts what they ask of it."""

    command_line: CommandLine
    examples: Path
    broken: Path
    folder: Path
    engine: EngineHandle
    shelf: Shelf

    def publish(self, what: str) -> Outcome:
        """Publish a bad input: by the case's own preparation, else as its release stands."""
        prepare: Callable[[Scene], Outcome] | None = PREPARED.get(what)
        if prepare:
            return prepare(self)
        release = BAD_INPUTS[what].release
        repository = self.broken if "broken-" in release else self.examples
        return self.command_line.publish(repository, release, self.shelf.destination)

    def link_out(self) -> Outcome:
        clone = self.folder / "clone"
        git(self.folder, "clone", "-q", str(self.examples), str(clone))
        (clone / PLUGIN / "secrets").symlink_to("../../../../../etc/passwd")
        commit(clone, "read what is not ours")
        git(clone, "tag", "--force", TAG)
        return self.command_line.publish(clone, TAG, self.shelf.destination)

    def not_wasm(self) -> Outcome:
        builders = write_shell_builder(self.folder / "builders", "echo text > {work}/out/plugin.wasm", self.engine)
        user = self.command_line.with_settings(PLUGINYARD_BUILDERS=str(builders))
        return user.publish(self.examples, TAG, self.shelf.destination)

    def wrong_password(self) -> Outcome:
        user = self.command_line.with_settings(REGISTRY_USERNAME="publisher", REGISTRY_PASSWORD="not it")
        return user.publish(self.examples, TAG, self.shelf.destination)

    def registry_down(self) -> Outcome:
        return self.command_line.publish(self.examples, TAG, f"{NOBODY}/plugins")

    def repository_down(self) -> Outcome:
        return self.command_line.publish(f"git://{NOBODY}/plugins", TAG, self.shelf.destination)


PREPARED: dict[str, Callable[[Scene], Outcome]] = {
    "link out of the repository": Scene.link_out,
    "output that is not wasm": Scene.not_wasm,
    "wrong password": Scene.wrong_password,
    "registry down": Scene.registry_down,
    "repository that does not answer": Scene.repository_down,
}


@pytest.fixture
def scene(
    shared_command_line: CommandLine,
    example_repository: Path,
    broken_repository: Path,
    tmp_path: Path,
    engine_handle: EngineHandle,
    basic_registry: RunningRegistry,
) -> Scene:
    """Give a registry with a password, and a user who has it."""
    user = shared_command_line.with_settings(
        REGISTRY_USERNAME=basic_registry.username, REGISTRY_PASSWORD=basic_registry.password
    )
    return Scene(user, example_repository, broken_repository, tmp_path, engine_handle, new_shelf(basic_registry))


@pytest.mark.parametrize("what", BAD_INPUTS, ids=str)
def test_bad_input_is_refused_with_the_documented_error_before_anything_is_moved(what: str, scene: Scene) -> None:
    expected, before = BAD_INPUTS[what], scene.shelf.snapshot()
    refused = scene.publish(what)
    assert refused.exit_code == expected.exit_code, refused.stderr
    assert refused.error["exit_code"] == expected.exit_code
    assert expected.subject in refused.error["subject"]
    assert expected.message in refused.error["message"]
    assert expected.remedy in refused.error["remedy"]
    assert f"remedy: {refused.error['remedy']}" in refused.stderr
    assert scene.shelf.is_untouched
    assert scene.shelf.snapshot() == before


def test_the_same_release_is_published_once_nothing_is_wrong(scene: Scene) -> None:
    found = scene.command_line.published(scene.examples, TAG, scene.shelf.destination)
    assert scene.shelf.tags["request-block:1.0.0"] == found["digest"]


def test_a_wrong_password_is_tried_once_and_given_up_at_once(scene: Scene, prefect_server: PrefectServer) -> None:
    with FaultyProxy(scene.shelf.registry.host) as proxy:
        user = scene.command_line.with_settings(REGISTRY_PASSWORD="not it")
        refused = user.publish(scene.examples, TAG, f"{proxy.host}/{scene.shelf.namespace}")
    assert refused.exit_code == 7
    assert sum(bool(seen.authorization) for seen in proxy.seen) == 1, [(x.method, x.path) for x in proxy.seen]
    run = prefect_server.newest_run(f"publish {TAG}")
    assert run["state_type"] == "FAILED"
    assert run["total_run_time"] < 5


def test_a_registry_that_answers_500_and_then_works_is_published_to(
    shared_command_line: CommandLine, example_repository: Path, open_registry: RunningRegistry
) -> None:
    shelf = new_shelf(open_registry)
    with FaultyProxy(open_registry.host) as proxy:
        faults = [Fault("status", status=500, times=2), Fault("status", method="PUT", status=503, times=2)]
        proxy.fail(*faults)
        found = shared_command_line.published(example_repository, TAG, f"{proxy.host}/{shelf.namespace}")
    assert [fault.times for fault in faults] == [0, 0], "or nothing went wrong on the way"
    assert found["published"] is True
    assert shelf.tags["request-block:1.0.0"] == found["digest"]


def test_a_registry_that_breaks_at_the_manifest_is_left_without_a_tag(
    shared_command_line: CommandLine, example_repository: Path, open_registry: RunningRegistry
) -> None:
    shelf = new_shelf(open_registry)
    with FaultyProxy(open_registry.host) as proxy:
        proxy.fail(Fault("status", method="PUT", path="/manifests/", status=413, times=100))
        refused = shared_command_line.publish(example_repository, TAG, f"{proxy.host}/{shelf.namespace}")
    assert refused.exit_code == 8
    assert "413" in refused.error["message"]
    assert shelf.tags == {}
    found = shared_command_line.published(example_repository, TAG, shelf.destination)
    assert shelf.tags["request-block:1.0.0"] == found["digest"], "what was left behind is no hindrance"
