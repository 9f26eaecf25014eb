"""Make a Prefect server ready: `python -m deployments.register`. Safe to repeat; it changes what differs.

Block types, the work pool, the limits of the site, the automations of automations.yaml; the notification if
PLUGINYARD_NOTIFY_URL is set, and away with it if that is empty. `--site FILE` stores a site's settings for all
workers, `--credentials NAME` the user and password of REGISTRY_USERNAME and REGISTRY_PASSWORD as a block, `--deploy`
makes the deployments.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from deployments.register.automations import register_automations
from deployments.register.blocks import register_block_type, store_credentials
from deployments.register.deploy import deploy
from deployments.register.pool_templates import TYPES
from deployments.register.site import register_limits, store_site
from deployments.register.work_pool import register_pool
from pluginyard.errors import ConfigurationError, PluginyardError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser("python -m deployments.register", description="Make a Prefect server ready")
    parser.add_argument("--work-pool", choices=TYPES, default="process", help="type of the workers (default: process)")
    parser.add_argument("--site", type=Path, metavar="FILE", help="store these settings (YAML or JSON) for all workers")
    parser.add_argument("--keep", action="store_true", help="with --site: only if the server has no settings yet")
    parser.add_argument("--credentials", metavar="NAME", help="store user and password of the environment as a block")
    parser.add_argument("--host", default="", help="registry that the credentials are for; default: every one")
    parser.add_argument("--deploy", action="store_true", help="make the deployments of prefect.yaml if they changed")
    try:
        lines = _register(parser.parse_args(argv))
    except PluginyardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join(lines))
    return 0


def _register(arguments: argparse.Namespace) -> list[str]:
    """Register everything that flow runs and deployments need; return a line for each part."""
    if not PREFECT_API_URL.value():
        raise ConfigurationError(
            "no Prefect server is named", subject="PREFECT_API_URL", remedy="set it, as http://127.0.0.1:4200/api"
        )
    lines = [store_site(arguments.site, keep=arguments.keep)] if arguments.site else []
    lines.append(register_block_type())
    with get_client(sync_client=True) as client:
        lines.append(register_pool(client, arguments.work_pool))
        lines.append(register_limits(client, os.environ))
        lines += register_automations(client, os.environ)
        if arguments.credentials:
            lines.append(store_credentials(arguments.credentials, arguments.host, os.environ))
        if arguments.deploy:
            lines.append(deploy(client))
    return lines


if __name__ == "__main__":
    sys.exit(main())
