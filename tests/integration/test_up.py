from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.machine.example_repository import make_repository
from tests.machine.github import REPOSITORY, SECRET
from tests.machine.loopback import ask, free_port, json_request
from tests.machine.receivers import RunningReceiver, tag_delivery
from tests.machine.warm_toolchains import warm_cache

PROJECT = Path(__file__).parents[2]
SETTINGS = ("PREFECT_", "PLUGINYARD_", "REGISTRY_", "IMAGE_", "DOCKER_HOST")
TAG = "wasm-go-request-block-v1.0.0"


@dataclass
class LocalServices:
    """Run `make up` and `make down` as a user would, with a state of its own."""

    folder: Path
    port: int
    host: str = "127.0.0.1"
    password: str = ""

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def command(self, name: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the command from a script's background job, where SIGINT is ignored."""
        plain = {key: text for key, text in os.environ.items() if not key.startswith(SETTINGS)}
        own = {
            "PYTHONPATH": str(PROJECT),
            "PLUGINYARD_STATE": str(self.state),
            "PLUGINYARD_PORT": str(self.port),
            "PLUGINYARD_RECEIVER_PORT": str(self.port + 1),
            "PLUGINYARD_HOST": self.host,
            "PLUGINYARD_ENGINE": "host",
            "PLUGINYARD_CACHE": str(self.folder / "cache"),
        }
        return subprocess.run(
            [sys.executable, "-m", "deployments.local", name],
            env={**plain, **own, **settings},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN) and None,
        )

    def up(self, **settings: str) -> str:
        done = self.command("up", **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def call(self, path: str, document: Any = None) -> Any:
        headers = {}
        if self.password:
            headers["Authorization"] = f"Basic {base64.b64encode(self.password.encode()).decode()}"
        return ask(json_request(f"http://{self.host}:{self.port}{path}", document, headers=headers))

    def pids(self) -> dict[str, int]:
        files = (self.state / "run").glob("*.json")
        return {file.stem: int(json.loads(file.read_text())["pid"]) for file in files}


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalServices]:
    found = LocalServices(tmp_path, free_port(together=2))
    warm_cache(tmp_path / "cache")
    yield found
    found.command("down")


def test_up_publishes_goes_down_and_comes_back_with_its_history(local: LocalServices) -> None:
    secrets = local.folder / "secrets.yaml"
    secrets.write_text(json.dumps({REPOSITORY: {"secrets": SECRET, "clone_url": str(local.folder / "example")}}))
    shown = local.up(
        PLUGINYARD_GITHUB_SECRETS_FILE=os.path.relpath(secrets, PROJECT),
        PLUGINYARD_REGISTRIES=f"oci:{local.folder / 'layout'}",
        PLUGINYARD_URL="https://plugins.example.com",
    )
    assert "https://plugins.example.com\n" in shown
    assert f"http://127.0.0.1:{local.port}" in shown
    pages = local.call("/ui-settings")
    assert (pages["api_url"], pages["default_ui"]) == ("https://plugins.example.com/api", "v1")
    assert "password" not in shown
    started = local.pids()
    assert set(started) == {"server", "worker-1", "receiver"}
    run = _publish(local)
    _publish_by_webhook(local)
    _sends_no_telemetry(local)
    local.up()
    assert local.pids() == started, "a second up starts nothing"

    interrupted = _start(local, "wasm-go-prompt-embed-v0.2.0")
    _await(lambda: local.call(f"/api/flow_runs/{interrupted}")["state_name"] == "Running")
    typed_elsewhere = local.command("down", PLUGINYARD_PORT=str(free_port()))
    assert typed_elsewhere.returncode == 0
    assert "not scheduled again" not in typed_elsewhere.stderr
    for name, pid in started.items():
        assert not _lives(pid), name
    assert "nothing ran" in local.command("down").stdout

    local.up()
    assert local.call(f"/api/flow_runs/{run}")["state_name"] == "Completed"
    _ended(local, interrupted)
    states = local.call(f"/api/flow_run_states/?flow_run_id={interrupted}")
    assert "AwaitingRetry" in {state["name"] for state in states}, "what was under way has begun again"
    again = local.pids()
    os.killpg(again["worker-1"], signal.SIGKILL)
    local.up()
    assert local.pids()["server"] == again["server"]
    assert local.pids()["worker-1"] != again["worker-1"], "what died is started again"


