"""Why a build failed, for the person who must act: the toolchain's own error lines, translated where they are known.

The translations are data of each builder (`errors` and `failures` in builder.yaml); here are those that hold for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pluginyard.builds.definition import Definition, Failure, fill_text
from pluginyard.builds.recipe import MIB, MODULE_BYTES, Recipe, StepName
from pluginyard.errors import BuildError, ConfigurationError, FetchUnavailableError

QUOTED_LINES = 15
QUOTED_CHARACTERS = 400
KEPT_LINES = 1000
"""Of what a step prints: a toolchain's error may stand far above its last line."""
EXPIRED = 137
"""Exit code of a step that was killed at its time limit."""
# Of the error lines, and of the last lines (some causes are named in a warning), this much is searched for a known
# failure: patterns over several lines take time in the square of it, and what a build prints is the plugin's doing.
_SEARCHED_CHARACTERS = 8192
_DID: Mapping[StepName, str] = {"fetch": "could not fetch the dependencies", "compile": "did not compile"}
# In the words of container engines, and of apt in a Dockerfile.
_PASSING = re.compile(
    r"too ?many ?requests|\b(?:429|50[0234]) +[A-Z][a-z]|i/o timeout|timed out|handshake timeout|Client\.Timeout|"
    r"connection (?:refused|reset)|server misbehaving|network is unreachable|no route to host|unexpected EOF|: EOF$|"
    r"Temporary failure resolving",
    re.IGNORECASE | re.MULTILINE,
)
_OF_THE_ENGINE = ("Step ", " ---> ", "Removing intermediate container ")
_LASTING = re.compile(r"no such host|x509|certificate|denied|unauthorized|manifest unknown", re.IGNORECASE)


@dataclass(frozen=True)
class StepResult:
    """Say how a step ended: its exit code, and the last lines of its standard error and its standard output."""

    exit_code: int
    errors: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    oom: bool = False
    """Whether the kernel ended it for want of memory, where an engine knows."""
    expired: bool = False
    """Whether it was ended at the time limit."""


def require_success(recipe: Recipe, step: StepName, result: StepResult) -> None:
    """Raise BuildError where the step failed, with what the toolchain said, translated."""
    if result.expired:
        raise _time_limit_error(recipe, step)
    if result.exit_code != 0:
        raise explain_failure(recipe, step, result)


def explain_failure(recipe: Recipe, step: StepName, result: StepResult) -> BuildError:
    """Return the error for a step that ended with `result`: its first line names the cause, the error lines follow."""
    errors = tuple(_error_lines(recipe.builder.definition, result.errors))
    last = _spoken(result.errors)[-QUOTED_LINES:] or _spoken(result.output)[-QUOTED_LINES:]
    quoted = _quoted(errors or last)
    begin = "\n".join(errors)[:_SEARCHED_CHARACTERS]
    text = "\n".join([begin, _end_of(result.errors), _end_of(result.output)])
    # A compiler's child that the kernel ended: the engine notes it, or Go's driver prints it.
    if result.oom or result.exit_code == 137 or re.search(r"signal: killed|\(signal: 9, SIGKILL", text):
        return BuildError(
            f"the {step} step ran out of its {recipe.site.memory} MiB of memory",
            subject=recipe.folder,
            remedy="raise PLUGINYARD_BUILD_MEMORY (MiB)",
        )
    for failure in recipe.builder.definition.failures:
        if found := re.search(failure.pattern, text, re.MULTILINE):
            return _translated(failure, found, recipe, step, quoted)
    cause = next(iter(errors or last[::-1]), "it printed nothing").strip()
    message = f"{recipe.toolchain} {_DID[step]} (exit {result.exit_code}): {cause[:QUOTED_CHARACTERS]}"
    remedy = "check the network and the mirror settings" if step == "fetch" else "fix the source; the log has all lines"
    if step == "compile" and recipe.preparation and recipe.preparation.lacks_network:
        remedy = f"{recipe.preparation.hint}; {remedy}"
    return BuildError("\n".join([message, *quoted]), subject=recipe.folder, remedy=remedy)


def _translated(
    failure: Failure, found: re.Match[str], recipe: Recipe, step: StepName, quoted: Sequence[str]
) -> BuildError:
    named = {name: text or "" for name, text in found.groupdict().items()}
    first = next(filter(None, found.groups()), "")
    texts = {"folder": recipe.folder, "version": recipe.version, "did": _DID[step], "1": first, **named}
    # What compiles has no network: there such words are the plugin's own.
    kind = FetchUnavailableError if failure.transient and step == "fetch" else BuildError
    message = "\n".join([fill_text(failure.message, texts).strip(), *quoted])
    hint = recipe.preparation.hint if failure.embedded and recipe.preparation else ""
    remedy = "; or ".join(filter(None, (hint, fill_text(failure.remedy, texts))))
    return kind(message, subject=recipe.folder, remedy=remedy)


