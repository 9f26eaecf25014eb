from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from deployments.local.services import SERVER, WORKER, describe
from deployments.local.settings import find_settings
from pluginyard.settings import CLIENT_PASSWORD, SERVER_PASSWORD, Site, describe_setting
from pluginyard.settings.local import PATHS, RESULTS

PROJECT = Path(__file__).parents[3]
PASSWORDS = (SERVER_PASSWORD, CLIENT_PASSWORD)
ALL_PATHS = (*PATHS, "PLUGINYARD_GITHUB_SECRETS_FILE")


def test_paths_are_those_of_where_make_up_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relative = {name: f"own/{name}" for name in ALL_PATHS}
    settings = find_settings({**relative, "PLUGINYARD_STATE": "state", "GOPROXY": "off"}).environment
    assert {settings[name] for name in ALL_PATHS} == {str(tmp_path / "own" / name) for name in ALL_PATHS}
    assert settings["GOPROXY"] == "off"
    assert not set(ALL_PATHS) & set(find_settings({}).environment), "what is not set stays so"


def test_every_setting_of_a_site_that_is_a_path_is_among_them() -> None:
    shown = (describe_setting(field) for field in Site.model_fields.values())
    paths = [text for text in shown if re.search(r": [^:]*\b(?:file|folder|path) (?:of|with|for)\b", text)]
    assert {text.partition(":")[0].partition(",")[0] for text in paths} <= set(PATHS)
    assert len(paths) == 5


def test_the_ui_of_another_machine_asks_the_address_that_people_type() -> None:
    settings = find_settings({"PLUGINYARD_URL": "https://plugins.example.com/", "PLUGINYARD_PORT": "4299"}).environment
    assert settings["PREFECT_SERVER_UI_API_URL"] == "https://plugins.example.com/api"
    assert settings["PREFECT_API_URL"] == "http://127.0.0.1:4299/api"


def test_results_may_lie_where_other_machines_see_them(tmp_path: Path) -> None:
    own = {"PLUGINYARD_STATE": str(tmp_path)}
    assert find_settings(own).environment[RESULTS] == str(tmp_path / "results")
    assert find_settings({**own, RESULTS: "/srv/results"}).environment[RESULTS] == "/srv/results"


@pytest.mark.parametrize("given", ["", "admin:a-password-of-the-site"])
def test_the_line_to_export_gives_a_client_the_password_and_does_not_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    environment = {"PLUGINYARD_HOST": "127.0.0.2", "PLUGINYARD_STATE": str(tmp_path / "a state")}
    environment |= {"PREFECT_SERVER_API_AUTH_STRING": given} if given else {}
    monkeypatch.setattr("deployments.local.processes.Process.pid", os.getpid())
    (tmp_path / "a state" / "run").mkdir(parents=True)
    (tmp_path / "a state" / "run" / "server.json").touch()
    settings = find_settings(environment)
    shown = describe(settings)
    assert settings.password not in shown
    lines = "\n".join(re.findall(r"export .*", shown))
    shell = ["/bin/sh", "-c", f"{lines}\necho $PREFECT_API_URL $PREFECT_API_AUTH_STRING"]
    done = subprocess.run(shell, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True)
    assert shlex.split(done.stdout) == [settings.api, settings.password]


def test_an_empty_variable_is_no_password(tmp_path: Path) -> None:
    empty = dict.fromkeys(PASSWORDS, "")
    beyond = find_settings({**empty, "PLUGINYARD_STATE": str(tmp_path), "PLUGINYARD_HOST": "192.0.2.7"})
    assert {beyond.environment[name] for name in PASSWORDS} == {beyond.password} != {""}
    assert not set(find_settings({**empty, "PLUGINYARD_STATE": str(tmp_path)}).environment) & set(PASSWORDS)


def test_every_variable_of_make_up_is_explained_where_it_is_operated() -> None:
    files = ("deployments/local/settings.py", "deployments/register/automations.py", "pluginyard/settings/local.py")
    code = "".join((PROJECT / name).read_text() for name in files)
    (section,) = re.findall(r"## One machine\n(.*?)\n## ", (PROJECT / "docs" / "operate.md").read_text(), re.DOTALL)
    shown = set(re.findall(r"P[A-Z_]+[A-Z]", " ".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))))
    of_a_site = set(PATHS)
    assert set(re.findall(r'"(PLUGINYARD_[A-Z_]+)"', code)) - of_a_site <= shown
    assert len(shown) > 8


def test_the_settings_of_a_workers_own_machine_are_those_of_make_up() -> None:
    page = (PROJECT / "docs" / "operate.md").read_text()
    (block,) = re.findall(r"/etc/pluginyard.env`.*?```sh\n(.*?)```", page, re.DOTALL)
    settings = dict(line.strip().partition("=")[::2] for line in block.splitlines() if line.strip())
    assert {name: settings.get(name) for name in WORKER} == WORKER
    assert {"PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_UI_URL", RESULTS} <= set(settings)
    assert (settings["PLUGINYARD_ENGINE"], settings["DO_NOT_TRACK"]) == ("container", "1")


def test_nothing_that_make_up_or_the_run_image_starts_sends_telemetry(tmp_path: Path) -> None:
    settings = find_settings({"PLUGINYARD_STATE": str(tmp_path), "DO_NOT_TRACK": ""})
    image = dict(re.findall(r"([A-Z_]+)=(\S+)", (PROJECT / "deployments" / "Dockerfile").read_text()))
    for started in ({**settings.environment, **SERVER}, image):
        assert (started["DO_NOT_TRACK"], started["PREFECT_SERVER_ANALYTICS_ENABLED"]) == ("1", "false")
