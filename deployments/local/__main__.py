"""Everything on one machine: `python -m deployments.local` (`make up`), `… down` (`make down`), `… status`.

What it keeps is in .make/up (PLUGINYARD_STATE), and is there again after a restart.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from deployments.local.services import describe, prepare_builder, start_services, stop_services
from deployments.local.settings import find_settings, find_state
from pluginyard.errors import PluginyardError
from pluginyard.settings import LOOPBACK


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser("python -m deployments.local", description="Run everything on this machine")
    parser.add_argument("command", nargs="?", choices=("up", "down", "status"), default="up")
    command = parser.parse_args(argv).command
    try:
        if command == "down":
            state = find_state(os.environ)
            ended = ", ".join(stop_services(state, os.environ)) or "nothing ran"
            print(f"ended: {ended}; what it kept is in {state}")
            return 0
        settings = find_settings(os.environ)
        if command == "up":
            start_services(settings)
    except PluginyardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(describe(settings), flush=True)
    if command == "up" and settings.host not in LOOPBACK:
        print("  it listens beyond this machine, without TLS: put a reverse proxy with TLS in front")
    if command == "up" and settings.given.get("PLUGINYARD_ENGINE") != "host":
        prepare_builder(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
