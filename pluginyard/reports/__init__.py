"""Reports: of a release, of drift, and the reference."""

from pluginyard.reports.drift import render_drift
from pluginyard.reports.release import render_markdown, render_text, render_verdict_text, report_key
