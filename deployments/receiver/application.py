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
from collections.abc import Mapping, Sequence

import uvicorn
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import JSONResponse
from prefect.settings import PREFECT_API_URL
from starlette.requests import ClientDisconnect

from deployments.receiver.runs import Runs
from deployments.receiver.slow_clients import limit_waiting
from deployments.receiver.trusted import Trusted, read_file
from pluginyard.errors import ConfigurationError, PluginyardError
from pluginyard.printable import printable
from pluginyard.settings import ReceiverSettings, load_receiver_settings
from pluginyard.webhooks import (
    DELIVERY,
    EVENT,
    Delivery,
    IgnoredDelivery,
    Receipts,
    RefusedDelivery,
    TokenBuckets,
    judge_delivery,
)

MOST_WAITING = 256
MOST_AT_WORK = 256
_LONGEST_ADDRESS = 64
_log = logging.getLogger(__name__)


def _show(record: logging.LogRecord) -> bool:
    """Let the log show what a delivery holds, not obey it."""
    record.msg, record.args = printable(record.getMessage()), None
    return True


_log.addFilter(_show)


def create_receiver(settings: ReceiverSettings) -> FastAPI:
    """Create the application; it asks the Prefect server that PREFECT_API_URL names."""
    receiver = _Receiver(settings)
    application = FastAPI(
        title="pluginyard receiver", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )

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
        self._settings, self._trusted = settings, Trusted(settings.repositories, os.environ)
        self._runs = Runs(settings.deployment, settings.seconds)
        self._strangers = TokenBuckets(settings.rate, settings.burst)
        self._signed = TokenBuckets(settings.rate, settings.burst)
        self._receipts = Receipts()

    async def receive(self, request: Request, later: BackgroundTasks) -> JSONResponse:
        """Answer one request.

        Only what was judged is counted: for the repository whose secret signed it, else for the client's address.
        So strangers use up nothing of GitHub's, even where all come from the address of one proxy.
        """
        client = request.client.host[:_LONGEST_ADDRESS] if request.client else ""
        headers = _headers(request)
        judged = await self._judge(request, headers)
        if isinstance(judged, Delivery):
            if self._receipts.take(judged.id, judged.content, time.monotonic()):
                return await self._start(judged, client, later)
            judged = RefusedDelivery(409, f"delivery {judged.id} is a replay", judged.repository)
        buckets = self._signed if judged.repository else self._strangers
        if wait := buckets.take(judged.repository.lower() or client, time.monotonic()):
            return _refuse_for(wait, client)
        if isinstance(judged, RefusedDelivery):
            return _refuse(judged, client)
        _log.info("ignored: %s, delivery %s: %s", headers[EVENT], headers[DELIVERY], judged.reason)
        return JSONResponse({"status": "ignored", "reason": judged.reason})

    async def _judge(
        self, request: Request, headers: Mapping[str, str]
    ) -> Delivery | IgnoredDelivery | RefusedDelivery:
        body = await _read_body(request, headers, self._settings)
        return body if isinstance(body, RefusedDelivery) else judge_delivery(headers, body, self._trusted.current())

    async def _start(self, delivery: Delivery, client: str, later: BackgroundTasks) -> JSONResponse:
        """Start the run, and answer once the server has stored it."""
        if wait := self._signed.take(f"{delivery.repository.lower()} runs", time.monotonic()):
            self._receipts.forget(delivery.id, delivery.content)
            return _refuse_for(wait, client)
        try:
            run = await self._runs.start(delivery)
        except Exception as error:  # whatever it is, the delivery is not stored, and GitHub must know
            self._receipts.forget(delivery.id, delivery.content)
            reason = f"delivery {delivery.id} started no run: {type(error).__name__}: {error}"
            return _refuse(RefusedDelivery(503, reason), client, {"Retry-After": "60"})
        status = "started" if run.is_new else "known"
        _log.info("%s: %s of %s, delivery %s, run %s", status, delivery.title, delivery.repository, delivery.id, run.id)
        later.add_task(self._runs.tell, delivery, run)
        return JSONResponse({"status": status, "flow_run": str(run.id)}, 202, background=later)


async def _read_body(
    request: Request, headers: Mapping[str, str], settings: ReceiverSettings
) -> bytes | RefusedDelivery:
    """Return the body; refuse it as soon as it is too large, whatever its Content-Length says."""
    declared, body = headers.get("content-length", ""), bytearray()
    if declared.isdecimal() and int(declared) > settings.max_bytes:
        return RefusedDelivery(413, f"a body of {declared} bytes")
    try:
        async with asyncio.timeout(settings.request_seconds):
            async for part in request.stream():
                body += part
                if len(body) > settings.max_bytes:
                    return RefusedDelivery(413, f"a body of more than {settings.max_bytes} bytes")
    except TimeoutError:
        return RefusedDelivery(408, f"the body took more than {settings.request_seconds:g} s")
    except ClientDisconnect:
        return RefusedDelivery(400, "the client went away")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return RefusedDelivery(415, "the webhook's content type is not application/json")
    return bytes(body)


def _headers(request: Request) -> dict[str, str]:
    """Return the headers by lower-case name; one that is there twice is neither of the two."""
    found: dict[str, list[str]] = {}
    for name, value in request.headers.items():  # once: there may be ten thousand
        found.setdefault(name, []).append(value)
    return {name: ", ".join(values) for name, values in found.items()}


def _refuse(refusal: RefusedDelivery, client: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer so little that a stranger learns nothing; the log says why."""
    _log.warning("refused %d from %s: %s", refusal.status, client, refusal.reason)
    told = {"status": "refused", "reason": refusal.reason} if refusal.signed else {"status": "refused"}
    return JSONResponse(told, refusal.status, headers)


def _refuse_for(seconds: float, client: str) -> JSONResponse:
    return _refuse(RefusedDelivery(429, "too many requests"), client, {"Retry-After": str(int(seconds) + 1)})


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit code of the first setting that does not fit."""
    parser = argparse.ArgumentParser("python -m deployments.receiver", description="Receive GitHub's webhooks")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=4300)
    parser.add_argument("--trust-proxy", metavar="ADDRESS", help="what PLUGINYARD_RECEIVER_TRUST_PROXY says else")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = _settings(arguments.trust_proxy)
    except PluginyardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    uvicorn.run(
        create_receiver(settings),
        host=arguments.host,
        port=arguments.port,
        http=limit_waiting(settings.request_seconds, MOST_WAITING),
        ws="none",
        proxy_headers=bool(settings.trust_proxy),
        forwarded_allow_ips=settings.trust_proxy or None,
        limit_concurrency=MOST_WAITING + MOST_AT_WORK,
        server_header=False,
        # A connection that is kept closes some time, perhaps just as a proxy sends the next delivery on it.
        headers=[("Connection", "close")],
        access_log=False,  # what matters is logged here; strangers could fill the disk with their paths
        log_config=None,
    )
    return 0


def _settings(trust_proxy: str | None) -> ReceiverSettings:
    if not PREFECT_API_URL.value():
        raise ConfigurationError(
            "no Prefect server is named", subject="PREFECT_API_URL", remedy="set it, as http://127.0.0.1:4200/api"
        )
    typed = {"PLUGINYARD_RECEIVER_TRUST_PROXY": trust_proxy} if trust_proxy else {}
    return load_receiver_settings({**os.environ, **typed}, read_file)
