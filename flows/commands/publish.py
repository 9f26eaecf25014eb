"""`pluginyard publish`: run the flow `publish-plugin` here."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from flows.commands import add_release_arguments, request_from
from flows.machine import find_machine
from pluginyard.reports import render_text

PLACE = 1
HELP = "build a plugin, push it, verify it"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_release_arguments(parser)
    parser.add_argument("--overwrite", action="store_true", help="move the version's tag to other content")
    parser.add_argument("--run-in-envoy", action="store_true", help="load what was published in a real Envoy")


def run(arguments: Namespace) -> dict[str, Any]:
    """Run the flow and return its result; what is wrong with request or settings is refused before Prefect starts."""
    request = request_from(arguments)
    find_machine()
    from flows.history import recorded_runs

    with recorded_runs() as history:
        print(history, file=sys.stderr)
        from flows.publish_plugin import publish_plugin

        return publish_plugin(request)


def render(result: Mapping[str, Any]) -> str:
    """Return the report for a terminal."""
    return render_text(result)
