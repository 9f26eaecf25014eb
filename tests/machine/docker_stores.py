"""Credentials as docker login leaves them: in config.json, or behind a helper program."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.machine.registries import RunningRegistry

HELPER = "pluginyard-tests"


def write_docker_config(home: Path, registry: RunningRegistry) -> None:
    """Write user and password of `registry` into the `config.json` of `home`."""
    pair = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    _write(home, {"auths": {registry.host: {"auth": pair}}})


def write_credential_helper(home: Path, programs: Path, registry: RunningRegistry) -> None:
    """Name a helper program in the `config.json` of `home`, and put it in `programs`; it knows `registry` alone."""
    _write(home, {"credHelpers": {registry.host: HELPER}})
    answer = programs / "answer.json"
    programs.mkdir()
    answer.write_text(json.dumps({"Username": registry.username, "Secret": registry.password}))
    program = programs / f"docker-credential-{HELPER}"
    known = f'[ "$1" = get ] && read -r host; [ "$host" = "{registry.host}" ] && exec cat "{answer}"'
    program.write_text(f"#!/bin/sh\n{known}\necho 'credentials not found in native keychain'; exit 1\n")
    program.chmod(0o755)


def _write(home: Path, config: dict[str, object]) -> None:
    folder = home / ".docker"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
