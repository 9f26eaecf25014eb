"""requirements/install.sh where uv does not do it; that it does it elsewhere, every other test shows."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import subprocess
import threading
import venv
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "requirements" / "install.sh"


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def make_wheel(folder: Path, version: str) -> tuple[Path, str]:
    """Write a wheel of the package `tiny` into `folder`; return it and the line that locks it."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"tiny-{version}-py3-none-any.whl"
    about = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", f"version = {version!r}\n")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", f"tiny.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    return wheel, f"tiny=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@contextlib.contextmanager
def serve_index(folder: Path) -> Iterator[str]:
    serve = functools.partial(Handler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def python(tmp_path: Path) -> Path:
    venv.create(tmp_path / "environment", with_pip=True, symlinks=True)
    return tmp_path / "environment" / "bin" / "python"


def install(python: Path, line: str, **settings: str) -> subprocess.CompletedProcess[str]:
    folder = python.parents[2]
    lock = folder / "a.lock"
    lock.write_text(line)
    left = folder / "left"
    left.mkdir(exist_ok=True)
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    command = [INSTALL, os.path.relpath(python, folder), lock]
    environment = {**plain, "TMPDIR": str(left), **settings}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert not list(left.iterdir())
    return done


def installed(python: Path) -> str:
    """Return the version of `tiny` that is installed, or nothing."""
    shown = [python, "-c", "import tiny; print(tiny.version)"]
    return subprocess.run(shown, capture_output=True, text=True, check=False).stdout.strip()


def test_pip_installs_what_uv_cannot(python: Path, tmp_path: Path) -> None:
    _, line = make_wheel(tmp_path / "index" / "tiny", "1.0")
    with serve_index(tmp_path / "index") as index:  # which has no uv
        wrong = install(python, line.replace("sha256:", "sha256:" + "0" * 8)[:-9], PIP_INDEX_URL=index)
        assert wrong.returncode != 0
        assert "DO NOT MATCH THE HASHES" in wrong.stderr
        assert installed(python) == ""
        done = install(python, line, PIP_INDEX_URL=index)
    assert done.returncode == 0, done.stderr
    assert installed(python) == "1.0"

    wheel, line = make_wheel(tmp_path / "wheels", "1.1")
    done = install(python, line, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheel.parent))
    assert (done.returncode, done.stderr) == (0, ""), "nobody is asked for uv where there is no index"
    assert installed(python) == "1.1"
