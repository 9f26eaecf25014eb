"""One release, one digest: whoever publishes it, from wherever, into however many registries."""

from __future__ import annotations

import os
from pathlib import Path

from tests.machine.command_line import CommandLine, make_command_line
from tests.machine.docker_stores import write_credential_helper, write_docker_config
from tests.machine.engine import EngineHandle
from tests.machine.example_repository import commit, git
from tests.machine.prefect_server import PrefectServer
from tests.machine.registries import RunningRegistry
from tests.machine.stored import new_shelf

TAG = "wasm-go-request-block-v1.0.0"
NAME = "request-block:1.0.0"


def trusting(command_line: CommandLine, registry: RunningRegistry) -> CommandLine:
    """Return the command line that trusts the registry's certificate besides the system's authorities."""
    bundle = command_line.folder / "authorities.pem"
    system = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
    bundle.write_bytes((system.read_bytes() if system.exists() else b"") + Path(registry.ca_bundle).read_bytes())
    return command_line.with_settings(PLUGINYARD_CA_BUNDLE=str(bundle))


def test_two_clones_in_two_folders_published_by_two_users_into_two_registries_give_one_digest(
    tmp_path: Path,
    prefect_server: PrefectServer,
    engine_handle: EngineHandle,
    example_repository: Path,
    basic_registry: RunningRegistry,
    token_registry: RunningRegistry,
) -> None:
    digests = []
    for name, registry in (("a", basic_registry), ("b/much/deeper", token_registry)):
        clone = tmp_path / name / "clone"
        git(tmp_path, "clone", "-q", str(example_repository), str(clone))
        user = make_command_line(tmp_path / name / "user", prefect_server, engine_handle)
        shelf = new_shelf(registry)
        found = user.with_credentials(registry).published(clone, TAG, shelf.destination)
        assert found["published"] is True
        assert shelf.tags == {NAME: found["digest"], "request-block:latest": found["digest"]}
        digests.append(found["digest"])
    assert len(set(digests)) == 1


def test_another_commit_gives_another_digest(
    tmp_path: Path, command_line: CommandLine, example_repository: Path, open_registry: RunningRegistry
) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(example_repository), str(clone))
    first = command_line.published(clone, "request-block=1.0.0", new_shelf(open_registry).destination)
    (clone / "NOTES.md").write_text("outside the plugin\n")
    commit(clone, "another commit")
    second = command_line.published(clone, "request-block=1.0.0", new_shelf(open_registry).destination)
    assert second["digest"] != first["digest"], "the commit is in the annotations"
    assert second["layers"] == first["layers"], "the content is the same"
    assert second["fingerprint"] == first["fingerprint"]


def test_one_publish_into_an_open_a_basic_and_a_token_registry_gives_one_digest(
    shared_command_line: CommandLine,
    example_repository: Path,
    open_registry: RunningRegistry,
    basic_registry: RunningRegistry,
    token_registry: RunningRegistry,
) -> None:
    shelves = [new_shelf(registry) for registry in (open_registry, basic_registry, token_registry)]
    user = shared_command_line.with_credentials(basic_registry, token_registry)
    found = user.published(example_repository, TAG, *(shelf.destination for shelf in shelves))
    assert [place["registry"] for place in found["registries"]] == [shelf.destination for shelf in shelves]
    assert {place["digest"] for place in found["registries"]} == {found["digest"]}
    for shelf in shelves:
        assert shelf.tags == {NAME: found["digest"], "request-block:latest": found["digest"]}


def test_a_self_signed_registry_is_published_to_once_its_authority_is_named(
    shared_command_line: CommandLine,
    example_repository: Path,
    tls_registry: RunningRegistry,
    open_registry: RunningRegistry,
) -> None:
    shelf, plain = new_shelf(tls_registry), new_shelf(open_registry)
    arguments = shared_command_line.publish_arguments(example_repository, TAG, shelf.destination, plain=False)
    refused = shared_command_line.run(*arguments)
    assert refused.exit_code == 8
    assert "certificate is not trusted" in refused.error["message"]
    assert "PLUGINYARD_CA_BUNDLE" in refused.error["remedy"]
    assert shelf.is_untouched
    done = trusting(shared_command_line, tls_registry).run(*arguments)
    assert done.exit_code == 0, done.stderr
    assert done.json["digest"] == shared_command_line.published(example_repository, TAG, plain.destination)["digest"]
    assert shelf.tags[NAME] == done.json["digest"]


def test_credentials_are_taken_from_dockers_own_configuration(
    command_line: CommandLine, example_repository: Path, token_registry: RunningRegistry
) -> None:
    write_docker_config(Path(command_line.environment["HOME"]), token_registry)
    shelf = new_shelf(token_registry)
    found = command_line.published(example_repository, TAG, shelf.destination)
    assert shelf.tags[NAME] == found["digest"]


def test_credentials_are_taken_from_dockers_credential_helper(
    command_line: CommandLine, tmp_path: Path, example_repository: Path, basic_registry: RunningRegistry
) -> None:
    programs = tmp_path / "programs"
    write_credential_helper(Path(command_line.environment["HOME"]), programs, basic_registry)
    user = command_line.with_settings(PATH=f"{programs}:{command_line.environment['PATH']}")
    shelf = new_shelf(basic_registry)
    found = user.published(example_repository, TAG, shelf.destination)
    assert shelf.tags[NAME] == found["digest"]


def test_without_credentials_the_message_names_both_ways_to_give_them(
    command_line: CommandLine, example_repository: Path, basic_registry: RunningRegistry
) -> None:
    shelf = new_shelf(basic_registry)
    refused = command_line.publish(example_repository, TAG, shelf.destination)
    assert refused.exit_code == 7
    assert "REGISTRY_USERNAME" in refused.error["remedy"]
    assert "docker login" in refused.error["remedy"]
    assert shelf.is_untouched
