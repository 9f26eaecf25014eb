from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker.models.containers import Container

from tests.machine.engine import EngineHandle

PROJECT = Path(__file__).parents[2]
CONTEXT = ("requirements", "pluginyard", "tasks", "flows", "deployments", "builders")
FILES = ("prefect.yaml", "LICENSE", ".dockerignore")
# Of compose.yaml, with one run at a time.
COMMANDS = {
    name: [word if not word.startswith("${") else "1" for word in service["command"]]
    for name, service in yaml.safe_load((PROJECT / "deployments" / "compose.yaml").read_text())["services"].items()
    if "command" in service
}
ENGINE_GROUP = "4711"
PASSWORD = "admin:a-password-of-the-tests"
Start = Callable[..., Container]


@pytest.fixture(scope="module")
def client(engine_handle: EngineHandle) -> Iterator[docker.DockerClient]:
    found = docker.DockerClient(base_url=engine_handle.address, timeout=600)
    yield found
    found.close()


@pytest.fixture(scope="module")
def image(client: docker.DockerClient, engine_handle: EngineHandle, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the image as a user behind a company's authority does: the bundle lies in requirements/."""
    context = tmp_path_factory.mktemp("context")
    for name in CONTEXT:
        shutil.copytree(PROJECT / name, context / name, ignore=shutil.ignore_patterns("__pycache__", "wheels"))
    for name in FILES:
        shutil.copy(PROJECT / name, context / name)
    if bundle := os.environ.get("SSL_CERT_FILE"):
        shutil.copy(bundle, context / "requirements" / "ca.pem")
    if wheels := os.environ.get("PLUGINYARD_TEST_WHEELS"):
        shutil.copytree(wheels, context / "requirements" / "wheels")
    arguments = {"DOCKER_GID": ENGINE_GROUP}
    if engine_handle.base_image:
        arguments["BASE_IMAGE"] = engine_handle.base_image
    try:
        client.images.build(
            path=str(context),
            dockerfile="deployments/Dockerfile",
            tag="pluginyard-run:test",
            buildargs=arguments,
            rm=True,
            forcerm=True,
        )
    except docker.errors.BuildError as error:
        log = "".join(line.get("stream", "") for line in error.build_log)
        pytest.fail(f"{error}\n{log[-3000:]}")
    return "pluginyard-run:test"


@pytest.fixture
def start(client: docker.DockerClient, image: str) -> Iterator[Start]:
    """Start containers of the image; they are removed after the test."""
    started: list[Container] = []

    def start(*command: str, **more: Any) -> Container:
        started.append(client.containers.run(image, list(command), detach=True, init=True, **more))
        return started[-1]

    yield start
    for container in started:
        with contextlib.suppress(docker.errors.NotFound):
            container.remove(force=True, v=True)


def test_the_image_runs_the_command_line_as_no_root_and_keeps_no_wheel(start: Start) -> None:
    script = (
        "id -u; id -G; pluginyard publish --help | head -1; git --version; ls /requirements; python -m pip --version"
    )
    container = start("sh", "-c", script)
    assert container.wait(timeout=200)["StatusCode"] == 0, container.logs()
    shown = container.logs().decode()
    assert shown.startswith(f"10001\n10001 {ENGINE_GROUP}\nusage: pluginyard publish")
    assert "git version" in shown
    assert "'/requirements': No such file" in shown


def test_a_secret_that_cannot_be_read_ends_the_command(start: Start, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    secret = tmp_path / "PREFECT_SERVER_API_AUTH_STRING"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    mounts = {str(tmp_path): {"bind": "/run/secrets", "mode": "ro"}}
    for folder_mode, named in ((0o755, secret.name), (0o700, "/run/secrets cannot be listed")):
        tmp_path.chmod(folder_mode)
        container = start("true", volumes=mounts)
        assert container.wait(timeout=200)["StatusCode"] == 3
        assert named in container.logs().decode()


def test_one_image_is_server_deployer_worker_and_receiver(start: Start, tmp_path: Path) -> None:
    for name, text in {"PREFECT_SERVER_API_AUTH_STRING": PASSWORD, "PREFECT_API_AUTH_STRING": PASSWORD}.items():
        (tmp_path / name).write_text(text + "\n")
        (tmp_path / name).chmod(0o644)
    tmp_path.chmod(0o755)
    mounts = {str(tmp_path): {"bind": "/run/secrets", "mode": "ro"}}
    api = "http://127.0.0.1:4200/api"
    server = start("prefect", "server", "start", "--host", "0.0.0.0", volumes=mounts)
    _await(lambda: _fetch(server, f"{api}/health") == 200, "the server answers", server)
    assert _fetch(server, f"{api}/admin/version") == 401, "it asks for the password"

    beside = {"volumes": mounts, "network_mode": f"container:{server.id}", "environment": {"PREFECT_API_URL": api}}
    setup = start(*COMMANDS["setup"], **beside)
    assert setup.wait(timeout=400)["StatusCode"] == 0, setup.logs()[-2000:]
    worker = start(*COMMANDS["worker"], **beside)
    _await(lambda: _fetch(worker, "http://127.0.0.1:8080/health") == 200, "the worker asks for runs", worker)
    secret = {"PLUGINYARD_GITHUB_SECRET": "0123456789abcdef" * 2, "PLUGINYARD_GITHUB_REPOSITORIES": "acme/plugins"}
    started = {**beside, "environment": {"PREFECT_API_URL": api, **secret}}
    receiver = start("python", "-m", "deployments.receiver", **started)
    _await(lambda: _fetch(receiver, "http://127.0.0.1:4300/health") == 200, "the receiver answers", receiver)

    request = {"request": {"repository": "/nowhere", "tag": "wasm-go-request-block-v1.0.0"}}
    parameters = [part for name, value in request.items() for part in ("--param", f"{name}={json.dumps(value)}")]
    run = start("prefect", "deployment", "run", "publish-plugin/on-demand", "--watch", *parameters, **beside)
    assert run.wait(timeout=400)["StatusCode"] == 1, "the run fails, for there is no such repository"
    shown = worker.logs().decode()
    assert "SourceError" in shown, shown[-3000:]
    for container in (server, setup, worker, receiver):
        assert PASSWORD.partition(":")[2] not in container.logs().decode()
        assert PASSWORD.partition(":")[2] not in json.dumps(container.attrs["Config"])


def _fetch(container: Container, url: str) -> int:
    """Return the status that `url` has within a container; 0 where nobody answers."""
    script = (
        "import sys, urllib.error as e, urllib.request as u\n"
        "try: print(u.urlopen(sys.argv[1], timeout=5).status)\n"
        "except e.HTTPError as error: print(error.code)\n"
        "except OSError: print(0)\n"
    )
    code, output = container.exec_run(["python", "-c", script, url])
    return int(output) if code == 0 else 0


def _await(condition: Callable[[], bool], what: str, container: Container, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}: {container.logs()[-2000:]!r}"
        time.sleep(1)
