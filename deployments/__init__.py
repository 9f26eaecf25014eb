"""Place: where flows run, and what starts them; no decisions."""

import os

# Before Prefect is imported, which would send telemetry of its own from a terminal.
os.environ["DO_NOT_TRACK"] = os.environ.get("DO_NOT_TRACK") or "1"
