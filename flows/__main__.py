"""The command line: `pluginyard publish | plan | verify | inspect | prepare`, each verb a file of `flows/commands/`.

Exit codes are those of the errors (pluginyard/errors.py); 0 done, 1 a fault of ours, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn

from flows import commands
from pluginyard.errors import PluginyardError, RequestError, VerdictError
from pluginyard.printable import printable_values


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal of another encoding
    try:
        verbs = find_verbs(words)
        arguments = _parser(verbs).parse_args(words)
    except RequestError as error:
        return _fail(error, _output_of(words))
    verb = verbs[arguments.command]
    try:
        result: dict[str, Any] = verb.run(arguments)
    except PluginyardError as error:
        return _fail(error, arguments.output)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    as_json = arguments.output == "json"
    print(json.dumps(result, indent=2) if as_json else verb.render(printable_values(result)))
    return VerdictError.exit_code if result.get("ok") is False else 0


def find_verbs(words: Sequence[str] = ()) -> dict[str, ModuleType]:
    """Return the verb that `words` begin with, which alone is imported then, else all of them in the help's order."""
    names = [found.name for found in pkgutil.iter_modules(commands.__path__)]
    chosen = [name for name in names if name in words[:1]] or names
    found = {name: importlib.import_module(f"{commands.__name__}.{name}") for name in chosen}
    return dict(sorted(found.items(), key=lambda item: item[1].PLACE))


def command_help() -> dict[str, str]:
    """Return the help text of each command, as the reference shows it."""
    parser = _parser(find_verbs())
    (choices,) = (action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {name: command.format_help() for name, command in choices.items()}


def _fail(error: PluginyardError, output: str) -> int:
    """Report the error to the person who must act, and as JSON to a program that asked for it."""
    print(f"error: {error}", file=sys.stderr)
    if output == "json":
        plain = {
            "type": type(error).__name__,
            "message": error.message,
            "subject": error.subject,
            "remedy": error.remedy,
            "exit_code": error.exit_code,
        }
        print(json.dumps({"error": plain}, indent=2))
    return error.exit_code


def _output_of(words: Sequence[str]) -> str:
    """Return the form that a command line asks for that does not parse: a program may read it all the same."""
    return "json" if "json" in words or "--output=json" in words else "text"


class _Parser(argparse.ArgumentParser):
    """Report a wrong command line as every other error is reported."""

    def error(self, message: str) -> NoReturn:
        raise RequestError(message, subject=self.prog, remedy=f"see {self.prog} --help")


def _parser(verbs: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = _Parser("pluginyard", description="Publish Wasm gateway plugins as proven OCI artifacts")
    added = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, verb in verbs.items():
        command: argparse.ArgumentParser = added.add_parser(name, help=verb.HELP, description=verb.HELP)
        command.add_argument("--output", choices=("text", "json"), default="text", help="default: text")
        verb.add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
