"""The settings of `make up`: where everything of one machine is, and how it listens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deployments.local.passwords import CLIENT_VARIABLE, VARIABLE, find_password
from deployments.local.processes import Process
from pluginyard.errors import ConfigurationError

PROJECT = Path(__file__).parents[2]
# Workers of other machines may share it: then a run that begins again finds what was finished elsewhere.
RESULTS = "PREFECT_RESULTS_LOCAL_STORAGE_PATH"
# The server asks for the one, its clients send the other.
PASSWORDS = (VARIABLE, CLIENT_VARIABLE)
# Paths that may be relative to where `make up` is typed: its processes run elsewhere.
PATHS = (
    "PLUGINYARD_GITHUB_SECRETS_FILE",
    "PLUGINYARD_CA_BUNDLE",
    "PLUGINYARD_NETRC",
    "SSL_CERT_FILE",
    "PLUGINYARD_BUILDERS",
    "PLUGINYARD_CACHE",
    "PLUGINYARD_ENVOY",
)


@dataclass(frozen=True)
class Yard:
    """Hold where everything is, and with which settings it runs."""

    state: Path
    host: str
    port: int
    workers: int
    limit: int
    receiver_port: int
    password: str
    url: str
    """Where people open the UI."""
    environment: Mapping[str, str]

    @property
    def api(self) -> str:
        """Return the API's address for processes of this machine."""
        # S104: compared with, not bound to.
        reached = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://{f'[{reached}]' if ':' in reached else reached}:{self.port}/api"

    @property
    def server(self) -> Process:
        """Return the server."""
        return Process("server", self.state)

    @property
    def receives(self) -> bool:
        """Tell whether a webhook secret is set."""
        return any(
            self.environment.get(name) for name in ("PLUGINYARD_GITHUB_SECRETS_FILE", "PLUGINYARD_GITHUB_SECRET")
        )

    def settings(self) -> dict[str, str]:
        """Return the environment of every process; the password is nowhere else."""
        own = {
            "PREFECT_HOME": str(self.state / "prefect"),
            "PREFECT_API_URL": self.api,
            "PREFECT_UI_URL": self.url,
            "PREFECT_SERVER_UI_API_URL": f"{self.url}/api",
            RESULTS: self.environment.get(RESULTS) or str(self.state / "results"),
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT), self.environment.get("PYTHONPATH", "")))),
        }
        # Without a password neither is set: Prefect takes an empty one for a password that no client can send.
        others = {name: value for name, value in self.environment.items() if value or name not in PASSWORDS}
        if self.password:
            own |= dict.fromkeys(PASSWORDS, self.password)
        paths = {name: str(Path(self.environment[name]).absolute()) for name in PATHS if self.environment.get(name)}
        return {**others, **paths, **own}


def find_state(environment: Mapping[str, str]) -> Path:
    """Return the folder of everything that is kept."""
    return Path(environment.get("PLUGINYARD_STATE") or PROJECT / ".make" / "up").resolve()


def read_yard(environment: Mapping[str, str]) -> Yard:
    """Read the settings; raise ConfigurationError for one that does not fit."""
    state = find_state(environment)
    host = environment.get("PLUGINYARD_HOST") or "127.0.0.1"
    port = _number(environment, "PLUGINYARD_PORT", 4200)
    shown = os.uname().nodename if host in ("0.0.0.0", "::") else host  # noqa: S104
    return Yard(
        state,
        host,
        port,
        _number(environment, "PLUGINYARD_WORKERS", 1),
        _number(environment, "PLUGINYARD_WORKER_LIMIT", os.cpu_count() or 2),
        _number(environment, "PLUGINYARD_RECEIVER_PORT", 4300),
        find_password(host, state / "password", environment),
        environment.get("PLUGINYARD_URL", "").rstrip("/") or f"http://{shown}:{port}",
        environment,
    )


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ConfigurationError(f"{text!r} is no number", subject=name, remedy="mend or unset the variable")
    return int(text)
