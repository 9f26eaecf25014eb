"""`pluginyard prepare`: have the images of builders on this machine's engine, so that no publication waits for them."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from flows.machine import Machine, choose_host, find_machine
from pluginyard.builds import Builder, choose_builder
from pluginyard.printable import printable
from tasks.doors import containers

PLACE = 5
HELP = "make the images of builders now, so that no publication waits for it"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("builders", nargs="+", metavar="BUILDER", help="go, rust, tinygo, or a builder of your own")


def run(arguments: Namespace) -> dict[str, Any]:
    """Make the whole image of each builder on this machine's engine, by the settings that a run would find."""
    from flows.history import recorded_runs
    from tasks.server import find_site_variable

    with recorded_runs():
        machine = find_machine(variable=find_site_variable())
    builders = [choose_builder(machine.builders, name) for name in arguments.builders]
    return {"builders": [_prepare(builder, machine) for builder in builders]}


def _prepare(builder: Builder, machine: Machine) -> dict[str, str]:
    if host := choose_host(machine.site)(builder):
        return {
            "builder": builder.name,
            "toolchain": f"{builder.definition.toolchain.name} {host.version}",
            "image": "",
        }
    engine = containers.require_engine(machine.site.engine_address)
    image = containers.ensure_builder_image(engine, builder, machine.site, _report)
    return {"builder": builder.name, "toolchain": image.toolchain, "image": image.reference}


def _report(line: str) -> None:
    print(printable(line, lines=True), file=sys.stderr, flush=True)


def render(result: Mapping[str, Any]) -> str:
    """Return for a terminal what each builder builds in."""
    own = "this machine's own toolchain"
    lines = (f"{each['builder']:<10} {each['toolchain']:<14} {each['image'] or own}" for each in result["builders"])
    return "\n".join(lines)
