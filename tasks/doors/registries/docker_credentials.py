"""Read Docker's configuration file and ask its credential helpers.

Source: docker/cli `config.json` (`auths`, `credHelpers`, `credsStore`) and docker-credential-helpers' protocol:
`docker-credential-NAME get`, the server on standard input, JSON on standard output.
"""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pluginyard.errors import ConfigurationError
from pluginyard.oci import find_quirks
from pluginyard.parsing import load_json
from tasks.doors.registries.access import IDENTITY_TOKEN_USER, Credentials

_HELPER_SECONDS = 10.0
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_FOUND = "credentials not found"  # what a helper says where it has none, with exit code 1


def find_docker_credentials(host: str, path: Path, environment: Mapping[str, str]) -> Credentials | None:
    """Return what Docker would use for `host`; raise ConfigurationError where its store is out of order."""
    config = _read_config(path)
    keys = (host, *find_quirks(host).credential_keys)
    helpers = _mapping(config.get("credHelpers"))
    for key in keys:
        if key in helpers:
            return _ask_helper(str(helpers[key]), key, environment)
    store = config.get("credsStore")
    if store:
        answers = (_ask_helper(str(store), key, environment) for key in keys)
        found = next((answer for answer in answers if answer), None)
        if found:
            return found
    return _find_inline(_mapping(config.get("auths")), keys, path)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            return {}
        return _mapping(load_json(path.read_bytes()))
    except (OSError, ValueError):
        raise ConfigurationError(
            "Docker's configuration cannot be read", subject=str(path), remedy="repair it, or run docker login"
        ) from None


def _find_inline(auths: dict[str, Any], keys: tuple[str, ...], path: Path) -> Credentials | None:
    for key, entry in auths.items():
        if key in keys or _host_of(key) in keys:
            found = _read_entry(_mapping(entry), f"docker configuration {path}")
            if found:
                return found
    return None


def _read_entry(entry: dict[str, Any], origin: str) -> Credentials | None:
    if entry.get("identitytoken"):
        return Credentials(IDENTITY_TOKEN_USER, str(entry["identitytoken"]), origin)
    if entry.get("username") and entry.get("password"):
        return Credentials(str(entry["username"]), str(entry["password"]), origin)
    try:
        text = base64.b64decode(str(entry.get("auth") or ""), validate=True).decode()
    except ValueError:
        raise ConfigurationError("an entry of auths is not base64", subject=origin, remedy="run docker login") from None
    username, _, password = text.partition(":")
    return Credentials(username, password, origin) if username and password else None


def _ask_helper(name: str, key: str, environment: Mapping[str, str]) -> Credentials | None:
    if not _HELPER_NAME.fullmatch(name):  # it becomes the name of a program
        raise ConfigurationError("not a credential helper's name", subject=name[:80], remedy="check config.json")
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(  # noqa: S603 (a name, no path; no shell)
            [program, "get"],
            input=key.encode(),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            check=False,
            env=dict(environment),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = "does not answer" if isinstance(error, subprocess.TimeoutExpired) else "cannot be run"
        raise ConfigurationError(
            f"Docker's credential helper {reason}", subject=program, remedy="install or unlock it"
        ) from None
    if done.returncode == 0:
        return _read_answer(program, done.stdout)
    if _NOT_FOUND in (done.stdout + done.stderr).decode("utf-8", "replace"):
        return None
    raise ConfigurationError("Docker's credential helper fails", subject=program, remedy="unlock or repair it")


def _read_answer(program: str, answer: bytes) -> Credentials | None:
    try:
        entry = load_json(answer)
        username, secret = str(entry["Username"]), str(entry["Secret"])
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(
            "Docker's credential helper answers something else", subject=program, remedy="repair it"
        ) from None
    return Credentials(username, secret, "docker credential store") if username and secret else None


def _host_of(key: str) -> str:
    """Return the host of a key that older Dockers wrote as an address, `https://HOST/v1/`."""
    return re.sub(r"^https?://", "", key).partition("/")[0]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
