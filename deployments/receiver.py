"""The receiver of GitHub's webhooks: `python -m deployments.receiver --host 127.0.0.1 --port 4300`.

`POST /github` answers 202 once the run is stored by the Prefect server, 200 where a signed delivery starts
nothing, 503 where no run could be stored, so that GitHub shows it and can send it again.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import JSONResponse
from prefect.settings import PREFECT_API_URL
from starlette.requests import ClientDisconnect

from deployments.runs import Runs
from pluginyard.admission import Receipts, TokenBuckets
from pluginyard.deliveries import DELIVERY, EVENT, Delivery, Ignored, Refusal, judge_delivery
from pluginyard.errors import ConfigurationError, PluginyardError
from pluginyard.receiver_settings import ReceiverSettings, load_receiver_settings

BODY_SECONDS = 10
MOST_CONNECTIONS = 256
_log = logging.getLogger(__name__)


def create_receiver(settings: ReceiverSettings) -> FastAPI:
    """Create the application; it asks the Prefect server that PREFECT_API_URL names."""
    receiver = _Receiver(settings)
    application = FastAPI(title="pluginyard receiver", docs_url=None, redoc_url=None, openapi_url=None)

    @application.post("/github")
    async def github(request: Request, later: BackgroundTasks) -> JSONResponse:
        return await receiver.receive(request, later)

    @application.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return application


class _Receiver:
    """Hand each delivery to the judge, and act on the verdict."""

    def __init__(self, settings: ReceiverSettings) -> None:
        self._settings = settings
        self._runs = Runs(settings.deployment, settings.seconds)
        self._buckets = TokenBuckets(settings.rate, settings.burst)
        self._receipts = Receipts()

    async def receive(self, request: Request, later: BackgroundTasks) -> JSONResponse:
        """Answer one request."""
        client = request.client.host if request.client else ""
        if wait := self._buckets.take(client, time.monotonic()):
            return _refuse(Refusal(429, "too many requests"), client, {"Retry-After": str(int(wait) + 1)})
        body = await _read_body(request, self._settings.max_bytes)
        if isinstance(body, Refusal):
            return _refuse(body, client, {"Connection": "close"})
        headers = _headers(request)
        judged = judge_delivery(headers, body, self._settings.repositories)
        if isinstance(judged, Refusal):
            return _refuse(judged, client)
        if isinstance(judged, Ignored):
            _log.info("ignored: %s, delivery %s: %s", headers[EVENT], headers[DELIVERY], judged.reason)
            return JSONResponse({"status": "ignored", "reason": judged.reason})
        return await self._start(judged, client, later)

    async def _start(self, delivery: Delivery, client: str, later: BackgroundTasks) -> JSONResponse:
        """Start the run, and answer once the server has stored it."""
        if not self._receipts.take(delivery.id, delivery.content, time.monotonic()):
            return _refuse(Refusal(409, f"delivery {delivery.id} is a replay", signed=True), client)
        try:
            run = await self._runs.start(delivery)
        except Exception as error:  # whatever it is, the delivery is not stored, and GitHub must know
            self._receipts.forget(delivery.id, delivery.content)
            reason = f"delivery {delivery.id} started no run: {type(error).__name__}: {error}"
            return _refuse(Refusal(503, reason), client, {"Retry-After": "60"})
        status = "started" if run.is_new else "known"
        _log.info("%s: %s of %s, delivery %s, run %s", status, delivery.title, delivery.repository, delivery.id, run.id)
        later.add_task(self._runs.tell, delivery, run)
        return JSONResponse({"status": status, "flow_run": str(run.id)}, 202, background=later)


async def _read_body(request: Request, most: int) -> bytes | Refusal:
    """Return the body; refuse it as soon as it is too large, whatever its Content-Length says."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return Refusal(415, "the webhook's content type is not application/json", signed=True)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        return Refusal(413, f"a body of {declared} bytes", signed=False)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    return Refusal(413, f"a body of more than {most} bytes")
    except TimeoutError:
        return Refusal(408, f"the body took more than {BODY_SECONDS} s")
    except ClientDisconnect:
        return Refusal(400, "the client went away")
    return bytes(body)


def _headers(request: Request) -> dict[str, str]:
    """Return the headers by lower-case name; one that is there twice is neither of the two."""
    return {name: ", ".join(request.headers.getlist(name)) for name in request.headers}


def _refuse(refusal: Refusal, client: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer so little that a stranger learns nothing; the log says why."""
    _log.warning("refused %d from %s: %s", refusal.status, client, refusal.reason)
    told = {"status": "refused", "reason": refusal.reason} if refusal.signed else {"status": "refused"}
    return JSONResponse(told, refusal.status, headers)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit code of the first setting that does not fit."""
    parser = argparse.ArgumentParser("python -m deployments.receiver", description="Receive GitHub's webhooks")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=4300)
    parser.add_argument("--trust-proxy", metavar="ADDRESS", help="reverse proxy whose X-Forwarded-For names the client")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        application = create_receiver(_settings())
    except PluginyardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    uvicorn.run(
        application,
        host=arguments.host,
        port=arguments.port,
        proxy_headers=arguments.trust_proxy is not None,
        forwarded_allow_ips=arguments.trust_proxy,
        limit_concurrency=MOST_CONNECTIONS,
        server_header=False,
        log_config=None,
    )
    return 0


def _settings() -> ReceiverSettings:
    if not PREFECT_API_URL.value():
        raise ConfigurationError(
            "no Prefect server is named", subject="PREFECT_API_URL", remedy="set it, as http://127.0.0.1:4200/api"
        )
    return load_receiver_settings(os.environ, _read_file)


def _read_file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"cannot be read: {error.strerror}", subject=path, remedy="check PLUGINYARD_GITHUB_SECRETS_FILE"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
