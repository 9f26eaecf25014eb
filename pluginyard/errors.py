"""Every error a user meets: what failed, on which object, what to do; each class has an exit code.

The table in docs/reference.md is rendered from the classes below.
"""

from __future__ import annotations

import re
from typing import Self

from pluginyard.printable import printable


class PluginyardError(Exception):
    """Say what failed (`message`), on which object (`subject`), and what to do about it (`remedy`)."""

    exit_code = 1
    transient = False
    """True where trying again later may help: the only errors a task retries."""

    def __init__(self, message: str, *, subject: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.subject = subject
        self.remedy = remedy

    @property
    def message(self) -> str:
        """Return the sentence that says what failed."""
        return str(self.args[0])

    @property
    def headline(self) -> str:
        """Return the first line of the message: what failed, without what is quoted below."""
        return self.message.partition("\n")[0]

    def add(self, message: str, remedy: str = "") -> Self:
        """Add to what failed, and to what to do about it."""
        self.args = (f"{self.message}; {message}", *self.args[1:])
        self.remedy = "; ".join(filter(None, (self.remedy, remedy)))
        return self

    def __str__(self) -> str:
        subject = f"{printable(self.subject)}: " if self.subject else ""
        remedy = f"\n  remedy: {self.remedy}" if self.remedy else ""
        text = printable(f"{subject}{self.message}{remedy}", lines=True)
        return re.sub(r"\n(?! )", "\n  ", text)  # a text that is quoted begins no line


class InternalError(PluginyardError):
    """A fault of pluginyard itself."""


class RequestError(PluginyardError):
    """The tag, name, version or destination that was asked for is not valid."""

    exit_code = 2


class ConfigurationError(PluginyardError):
    """A setting (pluginyard.yaml, environment, builder.yaml) is not valid."""

    exit_code = 3


class SourceError(PluginyardError):
    """The repository, the commit or the plugin's folder is not there, or not fit to build."""

    exit_code = 4


class SourceUnavailableError(SourceError):
    """The remote repository does not answer (network, 429, 5xx): worth another try."""

    transient = True


class BuildError(PluginyardError):
    """The module could not be compiled, or no engine or toolchain is available."""

    exit_code = 5


class EngineUnavailableError(BuildError):
    """The container engine does not answer (network, restart): worth another try."""

    transient = True


class FetchUnavailableError(BuildError):
    """What a build fetches (packages, an image) is not available just now (network, 429, 5xx): worth another try."""

    transient = True


class VerdictError(PluginyardError):
    """A required gateway would not load the artifact, so it is not pushed."""

    exit_code = 6


class AuthenticationError(PluginyardError):
    """The registry refuses the credentials, or they are missing (401, 403); never retried."""

    exit_code = 7


class RegistryError(PluginyardError):
    """The registry refuses the request (4xx), or what it sent is not what its digest says."""

    exit_code = 8


class RegistryUnavailableError(RegistryError):
    """The registry does not answer, or answers 429 or 5xx: worth another try."""

    transient = True


class VersionTakenError(PluginyardError):
    """The version tag is already published with another digest."""

    exit_code = 9


class VerificationError(PluginyardError):
    """What was pulled is not what was pushed, or what is published has drifted since."""

    exit_code = 10


class BatchError(PluginyardError):
    """Some plugins could not be published, or looked at; the others were."""

    exit_code = 12


class GatewayError(PluginyardError):
    """The real gateway did not load the module, or did not answer as the probe expects."""

    exit_code = 11


class ServerError(PluginyardError):
    """The Prefect server that records the runs does not answer, or refuses (401, 403, 5xx)."""

    exit_code = 13


class RepeatedCrashError(PluginyardError):
    """The run crashed as often as it may, so it is not started again."""

    exit_code = 14


class StatusError(PluginyardError):
    """The forge refuses the status of a commit."""

    exit_code = 15


class StatusUnavailableError(StatusError):
    """The forge does not answer, or answers 429 or 5xx: worth another try."""

    transient = True

    def __init__(self, message: str, *, subject: str = "", remedy: str = "", retry_after: str = "") -> None:
        super().__init__(message, subject=subject, remedy=remedy)
        self.retry_after = retry_after


def describe_fault(error: Exception) -> PluginyardError:
    """Return `error` if it is written for users, else one for a fault of ours, with `error` as its cause."""
    if isinstance(error, PluginyardError):
        return error
    fault = InternalError(
        f"a fault of pluginyard: {type(error).__name__}: {error}",
        remedy="report it with the traceback in the run's log",
    )
    fault.__cause__ = error
    return fault
