"""`pluginyard plan`: what `publish` would build and push; imports no Prefect and changes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from flows.commands import add_release_arguments, report_progress, request_from
from flows.machine import choose_host, find_machine
from pluginyard.releases import resolve_request
from pluginyard.settings import strip_credentials
from tasks.doors import sources

PLACE = 2
HELP = "print what publish would build and push"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_release_arguments(parser)


def run(arguments: Namespace) -> dict[str, Any]:
    """Return the plan of the release."""
    request, machine = request_from(arguments), find_machine()
    release = resolve_request(request)
    report_progress(f"reading {strip_credentials(request.repository)}")
    source = sources.open_release(request, release, cache=machine.cache, site=machine.site)
    report_progress(f"planning {release} at {source.commit[:12]}")
    build = sources.plan_release(
        request, release, source, site=machine.site, builders=machine.builders, choose_host=choose_host(machine.site)
    )
    return build.to_json(sources.size_of_context(build.source, build.plugin.context))


def render(result: Mapping[str, Any]) -> str:
    """Return the plan for a terminal."""
    lines = [
        f"plan       {result['name']} {result['version']} ({result['language']})",
        f"commit     {result['commit']} of {result['repository']}",
        f"folder     {result['folder']}, {result['context']['files']} files, {result['context']['bytes']:,} bytes",
        f"builder    {result['builder']}",
        f"fetch      {result['fetch'] or '(nothing to fetch)'}",
        f"compile    {result['compile']}",
        f"layers     {', '.join(result['layers'])}",
        f"print      {result['fingerprint']}",
        *(f"push       {reference}" for reference in result["references"]),
        *(f"note       {note}" for note in result["notes"]),
    ]
    return "\n".join(lines)
