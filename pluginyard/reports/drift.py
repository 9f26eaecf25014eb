"""The report about drift: the markdown of the run page."""

from __future__ import annotations

from pluginyard.audits import Drift
from pluginyard.reports.release import escape, render_list, render_table

_LISTED = 50


def render_drift(drift: Drift, title: str) -> str:
    """Return the summary of the run page: the outcome, what is wrong and what to do, where everything stands."""
    sections = [f"# {'Drift' if drift.errors else 'As it should be'}: {title}", drift.summary]
    if drift.findings:
        found = ((each, escape(each.message), escape(each.remedy)) for each in drift.findings)
        lines = (
            f"**{each.rule}** ({each.level}) `{each.reference}`: {why}; remedy: {what}" for each, why, what in found
        )
        sections += ["## Findings", render_list(lines)]
    if drift.unreached:
        lost = (f"{each.place}, {each.name}: {escape(str(each.error))}" for each in drift.unreached)
        sections += ["## Not reached", render_list(lost)]
    if drift.new:
        more = len(drift.new) - _LISTED
        listed = [f"- `{reference}`" for reference in drift.new[:_LISTED]]
        sections += ["## New", "\n".join([*listed, *([f"- and {more} more"] if more > 0 else [])])]
    sections += ["## Where", render_table(("registry", "plugin", "versions", "newest", "latest"), _places(drift))]
    return "\n\n".join(sections) + "\n"


def _places(drift: Drift) -> list[tuple[str, str, str, str, str]]:
    return [
        (
            str(each.place),
            each.name,
            f"{len(each.versions)} looked into",
            each.versions[0].tag if each.versions else "-",
            (each.latest.version or each.latest.digest) if each.latest else "-",
        )
        for each in drift.seen
        if each.error is None
    ]
