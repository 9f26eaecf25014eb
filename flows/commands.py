"""What each command of the command line does; Prefect is imported by `publish` and `prepare` only."""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flows.machine import Machine, find_machine, host_version
from pluginyard.builds import Builder, choose_builder
from pluginyard.errors import RequestError
from pluginyard.forms import PublishRequest
from pluginyard.gateways import Verdict
from pluginyard.oci import parse_reference
from pluginyard.releases import PluginBuild, build_settings, plan_build, resolve_request
from pluginyard.reports import render_text, render_verdict_text
from pluginyard.settings import RepositorySettings, strip_credentials
from pluginyard.versions import find_semver


def publish(arguments: Namespace) -> dict[str, Any]:
    """Run the flow `publish-plugin` here; return its result."""
    request = request_from(arguments)
    resolve_request(request)  # a bad name is refused before Prefect starts
    find_machine()
    from flows.history import recorded_runs

    with recorded_runs() as history:
        print(history, file=sys.stderr)
        from flows.publish_plugin import publish_plugin

        return publish_plugin(request)


def plan(arguments: Namespace) -> dict[str, Any]:
    """Plan what `publish` would build and push; change nothing."""
    return plan_publication(request_from(arguments)).to_json()


def plan_publication(request: PublishRequest) -> PluginBuild:
    """Return the plan of `request` on this machine; imports no Prefect."""
    from tasks.doors import sources

    machine = find_machine()
    release = resolve_request(request)
    tell(f"reading {strip_credentials(request.repository)}")
    source = sources.open_source(
        request.repository, tag=release.tag, ref=request.ref, cache=machine.cache, ca_bundle=machine.site.ca_bundle
    )
    tell(f"planning {release} at {source.commit[:12]}")
    tree = sources.read_tree(source)
    with sources.BlobReader(source) as blobs:
        return plan_build(
            request,
            release,
            source,
            tree,
            blobs.read,
            site=machine.site,
            builders=machine.builders,
            host_version=host_version(machine.site),
        )


def verify(arguments: Namespace) -> dict[str, Any]:
    """Pull an artifact as a stranger would, and judge it; `ok` says whether the required gateways load it."""
    found, verdict = _pull(arguments)
    return {**found, "ok": all(verdict.loads(gateway) for gateway in arguments.gateways or ("higress",))}


def inspect(arguments: Namespace) -> dict[str, Any]:
    """Pull an artifact and return what it holds and what every gateway would say of it."""
    return _pull(arguments)[0]


def _pull(arguments: Namespace) -> tuple[dict[str, Any], Verdict]:
    from pluginyard.gateways import add_findings
    from pluginyard.oci import annotations_of
    from tasks.doors import registries
    from tasks.doors.registries import judge_names, pull_artifact

    reference = parse_reference(arguments.reference)
    site = find_machine().site
    place = reference.destination
    access = registries.access_to(place.host, site, plain_http=arguments.plain_http)
    credentials = None if place.is_layout else registries.find_machine_credentials(place.host, os.environ)
    tell(f"asking {place}")
    repository = registries.open_repository(place, "", access, credentials)
    with tempfile.TemporaryDirectory(prefix="pluginyard-") as folder:
        # Only a version's own tag can disagree with what spec.yaml declares: not `latest`, not a layout's NAME-VERSION.
        version = reference.tag if find_semver(reference.tag) else ""
        tell(f"pulling {reference} and judging it")
        pulled = pull_artifact(repository, reference.by_digest_or_tag, Path(folder), version=version)
    verdict = add_findings(pulled.verdict, judge_names(repository, reference, pulled.manifest.digest))
    return {
        "reference": str(reference),
        "digest": pulled.manifest.digest,
        "media_type": pulled.manifest.media_type,
        "annotations": annotations_of(pulled.manifest),
        "layers": [{"title": layer.title, **layer.to_json()} for layer in pulled.layers],
        "verdict": verdict.to_json(),
    }, verdict


def prepare(arguments: Namespace) -> dict[str, Any]:
    """Make the whole image of each builder on this machine's engine, by the settings that a run would find."""
    from flows.history import recorded_runs
    from tasks.server import find_site_variable

    with recorded_runs():
        machine = find_machine(variable=find_site_variable())
    builders = [choose_builder(machine.builders, name) for name in arguments.builders]
    return {"builders": [_prepare(builder, machine) for builder in builders]}


def _prepare(builder: Builder, machine: Machine) -> dict[str, str]:
    from tasks.doors import containers

    if version := host_version(machine.site)(builder):
        return {"builder": builder.name, "toolchain": f"{builder.definition.toolchain.name} {version}", "image": ""}
    engine = containers.require_engine(machine.site.engine_address)
    settings = build_settings(machine.site, RepositorySettings())
    image = containers.ensure_builder_image(engine, builder, settings, partial(print, file=sys.stderr, flush=True))
    return {"builder": builder.name, "toolchain": image.toolchain, "image": image.reference}


def tell(step: str) -> None:
    """Say on a terminal what is done now; `publish` has its log."""
    if sys.stderr.isatty():
        print(step, file=sys.stderr, flush=True)


def request_from(arguments: Namespace) -> PublishRequest:
    """Return the request that the arguments make; raise RequestError for the first that does not fit."""
    fields = {name: value for name in PublishRequest.model_fields if (value := getattr(arguments, name, None))}
    try:
        return PublishRequest.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise RequestError(
            fault["msg"].removeprefix("Value error, "), subject="publish", remedy="see pluginyard publish --help"
        ) from None


def render_plan(planned: Mapping[str, Any]) -> str:
    """Return a plan for a terminal."""
    lines = [
        f"plan       {planned['name']} {planned['version']} ({planned['language']})",
        f"commit     {planned['commit']} of {planned['repository']}",
        f"folder     {planned['folder']}, {planned['context']['files']} files, {planned['context']['bytes']:,} bytes",
        f"builder    {planned['builder']}",
        f"fetch      {planned['fetch'] or '(nothing to fetch)'}",
        f"compile    {planned['compile']}",
        f"layers     {', '.join(planned['layers'])}",
        f"print      {planned['fingerprint']}",
        *(f"push       {reference}" for reference in planned["references"]),
        *(f"note       {note}" for note in planned["notes"]),
    ]
    return "\n".join(lines)


def render_inspection(found: Mapping[str, Any]) -> str:
    """Return what an artifact holds for a terminal."""
    layers = [f"  {layer['title'] or '-':<16} {layer['size']:>10,}  {layer['mediaType']}" for layer in found["layers"]]
    notes = [f"  {key}={value}" for key, value in sorted(found["annotations"].items())]
    lines = [
        f"reference  {found['reference']}",
        f"digest     {found['digest']}",
        "layers",
        *layers,
        "annotations",
        *(notes or ["  none"]),
        render_verdict_text(found["verdict"]),
    ]
    return "\n".join(lines)


def render_verification(found: Mapping[str, Any]) -> str:
    """Return a verification for a terminal."""
    said = "ok: the required gateways load it" if found["ok"] else "NOT ok: a required gateway refuses it"
    return f"{render_inspection(found)}\n{said}"


def render_preparation(prepared: Mapping[str, Any]) -> str:
    """Return for a terminal what each builder builds in."""
    own = "this machine's own toolchain"
    lines = (f"{each['builder']:<10} {each['toolchain']:<14} {each['image'] or own}" for each in prepared["builders"])
    return "\n".join(lines)


RENDERERS = {
    "publish": render_text,
    "plan": render_plan,
    "inspect": render_inspection,
    "verify": render_verification,
    "prepare": render_preparation,
}
