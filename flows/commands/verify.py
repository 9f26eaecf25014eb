"""`pluginyard verify`: do the required gateways load an artifact? The exit code says it too."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from flows.commands import add_reference_arguments, inspect
from pluginyard.gateways import HIGRESS, HOSTS

PLACE = 3
HELP = "pull an artifact and say whether gateways load it"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_reference_arguments(parser)
    parser.add_argument(
        "--gateway",
        dest="gateways",
        action="append",
        choices=tuple(HOSTS),
        help="gateway that must load it (repeatable; default: higress)",
    )


def run(arguments: Namespace) -> dict[str, Any]:
    """Return what `inspect` does, and as `ok` whether the required gateways load the artifact."""
    found, verdict = inspect.inspect_artifact(arguments.reference, plain_http=arguments.plain_http)
    return {**found, "ok": all(verdict.loads(gateway) for gateway in arguments.gateways or (HIGRESS.name,))}


def render(result: Mapping[str, Any]) -> str:
    """Return the verification for a terminal."""
    said = "ok: the required gateways load it" if result["ok"] else "NOT ok: a required gateway refuses it"
    return f"{inspect.render(result)}\n{said}"
