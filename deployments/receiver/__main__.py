"""The receiver of webhooks: `python -m deployments.receiver --host 127.0.0.1 --port 4300`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

import uvicorn
from prefect.settings import PREFECT_API_URL

from deployments.receiver.application import create_receiver
from deployments.receiver.log import EscapedFormatter
from deployments.receiver.secrets_file import SecretsFile
from pluginyard.errors import ConfigurationError, PluginyardError
from pluginyard.settings import find_ignored, load_receiver_settings
from pluginyard.webhooks import FORGES, choose_forges

MOST_CONNECTIONS = 512
_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit code of the first setting that does not fit."""
    parser = argparse.ArgumentParser("python -m deployments.receiver", description="Receive GitHub's webhooks")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=4300)
    parser.add_argument("--trust-proxy", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    _set_up_log()
    try:
        if not PREFECT_API_URL.value():
            raise ConfigurationError(
                "no Prefect server is named", subject="PREFECT_API_URL", remedy="set it, as http://127.0.0.1:4200/api"
            )
        files = [SecretsFile(forge, os.environ) for forge in choose_forges(os.environ) or FORGES[:1]]
        settings = load_receiver_settings(os.environ)
    except PluginyardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    ignored = find_ignored(os.environ) + (["--trust-proxy"] if arguments.trust_proxy else [])
    if ignored:
        _log.warning("%s: ignored, the proxy in front holds these limits (docs/receiver.md)", ", ".join(ignored))
    uvicorn.run(
        create_receiver(settings, files),
        host=arguments.host,
        port=arguments.port,
        http="h11",
        ws="none",
        limit_concurrency=MOST_CONNECTIONS,
        server_header=False,
        # A connection that is kept closes some time, perhaps just as a proxy sends the next delivery on it.
        headers=[("Connection", "close")],
        access_log=False,  # what matters is logged here; the proxy has the rest
        log_config=None,
    )
    return 0


def _set_up_log() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(EscapedFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
