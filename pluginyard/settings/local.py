"""The settings of `make up`: how everything of one machine listens, and in which environment its processes run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pluginyard.errors import ConfigurationError

# The server asks for the one, its clients send the other.
SERVER_PASSWORD, CLIENT_PASSWORD = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
# Workers of other machines may share it: then a run that begins again finds what was finished elsewhere.
RESULTS = "PREFECT_RESULTS_LOCAL_STORAGE_PATH"
# Paths that may be relative to where `make up` is typed: its processes run elsewhere.
PATHS = (
    "PLUGINYARD_CA_BUNDLE",
    "PLUGINYARD_NETRC",
    "SSL_CERT_FILE",
    "PLUGINYARD_BUILDERS",
    "PLUGINYARD_CACHE",
    "PLUGINYARD_ENVOY",
)
# 127.0.0.2 is loopback too, but not by accident.
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (compared with, not bound to)
_SHORTEST_PASSWORD = 12


@dataclass(frozen=True)
class LocalMachine:
    """Say what only the machine knows."""

    project: Path
    state: Path
    """Folder of everything that is kept."""
    folder: Path
    """Where the command is typed."""
    name: str
    cores: int

    @property
    def password_file(self) -> Path:
        """Return where the password of a server that has none of its own is kept."""
        return self.state / "password"


@dataclass(frozen=True)
class LocalSettings:
    """Hold where everything is, and with which settings it runs."""

    machine: LocalMachine
    host: str
    port: int
    workers: int
    limit: int
    """Runs at once in each worker."""
    receiver_port: int
    password: str
    """`user:password` of API and UI; empty where none is needed."""
    url: str
    """Where people open the UI."""
    given: Mapping[str, str]
    """The environment that they were read from."""

    @property
    def api(self) -> str:
        """Return the API's address for processes of this machine."""
        reached = "127.0.0.1" if self.host in _EVERYWHERE else self.host
        return f"http://{f'[{reached}]' if ':' in reached else reached}:{self.port}/api"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every process; the password is nowhere else."""
        machine = self.machine
        own = {
            "PREFECT_HOME": str(machine.state / "prefect"),
            "PREFECT_API_URL": self.api,
            "PREFECT_UI_URL": self.url,
            "PREFECT_SERVER_UI_API_URL": f"{self.url}/api",
            RESULTS: self.given.get(RESULTS) or str(machine.state / "results"),
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": ":".join(filter(None, (str(machine.project), self.given.get("PYTHONPATH", "")))),
        }
        passwords = (SERVER_PASSWORD, CLIENT_PASSWORD)
        # Without a password neither is set: Prefect takes an empty one for a password that no client can send.
        others = {name: value for name, value in self.given.items() if value or name not in passwords}
        if self.password:
            own |= dict.fromkeys(passwords, self.password)
        paths = {name: str(machine.folder / value) for name, value in self.given.items() if value and _is_path(name)}
        return {**others, **paths, **own}


def read_local_settings(
    environment: Mapping[str, str], machine: LocalMachine, read_password: Callable[[Path], str]
) -> LocalSettings:
    """Read the settings; `read_password` gives the one of the machine's file, where one is needed.

    Raises ConfigurationError for a setting that does not fit.
    """
    host = environment.get("PLUGINYARD_HOST") or "127.0.0.1"
    port = _number(environment, "PLUGINYARD_PORT", 4200)
    shown = machine.name if host in _EVERYWHERE else host
    return LocalSettings(
        machine,
        host,
        port,
        _number(environment, "PLUGINYARD_WORKERS", 1),
        _number(environment, "PLUGINYARD_WORKER_LIMIT", machine.cores),
        _number(environment, "PLUGINYARD_RECEIVER_PORT", 4300),
        _choose_password(host, environment, machine.password_file, read_password),
        environment.get("PLUGINYARD_URL", "").rstrip("/") or f"http://{shown}:{port}",
        environment,
    )


def _choose_password(host: str, environment: Mapping[str, str], file: Path, read: Callable[[Path], str]) -> str:
    """Return the password of a server on `host`: beyond this machine its secrets are open without one."""
    given = environment.get(SERVER_PASSWORD, "")
    if not given and host in LOOPBACK:
        return ""
    password = given or read(file)
    if ":" not in password or len(password.partition(":")[2]) < _SHORTEST_PASSWORD:
        raise ConfigurationError(
            f"no user:password with at least {_SHORTEST_PASSWORD} characters after the colon",
            subject=SERVER_PASSWORD if given else str(file),
            remedy="choose a longer one, or unset it and let one be made",
        )
    return password


def _is_path(name: str) -> bool:
    return name in PATHS or (name.startswith("PLUGINYARD_") and name.endswith("_SECRETS_FILE"))


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ConfigurationError(f"{text!r} is no number", subject=name, remedy="fix or unset the variable")
    return int(text)
