"""`make demo`: publish an example plugin into an OCI layout folder, and show what gateways will say.

Everything it makes is in `.demo/`; PLUGINYARD_REGISTRIES sends it to a real registry instead.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tasks.doors.gateways import find_envoy
from tests.machine.example_repository import make_repository

DEMO = Path(__file__).parents[1] / ".demo"
TAG = "wasm-go-request-block-v1.0.0"


def main() -> int:
    """Run the demo; return the exit code of the first command that fails."""
    repository = make_repository(DEMO / "repository")
    registry = os.environ.get("PLUGINYARD_REGISTRIES") or f"oci:{DEMO / 'registry'}"
    say(f"An example plugin repository, with the tag {TAG}: {repository}")
    destinations = [word for place in registry.split(",") for word in ("--registry", place)]
    probing = ["--run-in-envoy"] if os.environ.get("PLUGINYARD_ENVOY") or find_envoy() else []
    published = pluginyard("publish", "--repository", str(repository), "--tag", TAG, *probing, *destinations)
    if published is None:
        return 1
    reference, builder = published["reference"], published["builder"]
    if builder.endswith("host)"):
        say(f"No container engine answers here, so this machine's own toolchain built it: {builder}")
    state = "Published" if published["published"] else "Was published already"
    say(f"{state}: {reference}\n  digest  {published['digest']}\n  commit  {published['commit']}")
    probe = published["probe"] or {"summary": "not run, for none is on this machine (PLUGINYARD_ENVOY names one)"}
    say(f"In a real Envoy: {probe['summary']}")
    say("Pulled back and judged, as a stranger would (pluginyard verify):")
    done = subprocess.run([sys.executable, "-m", "flows", "verify", reference], check=False)
    say(
        f"The run's history: {sys.prefix}/bin/prefect server start, then http://127.0.0.1:4200/runs\n"
        f"  (with PREFECT_HOME={os.environ.get('PREFECT_HOME', '~/.prefect')})\n"
        f"Look inside:       {sys.prefix}/bin/pluginyard inspect {reference}"
    )
    return done.returncode


def pluginyard(*arguments: str) -> dict[str, object] | None:
    """Run a command with JSON output; return what it printed, or None where it failed."""
    say(f"pluginyard {' '.join(arguments)}")
    command = [sys.executable, "-m", "flows", *arguments, "--output", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def say(text: str) -> None:
    """Print a paragraph at once, before what the next command prints."""
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
