"""The settings of `make up`, read on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from deployments.local.passwords import read_password
from pluginyard.settings import LocalMachine, LocalSettings, read_local_settings

PROJECT = Path(__file__).parents[2]


def find_state(environment: Mapping[str, str]) -> Path:
    """Return the folder of everything that is kept."""
    return Path(environment.get("PLUGINYARD_STATE") or PROJECT / ".make" / "up").resolve()


def find_settings(environment: Mapping[str, str]) -> LocalSettings:
    """Return the settings, with a password made where one is needed; raise ConfigurationError for what does not fit."""
    machine = LocalMachine(PROJECT, find_state(environment), Path.cwd(), os.uname().nodename, os.cpu_count() or 2)
    return read_local_settings(environment, machine, read_password)
