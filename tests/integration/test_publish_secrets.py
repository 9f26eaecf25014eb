"""The password of a registry is nowhere but in the process that was given it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.doors.containers import Engine
from tests.machine.command_line import CommandLine
from tests.machine.loopback import direct, json_request
from tests.machine.passwords import new_password, run_registry_with_password
from tests.machine.prefect_server import PrefectServer
from tests.machine.registries import USERNAME, RunningRegistry
from tests.machine.secret_search import Secret, Watch, stored_texts
from tests.machine.stored import new_shelf

# It is built in two containers: one that fetches the SDK, one that compiles.
TAG = "wasm-go-sdk-headers-v1.0.0"
KINDS = ("logs", "flow_runs", "task_runs", "artifacts")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RunningRegistry]:
    """Run a registry with a password of this test alone."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with run_registry_with_password(folder, new_password()) as running:
        yield running


def in_records(secret: Secret, server: PrefectServer) -> list[str]:
    """Return where the Prefect server keeps the secret: what its API gives away, and every value it stores."""
    found = [kind for kind in KINDS if secret.is_in(json.dumps(server.read(kind)).encode())]
    found += [path.name for path in secret.files([server.home])]
    databases = list(server.home.glob("*.db"))
    assert databases
    return found + [f"tables of {path.name}" for path in databases if secret.is_in(stored_texts(path))]


def in_images(secret: Secret, engine: Engine) -> list[str]:
    """Return the images in whose history or settings the secret is."""
    found = []
    for image in engine.client.images():
        told = [engine.client.history(image["Id"]), engine.client.inspect_image(image["Id"])]  # type: ignore[no-untyped-call]
        if secret.is_in(json.dumps(told).encode()):
            found.append(image["Id"])
    return found


def missing(found: list[str], places: tuple[str, ...]) -> list[str]:
    """Return the places that nothing found begins with."""
    return [place for place in places if not any(text.startswith(place) for text in found)]


def test_the_password_is_in_no_record_no_container_no_process_and_no_file(
    command_line: CommandLine,
    tmp_path: Path,
    registry: RunningRegistry,
    example_repository: Path,
    prefect_server: PrefectServer,
    engine: Engine,
) -> None:
    secret, shelf = Secret(registry.username, registry.password), new_shelf(registry)
    (tmp_path / "tmp").mkdir()
    user = command_line.with_credentials(registry).with_settings(TMPDIR=str(tmp_path / "tmp"))
    running = user.start(*user.publish_arguments(example_repository, TAG, shelf.destination))
    own = Path(f"/proc/{running.pid}/cmdline").read_bytes()
    with Watch(engine, secret, frozenset({os.getpid(), running.pid}), frozenset({own})).watching() as watch:
        outcome = running.end()
    assert outcome.exit_code == 0, outcome.stderr

    assert watch.found == []
    assert any(name.endswith("-fetch") for name in watch.containers), "the watch was too slow to see it"
    assert any(name.endswith("-compile") for name in watch.containers)
    assert not secret.is_in(outcome.stdout.encode())
    assert not secret.is_in(outcome.stderr.encode())
    prefect_server.task_runs(prefect_server.newest_run(f"publish {TAG}")["id"])
    assert in_records(secret, prefect_server) == []
    assert in_images(secret, engine) == []
    assert secret.files([user.folder, tmp_path / "tmp", registry.folder]) == []


def test_a_wrong_password_is_not_repeated_by_the_error_or_the_records(
    command_line: CommandLine, registry: RunningRegistry, example_repository: Path, prefect_server: PrefectServer
) -> None:
    wrong = Secret(USERNAME, new_password())
    shelf = new_shelf(registry)
    suffix = registry.host.replace(".", "_").replace(":", "_")
    user = command_line.with_settings(
        **{f"REGISTRY_USERNAME__{suffix}": USERNAME, f"REGISTRY_PASSWORD__{suffix}": wrong.password}
    )
    refused = user.publish(example_repository, TAG, shelf.destination)
    assert refused.exit_code == 7
    assert registry.host in refused.error["subject"]
    assert not wrong.is_in(refused.stdout.encode() + refused.stderr.encode())
    assert in_records(wrong, prefect_server) == []
    assert wrong.files([user.folder, registry.folder]) == []
    assert shelf.is_untouched


def test_the_search_finds_a_secret_in_files_however_it_is_written(tmp_path: Path) -> None:
    secret = Secret("publisher", new_password())
    for number, form in enumerate(secret.forms):
        (tmp_path / f"{number}.log").write_bytes(b"so: " + form + b".")
    (tmp_path / "packed.gz").write_bytes(gzip.compress(secret.password.encode()))
    (tmp_path / "plain.txt").write_text(secret.password)
    subprocess.run(["tar", "czf", "archive.tgz", "plain.txt"], cwd=tmp_path, check=True)
    (tmp_path / "harmless.txt").write_text("nothing")
    names = {path.name for path in secret.files([tmp_path])}
    assert names == {path.name for path in tmp_path.iterdir()} - {"harmless.txt"}


def test_the_search_finds_a_secret_in_processes_and_containers(engine: Engine, command_line: CommandLine) -> None:
    secret = Secret("publisher", new_password())
    image = command_line.environment.get("PLUGINYARD_BASE_IMAGE") or engine.client.images()[0]["Id"]
    environment = [f"REGISTRY_PASSWORD={secret.password}"]
    command = ["sh", "-c", "sleep 30; :", secret.password]
    container = engine.client.create_container(image, command, environment=environment)["Id"]
    engine.client.start(container)
    shown = subprocess.Popen(["sh", "-c", "sleep 20; :", secret.password])
    inherited = subprocess.Popen(["sleep", "20"], env={**os.environ, "REGISTRY_PASSWORD": secret.password})
    places = (f"cmdline of process {shown.pid}", f"environ of process {inherited.pid}", "docker inspect", "docker top")
    try:
        with Watch(engine, secret, frozenset({os.getpid()})).watching() as watch:
            deadline = time.monotonic() + 20
            while missing(watch.found, places) and time.monotonic() < deadline:
                time.sleep(0.05)
    finally:
        engine.client.remove_container(container, force=True)
        for process in (shown, inherited):
            process.kill()
            process.wait()
    assert missing(watch.found, places) == []


def test_the_search_finds_a_secret_in_the_servers_records(prefect_server: PrefectServer) -> None:
    secret = Secret("publisher", new_password())
    record = {"name": "canary", "level": 20, "message": secret.password, "timestamp": "2026-01-01T00:00:00Z"}
    direct().open(json_request(f"{prefect_server.url}/logs/", [record]), timeout=30).close()
    found = in_records(secret, prefect_server)
    assert "logs" in found
    assert any(place.startswith("tables of") for place in found)
