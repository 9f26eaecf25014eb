"""Why a build failed, told to the person who must act: what a toolchain printed, translated.

The translations are data of each builder (`failures` in builder.yaml); here are those that hold for all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pluginyard.builds.recipe import MIB, MODULE_BYTES, Recipe, StepName
from pluginyard.errors import BuildError, ConfigurationError, FetchUnavailableError

QUOTED_LINES = 15
# A build prints megabytes and a compiler's useful words are its last.
KEPT_LINES = 60
EXPIRED = 137
"""Exit code of a step that was killed at its time limit."""
# In the words of container engines, and of apt in a Dockerfile.
_PASSING = re.compile(
    r"too ?many ?requests|\b(?:429|50[0234]) +[A-Z][a-z]|i/o timeout|timed out|handshake timeout|Client\.Timeout|"
    r"connection (?:refused|reset)|server misbehaving|network is unreachable|no route to host|unexpected EOF|: EOF$|"
    r"Temporary failure resolving",
    re.IGNORECASE | re.MULTILINE,
)
_LASTING = re.compile(r"no such host|x509|certificate|denied|unauthorized|manifest unknown", re.IGNORECASE)


@dataclass(frozen=True)
class StepResult:
    """Say how a step ended: its exit code and its last lines."""

    exit_code: int
    last_lines: tuple[str, ...] = ()
    oom: bool = False
    """Whether the kernel ended it for want of memory, where an engine knows."""
    expired: bool = False
    """Whether it was ended at the time limit."""


def require_success(recipe: Recipe, step: StepName, result: StepResult) -> None:
    """Raise BuildError where the step failed, with what the toolchain said, translated."""
    if result.expired:
        raise _time_limit_error(recipe, step)
    if result.exit_code != 0:
        raise explain_failure(recipe, step, result.exit_code, result.last_lines, oom=result.oom)


def explain_failure(recipe: Recipe, step: StepName, exit_code: int, lines: Sequence[str], *, oom: bool) -> BuildError:
    """Return the error for a step that ended with `exit_code` after printing `lines`."""
    text = "\n".join(lines)
    subject = recipe.folder
    # A compiler's child that the kernel ended: the engine notes it, or Go's driver prints it.
    if oom or exit_code == 137 or re.search(r"signal: killed|\(signal: 9, SIGKILL", text):
        return BuildError(
            f"the {step} step ran out of its {recipe.site.memory} MiB of memory",
            subject=subject,
            remedy="raise PLUGINYARD_BUILD_MEMORY (MiB)",
        )
    for failure in recipe.builder.definition.failures:
        if found := re.search(failure.pattern, text, re.MULTILINE):
            texts = {"folder": recipe.folder, "version": recipe.version, "1": next(filter(None, found.groups()), "")}
            # What compiles has no network: there such words are the plugin's own.
            kind = FetchUnavailableError if failure.transient and step == "fetch" else BuildError
            return kind(_fill(failure.message, texts), subject=subject, remedy=_fill(failure.remedy, texts))
    quoted = "\n".join(f"  | {line[:400]}" for line in lines[-QUOTED_LINES:] if line.strip())
    did = "could not fetch the dependencies" if step == "fetch" else "did not compile"
    remedy = (
        "check the network and the mirror settings" if step == "fetch" else "mend the source; the log has all lines"
    )
    return BuildError(f"{recipe.toolchain} {did} (exit {exit_code}):\n{quoted}", subject=subject, remedy=remedy)


def image_error(reference: str, why: str, printed: str = "") -> BuildError:
    """Return the error for an image that an engine could not pull or build: `why` are its words.

    `printed` is what the build of it printed last.
    """
    passes = _PASSING.search(f"{why}\n{printed}") and not _LASTING.search(why)
    quoted = "\n".join(f"  | {line}" for line in printed.splitlines()[-QUOTED_LINES:])
    return (FetchUnavailableError if passes else BuildError)(
        f"the builder's image could not be had: {why.strip()[:400]}\n{quoted}".rstrip(),
        subject=reference,
        remedy="log in to its registry, mend the Dockerfile, or name another image with PLUGINYARD_BASE_IMAGE or "
        "PLUGINYARD_IMAGE_<BUILDER>",
    )


def site_file_error(what: str, path: str, error: OSError, variable: str) -> ConfigurationError:
    """Return the error for a file of this machine that builds are given, and that cannot be read."""
    return ConfigurationError(f"the {what} cannot be read: {error.strerror}", subject=path, remedy=f"mend {variable}")


def _time_limit_error(recipe: Recipe, step: StepName) -> BuildError:
    """Return the error for a step that took longer than its limit."""
    return BuildError(
        f"the {step} step took longer than {recipe.site.seconds} s",
        subject=recipe.folder,
        remedy="raise PLUGINYARD_BUILD_SECONDS, or look in the log for what it waited for",
    )


def output_error(recipe: Recipe, why: str) -> BuildError:
    """Return the error for a compile step that succeeded and left no usable module: `why` says what is there."""
    expected = recipe.output("").lstrip("/")
    return BuildError(
        f"the build left no module: {expected} {why}",
        subject=recipe.folder,
        remedy=f"the build must leave one regular file of at most {MODULE_BYTES // MIB} MiB there",
    )


def check_toolchain(recipe_or_name: str, declared: str, real: str, *, subject: str) -> None:
    """Raise BuildError unless the toolchain of `subject` has the `declared` version."""
    if real == declared:
        return
    raise BuildError(
        f"it has {recipe_or_name} {real or 'of an unknown version'}, and the builder declares {declared}",
        subject=subject,
        remedy="use an image with the declared version, or declare it with PLUGINYARD_VERSION_<BUILDER>",
    )


def _fill(text: str, texts: dict[str, str]) -> str:
    for name, value in texts.items():
        text = text.replace(f"{{{name}}}", value)
    return text
