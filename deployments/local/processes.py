"""Processes that outlive the command that starts them: each its own session, known by a file, ended by its id."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A worker lets its runs end before that, a server writes what it has not written yet.
GRACE_SECONDS = 30


@dataclass(frozen=True)
class Process:
    """Name a process of `folder`; whether it runs is asked of the system each time."""

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """Return the file its output goes to."""
        return self.folder / "log" / f"{self.name}.log"

    @property
    def file(self) -> Path:
        """Return the file that says which process it is."""
        return self.folder / "run" / f"{self.name}.json"

    @property
    def pid(self) -> int:
        """Return its id while it runs, else 0. An id that another process has by now is not ours."""
        try:
            known = json.loads(self.file.read_text())
            pid, started = int(known["pid"]), str(known["started"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        return pid if started and _started(pid) == started else 0

    @property
    def command(self) -> list[str]:
        """Return the command it was started with; empty where it is not known."""
        try:
            return [str(word) for word in json.loads(self.file.read_text())["command"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Start `command` in a session of its own, with its output in the log; return its id."""
        for path in (self.log, self.file):
            path.parent.mkdir(parents=True, exist_ok=True)
        # Started behind `&` in a script we would ignore SIGINT, and hand that on: a worker could not be ended properly.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with self.log.open("ab") as log:
            process = subprocess.Popen(  # our own commands, no shell
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=dict(environment),
                start_new_session=True,
            )
        known = {"pid": process.pid, "started": _started(process.pid), "command": list(command)}
        self.file.write_text(json.dumps(known))
        return process.pid

    def stop(self) -> bool:
        """End it and what it started, wait until they are gone, and return whether it ran.

        SIGINT to the process itself, then SIGTERM and SIGKILL to its session.
        """
        pid = self.pid
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            if not self._is_gone(pid, GRACE_SECONDS):
                _signal_group(pid, signal.SIGTERM)
                self._is_gone(pid, GRACE_SECONDS)
            _signal_group(pid, signal.SIGKILL)  # whatever is left of its session
            self._is_gone(pid, GRACE_SECONDS)
        self.file.unlink(missing_ok=True)
        return bool(pid)

    def tail(self, lines: int = 15) -> str:
        """Return the end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def _is_gone(self, pid: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if not _started(pid):
                return True
            time.sleep(0.1)
        return False


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _started(pid: int) -> str:
    """Return when the process started, in words of the system; empty for none, and for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
        asked = ["ps", "-o", "lstart=", "-p", str(pid)]
        # S603: our own command, as a list, without a shell.
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return "" if fields[0] in "ZX" else fields[19]
