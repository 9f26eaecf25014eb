from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.local.services import SERVER, WORKER
from pluginyard.settings import check_site_variable

DEPLOYMENTS = Path(__file__).parents[3] / "deployments"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CLIENTS = ("setup", "worker", "receiver")


def test_database_server_workers_receiver_and_registry_are_services() -> None:
    assert set(SERVICES) == {"database", "server", "setup", "worker", "receiver", "registry"}
    assert SERVICES["worker"]["deploy"]["replicas"] >= 2


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "setup"])
def test_every_lasting_service_is_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_names_is_there(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    named = (item.partition(":")[0] for item in service.get("volumes", []))
    assert {item for item in named if not item.startswith(("/", "."))} <= set(COMPOSE["volumes"])
    for other, condition in service.get("depends_on", {}).items():
        wants = condition["condition"]
        assert (wants == "service_healthy") == ("healthcheck" in SERVICES[other])
        assert wants == "service_healthy" or SERVICES[other]["restart"] != "unless-stopped"


def test_no_password_is_in_the_file_and_nothing_listens_beyond_loopback() -> None:
    for service in SERVICES.values():
        assert not [
            name
            for name in service.get("environment", {})
            if re.search("PASSWORD|SECRET|AUTH_STRING", name) and not name.endswith("_FILE")
        ]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert all(item["file"].startswith("./secrets/") for item in COMPOSE["secrets"].values())


def test_the_server_asks_for_a_password_and_every_client_knows_it() -> None:
    assert "PREFECT_SERVER_API_AUTH_STRING" in SERVICES["server"]["secrets"]
    assert all("PREFECT_API_AUTH_STRING" in SERVICES[name]["secrets"] for name in CLIENTS)
    files = {COMPOSE["secrets"][name]["file"] for name in ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING")}
    assert len(files) == 1


def test_a_sites_settings_and_its_notification_outlive_the_next_up() -> None:
    setup = SERVICES["setup"]
    options = setup["command"][setup["command"].index("deployments.register") + 1 :]
    assert options == ["--site", "deployments/site.yaml", "--keep", "--deploy"]
    assert setup["environment"]["PLUGINYARD_NOTIFY_URL"] is None, "not set is not empty, which ends the notification"
    site = check_site_variable(yaml.safe_load((DEPLOYMENTS / "site.yaml").read_text()))
    assert site == {"registries": ["registry:5000/plugins"], "plain_http": True}
    of_site = {"PLUGINYARD_REGISTRIES", "PLUGINYARD_PLAIN_HTTP", "PLUGINYARD_REPOSITORY"}
    assert not [name for name in SERVICES if of_site & set(SERVICES[name].get("environment", {}))], (
        "it would go over them"
    )


def test_no_worker_builds_with_the_images_own_go_because_it_sees_no_engine() -> None:
    assert SERVICES["worker"]["environment"]["PLUGINYARD_ENGINE"] == "${PLUGINYARD_ENGINE:-container}"
    pool = yaml.safe_load((DEPLOYMENTS / "register" / "work-pools" / "docker.yaml").read_text())
    assert pool["env"] == {"PLUGINYARD_ENGINE": "container"}


def test_a_worker_is_asked_for_its_own_health() -> None:
    worker = SERVICES["worker"]
    assert "--with-healthcheck" in worker["command"]
    assert worker["environment"]["PREFECT_WORKER_WEBSERVER_HOST"] in worker["healthcheck"]["test"][-1]


def test_links_lead_to_where_people_open_the_ui() -> None:
    urls = {SERVICES[name]["environment"]["PREFECT_UI_URL"] for name in ("server", *CLIENTS)}
    assert urls == {"${PLUGINYARD_URL:-http://127.0.0.1:4200}"}


@pytest.mark.parametrize("missing", ["", "git", "python3", "ca-certificates"])
def test_the_run_image_installs_only_what_its_base_lacks(tmp_path: Path, missing: str) -> None:
    (script,) = re.findall(
        r"^RUN (set -eu; packages=.*?)\n\n", (DEPLOYMENTS / "Dockerfile").read_text(), re.DOTALL | re.M
    )
    told, authorities = tmp_path / "told", tmp_path / "ca-certificates.crt"
    script = script.replace("/etc/ssl/certs/ca-certificates.crt", str(authorities)).replace("rm -rf", ": ")
    if missing != "ca-certificates":
        authorities.write_text("-----BEGIN CERTIFICATE-----")
    for name in {"git", "python3", "apt-get"} - {missing}:
        (tmp_path / name).write_text(f'#!/bin/sh\n[ {name} != apt-get ] || echo "$@" >> {told}\n')
        (tmp_path / name).chmod(0o755)
    subprocess.run(["/bin/sh", "-c", script.replace("\\\n", " ")], env={"PATH": str(tmp_path)}, check=True)
    assert told.exists() == bool(missing), "a base that has everything needs no mirror of Debian"
    assert not missing or missing in told.read_text().split()


def test_make_up_sets_what_the_run_image_sets() -> None:
    image = dict(re.findall(r"(PREFECT_[A-Z0-9_]+)=(\S+)", (DEPLOYMENTS / "Dockerfile").read_text()))
    for name, value in {**SERVER, **WORKER}.items():
        assert image[name] == value, name


def test_a_server_that_was_killed_leaves_the_next_one_no_lock(tmp_path: Path) -> None:
    lock = tmp_path / "concurrency_leases" / "expirations.lock"
    lock.parent.mkdir()
    program = tmp_path / "prefect"
    program.write_text("#!/bin/sh\necho started\n")
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PREFECT_HOME": str(tmp_path)}
    for command, stays in (("worker", True), ("server", False)):
        lock.touch()
        start = [str(DEPLOYMENTS / "with-secrets.sh"), "prefect", command, "start"]
        done = subprocess.run(start, env=environment, capture_output=True, text=True, check=True)
        assert (done.stdout, lock.exists()) == ("started\n", stays)


def test_workers_recover_as_the_run_image_says() -> None:
    image = dict(re.findall(r"(PREFECT_[A-Z0-9_]+)=(\S+)", (DEPLOYMENTS / "Dockerfile").read_text()))
    for name in ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "PREFECT_CLIENT_MAX_RETRIES", "PREFECT_WORKER_QUERY_SECONDS"):
        assert SERVICES["worker"]["environment"][name] == image[name], name
    shared = [item.partition(":")[2] for item in SERVICES["worker"]["volumes"] if item.startswith("work:")]
    assert shared
    assert image["PREFECT_RESULTS_LOCAL_STORAGE_PATH"].startswith(f"{shared[0]}/")


def test_secrets_and_wheels_stay_out_of_git_and_secrets_out_of_images() -> None:
    project = DEPLOYMENTS.parent
    assert {"/deployments/secrets/", "/deployments/.env"} <= set((project / ".gitignore").read_text().splitlines())
    lines = (project / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    assert min(lines.index("deployments/secrets"), lines.index("deployments/.env")) > lines.index("!deployments")
