"""What git runs with: no prompt, no secret that is meant for others, the site's certificate authorities."""

from __future__ import annotations

import os
import re

import git

_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
}
_NOT_FOR_GIT = ("REGISTRY_PASSWORD", "PLUGINYARD_GITHUB_TOKEN")
_WITHOUT_SSH = re.compile(r"(?:https?|git|file)://")
# Each is a person's word on how ssh is to be run.
_SSH = ("GIT_SSH_COMMAND", "GIT_SSH", "SSH_ASKPASS")


def quiet_environment() -> dict[str, str]:
    """Return what git runs with besides our own environment.

    git starts programs that its configuration names; GitPython can replace a variable, not take it away.
    """
    return _QUIET | {name: "" for name in os.environ if name.startswith(_NOT_FOR_GIT)}


def network_environment(url: str, ca_bundle: str) -> dict[str, str]:
    """Return the whole environment in which git reaches `url`: ssh asks nobody either."""
    environment = dict(os.environ) | quiet_environment()
    if ca_bundle:  # the site's, an option of `network_options`, which this variable would override
        environment.pop("GIT_SSL_CAINFO", None)
    if _WITHOUT_SSH.match(url) or any(name in environment for name in _SSH):
        return environment
    # A configuration that git cannot read is told by the fetch.
    if git.Git().config("--default", "", "--get", "core.sshCommand", with_exceptions=False):
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