def _error_lines(definition: Definition, lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines with which the toolchain reports an error, each with what follows up to an empty line."""
    begins, inside = re.compile(definition.errors), False
    for line in lines:
        inside = bool(line.strip()) and (inside or bool(begins.match(line)))
        if inside:
            yield line


def _end_of(lines: Sequence[str]) -> str:
    return "\n".join(lines[-60:])[-_SEARCHED_CHARACTERS:]


def _spoken(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.strip()]


def _quoted(lines: Sequence[str]) -> list[str]:
    return [f"  | {line[:QUOTED_CHARACTERS]}" for line in lines[:QUOTED_LINES]]


def image_error(reference: str, why: str, printed: str = "") -> BuildError:
    """Return the error for an image that an engine could not pull or build: `why` are its words.

    `printed` is what the build of it printed last.
    """
    quoted = _quoted(_spoken(printed.splitlines())[-QUOTED_LINES:])
    return _kind_of(why, printed)(
        "\n".join([f"the builder's image cannot be pulled or built: {why.strip()[:400]}", *quoted]),
        subject=reference,
        remedy="log in to its registry, fix the Dockerfile, or name another image with PLUGINYARD_BASE_IMAGE or "
        "PLUGINYARD_IMAGE_<BUILDER>",
    )


def script_error(subject: str, why: str, printed: str) -> BuildError:
    """Return the error for the script `subject` of a plugin, of which no layer of the image could be made."""
    lines = [line for line in _spoken(printed.splitlines()) if not line.startswith(_OF_THE_ENGINE)]
    code = re.search(r"returned a non-zero code: (\d+)", why)
    last = "it ran longer than PLUGINYARD_BUILD_SECONDS" if code and code[1] == "124" else next(iter(lines[-1:]), "")
    cause = f" (exit {code[1]}): {last}" if code else f": {why.strip()[:400]}"
    return _kind_of(why, printed)(
        "\n".join([f"it failed in a layer of the builder's image{cause}", *_quoted(lines[-QUOTED_LINES:])]),
        subject=subject,
        remedy="fix the script: it runs alone in an empty folder, as root, with network",
    )


def prepared_error(recipe: Recipe, what: str) -> BuildError:
    """Return the error for what the plugin's script left in its folder, and that cannot be taken."""
    name = recipe.preparation.script.name if recipe.preparation else ""
    return BuildError(f"{name} left files that are {what}", subject=recipe.folder, remedy=f"remove them in {name}")


def _kind_of(why: str, printed: str) -> type[BuildError]:
    passes = _PASSING.search(f"{why}\n{printed}") and not _LASTING.search(why)
    return FetchUnavailableError if passes else BuildError


def no_toolchain(builder: str, silent: Sequence[str]) -> BuildError:
    """Return the error for a machine that can build in no way; `silent` engines are there and do not answer."""
    engines = f"no container engine answers ({', '.join(silent)})" if silent else "there is no container engine"
    return BuildError(
        f"{engines}, and there is no {builder} toolchain on this machine",
        subject=builder,
        remedy="start Docker, name its address in DOCKER_HOST, or its context in DOCKER_CONTEXT",
    )


def host_note(toolchain: str, version: str, silent: Sequence[str]) -> str:
    """Return what a report says of a build by this machine's own toolchain where an engine was meant."""
    if not silent:
        return ""
    return f"built by {toolchain} {version} of this machine, without isolation: {', '.join(silent)} did not answer"


def site_file_error(what: str, path: str, error: OSError, variable: str) -> ConfigurationError:
    """Return the error for a file of this machine that builds are given, and that cannot be read."""
    return ConfigurationError(f"the {what} cannot be read: {error.strerror}", subject=path, remedy=f"fix {variable}")


def _time_limit_error(recipe: Recipe, step: StepName) -> BuildError:
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


def check_toolchain(toolchain: str, declared: str, real: str, *, subject: str) -> None:
    """Raise BuildError unless the toolchain of the image `subject` has the `declared` version."""
    if real == declared:
        return
    raise BuildError(
        f"it has {toolchain} {real or 'of an unknown version'}, and the builder declares {declared}",
        subject=subject,
        remedy="use an image with the declared version, or declare it with PLUGINYARD_VERSION_<BUILDER>",
    )
