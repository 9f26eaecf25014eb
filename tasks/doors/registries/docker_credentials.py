"""What `docker login` left on this machine, read by Docker's SDK: `config.json`, and the helpers that it names.

Ours is what fails in the SDK: it goes on without credentials where the file cannot be read, skips entries with a plain
user name and password, and runs helpers without a time limit, found by this process's PATH, their words let through.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker import auth, credentials
from docker.credentials.constants import PROGRAM_PREFIX
from docker.credentials.errors import process_store_error
from docker.errors import DockerException

from pluginyard.errors import ConfigurationError
from pluginyard.parsing import load_json
from tasks.doors.registries.access import IDENTITY_TOKEN_USER, Credentials

_HELPER_SECONDS = 10.0
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def find_docker_credentials(host: str, path: Path, environment: Mapping[str, str]) -> Credentials | None:
    """Return what Docker would use for `host`; raise ConfigurationError where its store is out of order."""
    config, origin = _read_config(path), f"docker configuration {path}"
    entries = {key: _completed(entry) for key, entry in _mapping(config.get("auths")).items()}
    try:
        auths = auth.AuthConfig.parse_auth({key: entry for key, entry in entries.items() if entry}, raise_on_error=True)
    except (ValueError, DockerException):
        raise ConfigurationError("an entry of auths is not base64", subject=origin, remedy="run docker login") from None
    helpers, store = _mapping(config.get("credHelpers")), config.get("credsStore") or None
    for name in (*helpers.values(), *filter(None, [store])):
        if not isinstance(name, str) or not _HELPER_NAME.fullmatch(name):  # it becomes the name of a program
            subject = str(name)[:80]
            raise ConfigurationError("not a credential helper's name", subject=subject, remedy="check config.json")
    known = _Config({"auths": auths, "credHelpers": helpers, "credsStore": store}, dict(environment))
    return _credentials(known.resolve_authconfig(host) or {}, origin)


def _credentials(found: Mapping[str, Any], origin: str) -> Credentials | None:
    if "ServerAddress" in found:
        origin = "docker credential store"
    if token := found.get("IdentityToken"):
        return Credentials(IDENTITY_TOKEN_USER, str(token), origin)
    username, password = (found.get(name) or found.get(name.lower()) for name in ("Username", "Password"))
    return Credentials(str(username), str(password), origin) if username and password else None


def _read_config(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            return {}
        return _mapping(load_json(path.read_bytes()))
    except (OSError, ValueError):
        raise ConfigurationError(
            "Docker's configuration cannot be read", subject=str(path), remedy="repair it, or run docker login"
        ) from None


def _completed(entry: Any) -> dict[str, Any]:
    """Return an entry as the SDK reads it; an empty one where it says nothing."""
    plain = _mapping(entry)
    if plain.get("identitytoken") or plain.get("auth"):
        return plain
    pair = f"{plain.get('username') or ''}:{plain.get('password') or ''}"
    return {"auth": base64.b64encode(pair.encode()).decode()} if pair != ":" else {}


class _Config(auth.AuthConfig):
    """Ask helpers of ours."""

    def _get_store_instance(self, name: str) -> credentials.Store:
        return _Helper(name, self._credstore_env)  # type: ignore[attr-defined]  # the stubs lack it


class _Helper(credentials.Store):
    """Run a credential helper that the given environment finds, for a limited time, its words kept to ourselves."""

    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        self.program, self.environment = f"{PROGRAM_PREFIX}{program}", environment
        self.exe = shutil.which(self.program, path=environment.get("PATH"))

    def get(self, server: str | bytes) -> Any:
        """Return user name and secret; raise ConfigurationError, which names the helper and quotes nothing of it."""
        try:
            return super().get(server)  # type: ignore[no-untyped-call]
        except credentials.CredentialsNotFound:
            raise
        except credentials.StoreError:
            raise self._broken("fails", "unlock or repair it") from None
        except subprocess.TimeoutExpired:
            raise self._broken("does not answer", "install or unlock it") from None
        except OSError:
            raise self._broken("cannot be run", "install or unlock it") from None
        except (ValueError, KeyError, TypeError):
            raise self._broken("answers something else", "repair it") from None

    def _execute(self, subcmd: str, data_input: bytes) -> bytes:
        command, limit = [self.exe or self.program, subcmd], _HELPER_SECONDS
        try:
            done = subprocess.run(
                command, input=data_input, capture_output=True, timeout=limit, check=True, env=self.environment
            )
        except subprocess.CalledProcessError as error:
            raise process_store_error(error, self.program) from None
        return done.stdout

    def _broken(self, how: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"Docker's credential helper {how}", subject=self.program, remedy=remedy)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