def test_a_server_that_listens_beyond_loopback_has_a_password(local: LocalServices) -> None:
    local.host = "127.0.0.2"
    refused = local.command("up", PREFECT_SERVER_API_AUTH_STRING="admin:short")
    assert refused.returncode == 3
    assert "PREFECT_SERVER_API_AUTH_STRING" in refused.stderr
    assert "short" not in refused.stderr
    assert not local.pids()

    shown = local.up()
    file = local.state / "password"
    password = file.read_text().strip()
    assert str(file) in shown
    assert password not in shown
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(urllib.error.HTTPError) as unauthorized:
        local.call("/api/block_documents/filter", {"include_secrets": True})
    assert unauthorized.value.code == 401
    local.password = password
    assert local.call("/api/deployments/name/publish-plugin/on-demand")["work_pool_name"] == "pluginyard"
    workers = _await(lambda: local.call("/api/work_pools/pluginyard/workers/filter", {}))
    assert workers[0]["status"] == "ONLINE", "the worker knows the password"
    for pid in local.pids().values():
        assert password not in Path(f"/proc/{pid}/cmdline").read_text()
    for log in (local.state / "log").iterdir():
        assert password.partition(":")[2] not in log.read_text(), log.name

    file.chmod(0o644)
    refused = local.command("up")
    assert (refused.returncode, "others can read" in refused.stderr) == (3, True)
    file.chmod(0o600)
    local.host = "127.0.0.1"
    refused = local.command("up")
    assert (refused.returncode, "make down" in refused.stderr) == (3, True)


def _publish(local: LocalServices) -> str:
    make_repository(local.folder / "example")
    run = _start(local, TAG)
    _ended(local, run)
    index = json.loads((local.folder / "layout" / "index.json").read_text())
    names = {item["annotations"]["org.opencontainers.image.ref.name"] for item in index["manifests"]}
    assert names == {"request-block-1.0.0", "request-block-latest"}
    return run


def _publish_by_webhook(local: LocalServices) -> None:
    """Send a signed push, and print how long it took; on a machine that does nothing else, below ten seconds."""
    before = time.monotonic()
    answer = RunningReceiver(local.port + 1, local.state / "log" / "receiver.log").post(tag_delivery("push", TAG))
    assert (answer.status, answer.document["status"]) == (202, "started"), answer
    run = answer.document["flow_run"]
    _await(lambda: local.call(f"/api/flow_runs/{run}")["start_time"])
    print(f"from the signed webhook to the running run: {time.monotonic() - before:.1f} s")
    _ended(local, run)


def _sends_no_telemetry(local: LocalServices) -> None:
    for name, pid in local.pids().items():
        assert b"DO_NOT_TRACK=1" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"), name
    assert local.call("/api/admin/settings")["server"]["analytics_enabled"] is False
    for log in (local.state / "log").iterdir():
        assert not re.search("telemetry|amplitude|analytics", log.read_text(), re.IGNORECASE), log.name


def _start(local: LocalServices, tag: str) -> str:
    deployment = local.call("/api/deployments/name/publish-plugin/on-demand")["id"]
    layout = f"oci:{local.folder / 'layout'}"
    asked = {"repository": str(local.folder / "example"), "tag": tag, "registries": [layout]}
    made = local.call(f"/api/deployments/{deployment}/create_flow_run", {"parameters": {"request": asked}})
    run: str = made["id"]
    return run


def _ended(local: LocalServices, run: str) -> None:
    def ended() -> Any:
        found = local.call(f"/api/flow_runs/{run}")
        return found if found["state_type"] in ("COMPLETED", "FAILED", "CANCELLED") else None

    state = _await(ended, 400)
    assert state["state_name"] == "Completed", state["state"]


def _await(condition: Any, seconds: float = 180) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(TimeoutError):  # a server on a busy machine: it is asked again
            if found := condition():
                return found
        assert time.monotonic() < deadline
        time.sleep(0.3)


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False
