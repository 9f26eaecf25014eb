"""What people read."""

from __future__ import annotations

from pluginyard.reports.drift import render_drift
from pluginyard.reports.release import render_markdown, render_text, render_verdict_text

__all__ = ["render_drift", "render_markdown", "render_text", "render_verdict_text"]
