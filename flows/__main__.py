"""The command line: `pluginyard publish | plan | verify | inspect | prepare`.

Exit codes are those of the errors (pluginyard/errors.py); 0 done, 1 a fault of ours, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from pluginyard.errors import PluginyardError, RequestError, VerdictError

GATEWAYS = ("higress", "istio", "envoy-gateway", "envoy")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        arguments = _parser().parse_args(words)
    except RequestError as error:
        return _fail(error, _output_of(words))
    from flows import commands

    command = getattr(commands, arguments.command)
    try:
        result: dict[str, Any] = command(arguments)
    except PluginyardError as error:
        return _fail(error, arguments.output)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(json.dumps(result, indent=2) if arguments.output == "json" else commands.RENDERERS[arguments.command](result))
    return VerdictError.exit_code if result.get("ok") is False else 0


def command_help() -> dict[str, str]:
    """Return the help text of each command, as the reference shows it."""
    parser = _parser()
    (choices,) = (action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {name: command.format_help() for name, command in choices.items()}


def _fail(error: PluginyardError, output: str) -> int:
    """Tell the person who must act; with JSON, tell the machine too."""
    print(f"error: {error}", file=sys.stderr)
    if output == "json":
        told = {
            "type": type(error).__name__,
            "message": error.message,
            "subject": error.subject,
            "remedy": error.remedy,
            "exit_code": error.exit_code,
        }
        print(json.dumps({"error": told}, indent=2))
    return error.exit_code


def _output_of(words: Sequence[str]) -> str:
    """Return the form that a command line asks for that does not parse: a program may read it all the same."""
    return "json" if "json" in words or "--output=json" in words else "text"


class _Parser(argparse.ArgumentParser):
    """Tell a wrong command line as every other error is told."""

    def error(self, message: str) -> NoReturn:
        raise RequestError(message, subject=self.prog, remedy=f"see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("pluginyard", description="Publish Wasm gateway plugins as proven OCI artifacts")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    publish = _add(commands, "publish", "build a plugin, push it, verify it")
    plan = _add(commands, "plan", "print what publish would build and push")
    for command in (publish, plan):
        _add_release(command)
    publish.add_argument("--overwrite", action="store_true", help="move the version's tag to other content")
    publish.add_argument("--run-in-envoy", action="store_true", help="load what was published in a real Envoy")
    verify = _add(commands, "verify", "pull an artifact and say whether gateways load it")
    inspect = _add(commands, "inspect", "show what an artifact holds and what gateways say of it")
    for command in (verify, inspect):
        command.add_argument("reference", help="HOST/REPOSITORY[:TAG|@DIGEST], or oci:PATH:NAME-VERSION")
        command.add_argument("--plain-http", action="store_true", help="speak HTTP if the registry does not speak TLS")
    verify.add_argument(
        "--gateway",
        dest="gateways",
        action="append",
        choices=GATEWAYS,
        help="gateway that must load it (repeatable; default: higress)",
    )
    prepare = _add(commands, "prepare", "make the images of builders now, so that no publication waits for it")
    prepare.add_argument("builders", nargs="+", metavar="BUILDER", help="go, rust, tinygo, or a builder of your own")
    return parser


def _add(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument("--output", choices=("text", "json"), default="text", help="default: text")
    return command


def _add_release(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--repository", default=".", metavar="PATH_OR_URL", help="plugin repository (default: this folder)")
    add("--tag", help="release tag: wasm-{language}-{name}-v{semver}")
    add("--plugin", metavar="NAME", help="name of the plugin, in place of a tag")
    add("--language", metavar="LANG", help="go (default), rust or tinygo, with --plugin")
    add("--version", metavar="V", help="SemVer without v, with --plugin; default: the plugin's VERSION file")
    add("--ref", metavar="REF", help="branch or commit, with --plugin; default: HEAD")
    add(
        "--registry",
        dest="registries",
        action="append",
        metavar="DESTINATION",
        help="HOST/NAMESPACE, or oci:PATH for a layout folder (repeatable)",
    )
    add("--plain-http", action="store_true", help="speak HTTP to registries that do not speak TLS")


if __name__ == "__main__":
    sys.exit(main())
