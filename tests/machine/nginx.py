"""nginx as shipped for the receiver: only ports, certificate and the trusted proxy differ."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.machine.certificates import make_certificate
from tests.machine.debian import MissingPackageError, ensure_debian_package
from tests.machine.host_toolchains import miss
from tests.machine.loopback import free_port
from tests.machine.receivers import RunningReceiver

SHIPPED = Path(__file__).parents[2] / "deployments" / "receiver" / "nginx.conf"
OTHER_PROXY = "127.0.0.9"
"""Whose X-Forwarded-For counts."""
MOST_CONNECTIONS = 256
_MAIN = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections {most}; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/receiver.conf;
}}
"""


@contextlib.contextmanager
def run_nginx(folder: Path, receiver: RunningReceiver) -> Iterator[RunningReceiver]:
    """Run nginx in front of `receiver` until the block is left; give where it listens, with TLS."""
    try:
        program = ensure_debian_package("nginx", "nginx")
    except MissingPackageError as error:
        miss(str(error))
    certificate, key, _ = make_certificate(folder)
    port = free_port()
    changes = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "listen [::]:443 ssl;": "",
        "/etc/ssl/certs/receiver.pem": str(certificate),
        "/etc/ssl/private/receiver.key": str(key),
        "127.0.0.1:4300": f"127.0.0.1:{receiver.port}",
        "# set_real_ip_from 10.0.0.0/8;": f"set_real_ip_from {OTHER_PROXY};",
        "# real_ip_header": "real_ip_header",
    }
    text = SHIPPED.read_text()
    for shipped, ours in changes.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, ours)
    (folder / "receiver.conf").write_text(text)
    user = "user root;" if folder.stat().st_uid == 0 else ""  # its folder is nobody else's
    main = folder / "nginx.conf"
    main.write_text(_MAIN.format(folder=folder, user=user, most=MOST_CONNECTIONS))
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(main)]
    trusted = ssl.create_default_context(cafile=str(certificate))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        proxy = RunningReceiver(port, folder / "error.log", trusted)
        _await(process, proxy)
        yield proxy
    finally:
        process.terminate()
        process.wait(timeout=15)


def _await(process: subprocess.Popen[bytes], proxy: RunningReceiver) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), proxy.connect():
            return
        time.sleep(0.05)
    raise RuntimeError(f"nginx did not start:\n{proxy.log.read_text()[-2000:]}")
