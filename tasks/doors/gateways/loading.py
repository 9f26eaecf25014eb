"""Let a real Envoy load one module and send it a probe's requests."""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pluginyard.errors import GatewayError
from pluginyard.gateways import Answer, Exchange, Probe, ProbeResult, find_crashes, reason_of_refusal, render_bootstrap
from tasks.doors.gateways.envoy import Envoy, RunningEnvoy, start_envoy
from tasks.doors.gateways.upstream import serve_upstream

_EXCHANGE_SECONDS = 10.0
_BODY_BOUND = 64 * 1024


def load_in_envoy(
    envoy: Envoy,
    module: Path,
    probe: Probe,
    *,
    seconds: float = 60,
    log: Callable[[str], None],
    workdir: Path,
    name: str = "plugin",
) -> ProbeResult:
    """Start `envoy` with `module` between loopback ports, send the exchanges of `probe`, end it again.

    A module that Envoy refuses is a result (`loaded` is False, `reason` in Envoy's own words), and so is one that
    dies later (`crashes`). GatewayError is raised where there is none: Envoy cannot be started, breaks, or is not done
    within `seconds`. `workdir` gets a folder for the time of the call; Envoy is gone on every path.
    """
    deadline = time.monotonic() + seconds
    module = module.resolve()
    if not module.is_file():
        raise GatewayError("the module is not a file", subject=str(module), remedy="build or pull it first")
    with (
        tempfile.TemporaryDirectory(dir=workdir, prefix="envoy-") as folder,
        serve_upstream() as upstream_port,
    ):
        bootstrap = Path(folder) / "bootstrap.json"
        text = render_bootstrap(module, probe.configuration, upstream_port=upstream_port, name=name)
        bootstrap.write_text(text, encoding="utf-8")
        with start_envoy(envoy, bootstrap, Path(folder), log) as running:
            result = _probe(running, envoy, probe, deadline, seconds, module)
            gone = running.process.poll() is not None
        return replace(result, crashes=_crashes(running, envoy, gone=gone)) if result.loaded else result


def _probe(
    running: RunningEnvoy, envoy: Envoy, probe: Probe, deadline: float, seconds: float, module: Path
) -> ProbeResult:
    started = time.monotonic()
    try:
        port = running.wait_until_ready(deadline)
    except TimeoutError as error:
        raise _late(envoy, module, f"was not ready within {seconds:g} s", running) from error
    ready_seconds = time.monotonic() - started
    if port is None:
        return ProbeResult(envoy.version, False, _refusal(running, envoy, module), (), ready_seconds)
    answers = []
    for each in probe.exchanges:
        if time.monotonic() > deadline:
            raise _late(envoy, module, f"did not answer all requests within {seconds:g} s", running)
        answers.append(_exchange(port, each, min(_EXCHANGE_SECONDS, deadline - time.monotonic())))
    return ProbeResult(envoy.version, True, "", tuple(answers), ready_seconds)


def _crashes(running: RunningEnvoy, envoy: Envoy, *, gone: bool) -> tuple[str, ...]:
    """Return what died: of the ended Envoy the whole log is known."""
    crashes = find_crashes(running.log.text())
    return (*crashes, f"Envoy {envoy.version} {_ending(running)}") if gone else crashes


def _exchange(port: int, exchange: Exchange, seconds: float) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=max(seconds, 0.01))
    try:
        body = exchange.body.encode() or None
        connection.request(exchange.method, exchange.path, body, dict(exchange.headers))
        response = connection.getresponse()
        headers = tuple((key.lower(), value) for key, value in response.getheaders())
        return Answer(response.status, headers, response.read(_BODY_BOUND).decode("utf-8", "replace"))
    except TimeoutError:
        return Answer(failure=f"no answer within {seconds:.0f} s")
    except (OSError, http.client.HTTPException) as error:
        return Answer(failure=f"no answer: {type(error).__name__} {error}".rstrip())
    finally:
        connection.close()


def _refusal(running: RunningEnvoy, envoy: Envoy, module: Path) -> str:
    running.log.finish()
    text = running.log.text()
    if reason := reason_of_refusal(text):
        return reason
    last = text.strip().rpartition("\n")[2][:500]
    raise GatewayError(
        f"Envoy {envoy.version} {_ending(running)} before it served, not for the module: {last}",
        subject=str(module),
        remedy=f"start {envoy.path} by hand; its log is in the run's log",
    )


def _ending(running: RunningEnvoy) -> str:
    code = running.process.returncode
    return f"ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _late(envoy: Envoy, module: Path, what: str, running: RunningEnvoy) -> GatewayError:
    last = running.log.text().strip().rpartition("\n")[2][:300]
    return GatewayError(
        f"Envoy {envoy.version} {what}" + (f"; it last said: {last}" if last else ""),
        subject=str(module),
        remedy="allow more time on a busy machine; else look for an endless loop in the plugin",
    )
