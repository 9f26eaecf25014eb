"""The report of a release: the markdown of the run page, the text of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pluginyard.printable import printable
from pluginyard.releases import PluginBuild, PublishedPlugin
from pluginyard.rollouts import render_rollouts

# What a code block of the run page shows without scrolling, in a window of 1400 pixels.
_COLUMNS = 90


def render_markdown(plugin: PublishedPlugin) -> str:
    """Return the report of the run page: what, from which commit, where, verdict, what to paste."""
    title = "Published" if plugin.published else "Already published"
    sections = [
        f"# {title}: {plugin.name} {plugin.version}",
        _facts(plugin),
        "## Where",
        render_list(map(_place, plugin.registries)),
        "## Verdict",
        _verdict(plugin.verdict),
        *(["## In a real Envoy", _probe(plugin.probe)] if plugin.probe else []),
        "## Layers",
        render_table(("file", "media type", "bytes", "digest"), map(_layer_row, plugin.layers)),
        _code(f"{layer['digest']}  {_line(layer['title'])}" for layer in plugin.layers),
        "## Use it",
        *(f"```yaml\n{rollout}```" for rollout in render_rollouts(plugin)),
        _code(map(_wrapped, pull_commands(plugin.registries[0], plugin.digest)), "sh"),
        *(["## Notes", render_list(map(escape, plugin.notes))] if plugin.notes else []),
    ]
    return "\n\n".join(sections) + "\n"


def report_key(build: PluginBuild) -> str:
    """Return the key under which a plugin's reports follow each other; Prefect allows a-z, 0-9 and -."""
    return f"published-{build.plugin.language}-{build.release.name.replace('_', '-')}"


def render_text(published: Mapping[str, Any]) -> str:
    """Return the report for a terminal, from what `publish --output json` prints."""
    places = published["registries"]
    lines = [
        f"{'published' if published['published'] else 'already published'}  {published['reference']}",
        f"digest     {published['digest']}",
        f"commit     {published['commit']}",
        f"builder    {published['builder']}",
        *(f"also in    {place['reference']}" for place in places[1:]),
        *(f"latest     {place['latest']}" for place in places[:1]),
        render_verdict_text(published["verdict"]),
        *([f"in Envoy   {published['probe']['summary']}"] if published["probe"] else []),
        *(f"note       {note}" for note in published["notes"]),
        "",
        *(f"  {line}" for line in pull_commands(places[0], published["digest"])),
    ]
    return "\n".join(lines)


def render_verdict_text(verdict: Mapping[str, Any]) -> str:
    """Return a verdict for a terminal: one line a gateway in its own words, then the findings with their remedies."""
    rows = []
    for gate in verdict["gateways"]:
        says = "loads" if gate["loads"] else "REFUSES"
        rows.append(f"  {gate['gateway']:<14} {says:<7}  {_line(gate['reason']) or gate['variant']}")
    findings = [
        f"  {item['rule']:<3} {item['level']}  {_line(item['message'])}; {_line(item['remedy'])}"
        for item in verdict["findings"]
    ]
    return "\n".join([f"verdict    {verdict['summary']}", *rows, *findings])


def _facts(plugin: PublishedPlugin) -> str:
    when = datetime.fromtimestamp(plugin.commit_time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    facts = {
        "digest": f"`{plugin.digest}`",
        "repository": plugin.repository,
        "commit": f"`{plugin.commit}`, {when}",
        "builder": plugin.builder,
        "fingerprint": f"`{plugin.fingerprint}`",
    }
    return render_table(("reference", f"`{plugin.reference}`"), facts.items())


def _verdict(verdict: Mapping[str, Any]) -> str:
    gates = verdict["gateways"]
    rows = ((gate["gateway"], "loads" if gate["loads"] else "**refuses**", gate["variant"] or "") for gate in gates)
    reasons = (f"**{gate['gateway']}**: {escape(gate['reason'])}" for gate in gates if gate["reason"])
    findings = (
        f"**{item['rule']}** ({item['level']}): {escape(item['message'])}; remedy: {escape(item['remedy'])}"
        for item in verdict["findings"]
    )
    parts = [escape(verdict["summary"]), render_table(("gateway", "says", "variant"), rows), render_list(reasons)]
    if verdict["findings"]:
        parts += ["What was found, and what to do:", render_list(findings)]
    return "\n\n".join(part for part in parts if part)


def _probe(probe: Mapping[str, Any]) -> str:
    rows = ((item["request"], item["answer"], item["fault"] or "as expected") for item in probe["exchanges"])
    return f"{escape(probe['summary'])}\n\n{render_table(('request', 'answer', 'judged'), rows)}"


def _place(place: Mapping[str, Any]) -> str:
    return f"`{place['reference']}`: {place['state']}; `latest` {escape(place['latest'])}"


def _layer_row(layer: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return layer["title"], layer["mediaType"], f"{layer['size']:,}", f"`{_short(layer['digest'])}`"


def _short(digest: str) -> str:
    """Return enough of a digest to recognise it; the whole one stands below, where it may be copied."""
    kind, _, value = digest.partition(":")
    return f"{kind}:{value[:12]}"


def pull_commands(place: Mapping[str, Any], digest: str) -> tuple[str, ...]:
    """Return the commands with which anybody pulls and checks the artifact in `place`."""
    reference = place["reference"]
    repository = reference.rpartition(":")[0]
    if repository.startswith("oci:"):
        folder = repository.removeprefix("oci:")
        return f"oras pull --oci-layout {folder}@{digest}", f"skopeo inspect --raw {reference}"
    how = "--plain-http " if place["plain_http"] else ""
    return f"oras pull {how}{repository}@{digest}", f"pluginyard verify {how}{reference}"


def render_list(lines: Iterable[str]) -> str:
    """Return a markdown list: the run page breaks its lines, those of a table it cuts off."""
    return "\n".join(f"- {line}" for line in lines)


def _code(lines: Iterable[str], language: str = "text") -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def _wrapped(command: str) -> str:
    """Return a command, its last argument on a line of its own where both are too long for the run page."""
    head, _, last = command.rpartition(" ")
    if len(command) <= _COLUMNS:
        return command
    return f"{head} \\\n  {last}"


def render_table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    """Return a markdown table; no cell can break it."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(escape(str(cell)) for cell in line) + " |" for line in lines)


def escape(text: str) -> str:
    """Return `text` on one line of markdown, with what would break a table or start HTML taken out of effect."""
    return _line(text).replace("|", "\\|").replace("<", "&lt;")


def _line(text: str) -> str:
    return printable(" ".join(text.split()))
