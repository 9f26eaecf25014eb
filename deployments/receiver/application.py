"""The web application of the receiver: `POST /github`, and one path for each other forge of the table.

It answers 202 once the run is stored by the Prefect server, 200 where a signed delivery starts nothing, 503 where no
run could be stored, so that the forge shows it and can send it again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from deployments.receiver.accepted_deliveries import AcceptedDeliveries
from deployments.receiver.runs import emit_event, start_run
from deployments.receiver.secrets_file import SecretsFile
from pluginyard.settings import ReceiverSettings
from pluginyard.webhooks import Delivery, RefusedDelivery, judge_delivery

_LONGEST_ADDRESS = 64
_log = logging.getLogger(__name__)


def create_receiver(settings: ReceiverSettings, files: Sequence[SecretsFile]) -> FastAPI:
    """Create the application, with a path for the forge of each file; its runs start at PREFECT_API_URL."""
    application = FastAPI(
        title="pluginyard receiver", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    for file in files:
        application.post(f"/{file.forge.name}")(_Receiver(settings, file).receive)

    @application.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return application


class _Receiver:
    """Judge each delivery of a forge, and act on the verdict."""

    def __init__(self, settings: ReceiverSettings, file: SecretsFile) -> None:
        self._settings, self._file = settings, file
        self._accepted = AcceptedDeliveries()

    async def receive(self, request: Request, later: BackgroundTasks) -> JSONResponse:
        """Answer one request."""
        client = request.client.host[:_LONGEST_ADDRESS] if request.client else ""
        headers, forge = _headers(request), self._file.forge
        body = await _read_body(request, headers, self._settings.max_bytes)
        if isinstance(body, RefusedDelivery):
            return _refuse(body, client)
        judged = judge_delivery(forge, headers, body, self._file.repositories())
        if isinstance(judged, RefusedDelivery):
            return _refuse(judged, client)
        if isinstance(judged, Delivery):
            return await self._start(judged, client, later)
        event, delivery = headers[forge.event_header], headers[forge.delivery_header]
        _log.info("ignored: %s, delivery %s: %s", event, delivery, judged.reason)
        return JSONResponse({"status": "ignored", "reason": judged.reason})

    async def _start(self, delivery: Delivery, client: str, later: BackgroundTasks) -> JSONResponse:
        """Start the run, and answer once the server has stored it."""
        if not self._accepted.accept(delivery, time.monotonic()):
            return _refuse(RefusedDelivery(409, f"delivery {delivery.id} is a replay", delivery.repository), client)
        try:
            run = await start_run(self._settings.deployment, delivery, self._settings.seconds)
        except Exception as error:  # whatever it is, the delivery is not stored, and the forge must know
            self._accepted.forget(delivery)
            reason = f"delivery {delivery.id} started no run: {type(error).__name__}: {error}"
            return _refuse(RefusedDelivery(503, reason), client, {"Retry-After": "60"})
        status, title = "started" if run.is_new else "known", delivery.request.title
        _log.info("%s: %s of %s, delivery %s, run %s", status, title, delivery.repository, delivery.id, run.id)
        later.add_task(emit_event, delivery, run)
        return JSONResponse({"status": status, "flow_run": str(run.id)}, 202, background=later)


async def _read_body(request: Request, headers: Mapping[str, str], most: int) -> bytes | RefusedDelivery:
    """Return the body; refuse it as soon as it is too large, whatever its Content-Length says."""
    declared, body = headers.get("content-length", ""), bytearray()
    if declared.isdecimal() and int(declared) > most:
        return RefusedDelivery(413, f"a body of {declared} bytes")
    try:
        async for part in request.stream():
            body += part
            if len(body) > most:
                return RefusedDelivery(413, f"a body of more than {most} bytes")
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
    """Answer with the status alone where the sender knows no secret; the log says why."""
    _log.warning("refused %d from %s: %s", refusal.status, client, refusal.reason)
    shown = {"status": "refused", "reason": refusal.reason} if refusal.signed else {"status": "refused"}
    return JSONResponse(shown, refusal.status, headers)
