"""What documents, compose file and run image start is there under its name."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MODULES = ("receiver", "register", "local", "local.interrupted")
PLACES = ("deployments", "docs", "Makefile", "action.yml", "prefect.yaml", "README.md")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("PREFECT_", "INPUT_", "GITHUB_"))}
    plain.pop("DO_NOT_TRACK", None)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**plain, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("module", MODULES)
def test_every_entry_point_shows_its_help(module: str, tmp_path: Path) -> None:
    done = run("-m", f"deployments.{module}", "--help", PREFECT_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: python -m deployments.{module} ")


def test_the_step_of_the_action_says_what_it_lacks() -> None:
    done = run("-m", "deployments.github_action")
    assert done.returncode == 2
    assert done.stdout.startswith("::error title=pluginyard::")


def test_the_server_takes_its_order_of_events_from_the_setting() -> None:
    script = (
        "from prefect.server.events.ordering import get_triggers_causal_ordering as get;"
        "print(type(get()).__module__, type(get()).__name__)"
    )
    done = run("-c", script, PREFECT_SERVER_EVENTS_CAUSAL_ORDERING="deployments.event_order")
    assert done.stdout.split() == ["deployments.event_order", "CausalOrdering"], done.stderr


def test_every_module_that_is_named_where_things_are_started_is_one_of_them() -> None:
    files = [file for place in PLACES for file in ([PROJECT / place, *(PROJECT / place).rglob("*")])]
    # Decisions name what was.
    named_in = [file for file in files if "decisions" not in file.parts and file.suffix not in (".pyc", ".png")]
    texts = [file.read_text() for file in named_in if file.is_file()]
    named = {name for text in texts for name in re.findall(r"-m[, ]+deployments\.([a-z_.]+[a-z])", text)}
    assert {"receiver", "register", "local", "github_action"} <= named <= {*MODULES, "github_action"}


def test_no_entry_point_sends_telemetry_of_prefects() -> None:
    done = run("-c", "import deployments, os; print(os.environ['DO_NOT_TRACK'])", DO_NOT_TRACK="")
    assert done.stdout.strip() == "1"


def locked(name: str) -> set[str]:
    text = (PROJECT / "requirements" / f"{name}.lock").read_text()
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))


def test_what_users_start_imports_nothing_that_only_developers_install() -> None:
    """`make demo` and the run image install run.lock alone."""
    only_developers = locked("dev") - locked("run")
    blocked = [
        module
        for module, names in packages_distributions().items()
        if {re.sub(r"[-_.]+", "-", name).lower() for name in names} <= only_developers
    ]
    assert {"pytest", "mypy", "selenium"} <= set(blocked)
    rooms = [importlib.import_module(name) for name in ("flows", "tasks", "pluginyard", "deployments")]
    modules = [
        module.name for room in rooms for module in pkgutil.walk_packages(room.__path__, prefix=f"{room.__name__}.")
    ]
    script = (
        "import importlib, sys;"
        "sys.modules.update(dict.fromkeys(sys.argv[1].split(',')));"
        "[importlib.import_module(name) for name in sys.argv[2:]]"
    )
    done = run("-c", script, ",".join(blocked), "examples.demo", *modules)
    assert done.returncode == 0, done.stderr
