"""Why git failed, from what it printed: whose fault it is, what to do, and whether to try again.

>>> judge_git_failure("fatal: unable to access 'https://h/r/': The requested URL returned error: 503").transient
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pluginyard.errors import SourceError, SourceUnavailableError
from pluginyard.oci import is_transient_status
from pluginyard.settings import strip_credentials

_LONGEST_LINE = 1000
_LATER = "try later"
_ADDRESS = "check the address, and git's own credentials: a credential helper, or a key for ssh"
# Lines that git prints around the one that says why.
_NOISE = (
    r"Cloning into|warning:|hint:|From |remote: ?$|Please make sure you have|and the repository exists|@@@|$|"
    r"fatal: could not read from remote repository"
)
_REASON = r"fatal:|error:|remote:|ssh:"
_DAMAGE = (
    r"corrupt|bad object|unable to (?:read|update local)|cannot lock|object file|inflate|missing (?:blob|tree|commit)"
)
_UNREACHABLE = (
    r"could not resolve|unable to access|connection (?:closed|refused|reset|timed out)|early eof|timed out|hung up|"
    r"the remote end|RPC failed|unable to connect|unexpected disconnect"
)
_STATUS = r"(?:returned error:|HTTP code|tunnel failed, response) (\d{3})"
# The first row that fits a line of the output counts.
_ROWS = (
    (r"not a git repository", "run git init and commit, or give a URL"),
    (r"(?:dubious ownership in repository at |unsafe repository \()'(.+?)'",
     "if you trust who owns it: git config --global --add safe.directory {1}"),
    (r"from promisor remote|lazy fetching",
     "check the plugin's files out there (git sparse-checkout add FOLDER), or give the URL of its remote"),
    (r"bad (?:\w+ )?config|configuration file|include depth|key does not contain",
     "fix git's configuration where it says, or give the URL of the repository"),
    (r"repository extension|expected git repo version", "use a newer git, or give the URL of the repository"),
    (r"no space left|disk quota|read-only file system|: permission denied$",
     "make room for git below PLUGINYARD_CACHE, and let this user read and write there"),
    (r"certificate (?:file|locations|problem|signer|subject|verif)|reading ca cert|CAfile:",
     "name its authority (PEM) as CA bundle: PLUGINYARD_CA_BUNDLE"),
    (r"from proxy after CONNECT|CONNECT tunnel failed", "check HTTPS_PROXY and NO_PROXY"),
    (r"host key verification failed|host identification has changed|no \S+ host key is known",
     "put the host's key into ~/.ssh/known_hosts of the user that runs pluginyard"),
    (r"mismatched algorithms", "use a repository whose ids are SHA-1: those of SHA-256 are not read yet"),
    (r"couldn't find remote ref|invalid refspec", "name a tag, a branch or a commit of it"),
    (r"transport '.*' not allowed|unable to find remote helper", "give an https, ssh, git or file address"),
    (r"returned error: |permission denied \(|could not read (?:username|password)|authentication failed|"
     r"repository .*not found|does not (?:exist|appear to be a git repo)|remote error:", _ADDRESS),
)  # fmt: skip


@dataclass(frozen=True)
class GitFailure:
    """Say why git failed: its own line, what to do, and what may help without anybody."""

    said: str
    remedy: str
    transient: bool = False
    """Another try may help."""
    may_be_damage: bool = False
    """Nothing is known to be wrong with the remote or this machine, so what is stored may be damaged."""

    def as_error(self, subject: str, *, is_mirror: bool = False) -> SourceError:
        """Return the error for the repository `subject`; `is_mirror` where a mirror was read, not the remote."""
        if self.transient:
            return SourceUnavailableError(f"cannot reach it: {self.said}", subject=subject, remedy=self.remedy)
        if self.may_be_damage and is_mirror:
            said = f"its mirror on this machine was damaged: {self.said}"
            return SourceUnavailableError(said, subject=subject, remedy="run the same again")
        return SourceError(f"git cannot read it: {self.said}", subject=subject, remedy=self.remedy)


def judge_git_failure(output: str) -> GitFailure:
    """Return why git failed, by what it printed on standard error."""
    stripped = (line.strip()[:_LONGEST_LINE] for line in strip_credentials(output).splitlines())
    lines = [line for line in stripped if not re.match(_NOISE, line, re.IGNORECASE)]
    if (found := _find(lines, _STATUS)) and is_transient_status(int(found[1][1])):
        return GitFailure(found[0], _LATER, transient=True)
    for pattern, remedy in _ROWS:
        if found := _find(lines, pattern):
            return GitFailure(found[0], remedy.replace("{1}", found[1][1] if found[1].re.groups else ""))
    damaged = _find(lines, _DAMAGE)
    if not damaged and (found := _find(lines, _UNREACHABLE)):
        return GitFailure(found[0], _LATER, transient=True)
    reason = _find(lines, f"^(?:{_REASON})")
    said = reason[0] if reason else lines[0] if lines else "git failed and does not say why"
    return GitFailure(said, _ADDRESS, may_be_damage="could not read from remote" not in output.lower())


def missing_object(identity: str) -> GitFailure:
    """Return the failure for an object that a repository lacks, or holds with bytes that are not those of its id."""
    said = f"object {identity} is missing or corrupt"
    return GitFailure(said, "run git fsck and git fetch there, or give the URL of its remote", may_be_damage=True)


def _find(lines: list[str], pattern: str) -> tuple[str, re.Match[str]] | None:
    """Return the first line that `pattern` is found in, case ignored."""
    return next(((line, match) for line in lines if (match := re.search(pattern, line, re.IGNORECASE))), None)
