"""The whole environment in which a git is started: nothing of the caller's repository, no prompt, no secret."""

from __future__ import annotations

import os
import re
import subprocess

_NOT_FOR_GIT = ("REGISTRY_PASSWORD", "PLUGINYARD_GITHUB_TOKEN")
# Which repository is meant, and which state of it: all of `git rev-parse --local-env-vars`, and what else hooks get.
_OF_A_REPOSITORY = re.compile(
    r"GIT_(?:DIR|WORK_TREE|IMPLICIT|COMMON|PREFIX|NAMESPACE|INDEX|OBJECT|ALTERNATE|QUARANTINE|GRAFT|SHALLOW|"
    r"REPLACE|NO_REPLACE|INTERNAL|DEFAULT|ATTR|REF|PUSH|PROTOCOL|TEMPLATE|CONFIG(?!_(?:GLOBAL|SYSTEM|NOSYSTEM)$))"
)
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    # A remote of this machine serves what it has, and runs nothing to get more.
    "GIT_NO_LAZY_FETCH": "1",
}
_REACHING = {
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
    # What a mirror is made of, whatever git's configuration prefers.
    "GIT_DEFAULT_HASH": "sha1",
    "GIT_DEFAULT_REF_FORMAT": "files",
}
_READING = {
    "GIT_ALLOW_PROTOCOL": "",  # a git that does not know GIT_NO_LAZY_FETCH finds no transport
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_SHALLOW_FILE": os.devnull,
}
_WITHOUT_SSH = re.compile(r"(?:https?|git|file)://")
# Each is a person's word on how ssh is to be run.
_SSH = ("GIT_SSH_COMMAND", "GIT_SSH", "SSH_ASKPASS")


def reading_environment() -> dict[str, str]:
    """Return the environment in which git reads a repository: as its objects are, and from no remote."""
    return _own_environment() | _QUIET | _READING


def network_environment(url: str, ca_bundle: str) -> dict[str, str]:
    """Return the environment in which git reaches `url`: ssh asks nobody either."""
    environment = _own_environment() | _QUIET | _REACHING
    if ca_bundle:  # the site's, an option of `network_options`, which this variable would override
        environment.pop("GIT_SSL_CAINFO", None)
    if _WITHOUT_SSH.match(url) or any(name in environment for name in _SSH) or _configures_ssh(environment):
        return environment
    return environment | {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}


def network_options(ca_bundle: str) -> tuple[str, ...]:
    """Return git's options for a remote.

    What git does in the background would go on after the run. As an option, the CA bundle leaves in force what git's
    configuration names for a single host.
    """
    settings = ["gc.autoDetach=false", "maintenance.autoDetach=false", f"core.hooksPath={os.devnull}"]
    settings += [f"http.sslCAInfo={ca_bundle}"] if ca_bundle else []
    return tuple(word for setting in settings for word in ("-c", setting))


def _own_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_NOT_FOR_GIT) and not _OF_A_REPOSITORY.match(name)
    }


def _configures_ssh(environment: dict[str, str]) -> bool:
    """Whether this machine's configuration of git says how ssh is run; the fetch reports one that cannot be read."""
    command = ["git", "--git-dir", os.devnull, "config", "--get", "core.sshCommand"]
    asked = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    return bool(asked.stdout.strip())
