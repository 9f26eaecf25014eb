"""The command line, one verb a file, which `flows/__main__.py` finds by its name.

A verb has `PLACE` (its row in the help), `HELP`, `add_arguments(parser)`, `run(arguments)`, which returns what
`--output json` prints, and `render(result)`, which returns the same for a terminal.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from pydantic import ValidationError

from pluginyard.errors import RequestError
from pluginyard.forms import PublishRequest
from pluginyard.oci import parse_destination
from pluginyard.printable import printable
from pluginyard.releases import resolve_request


def add_release_arguments(parser: ArgumentParser) -> None:
    """Add the arguments that name a release: a tag, or a plugin with its version, and where it is published."""
    add = parser.add_argument
    add("--repository", default=".", metavar="PATH_OR_URL", help="plugin repository (default: this folder)")
    add("--tag", help="release tag: wasm-{language}-{name}-v{semver}")
    add("--plugin", metavar="NAME", help="name of the plugin, in place of a tag")
    add("--language", metavar="LANG", help="go (default), rust or tinygo, with --plugin")
    add("--version", metavar="V", help="SemVer without v, with --plugin; default: the plugin's VERSION file")
    add("--ref", metavar="REF", help="branch or commit, with --plugin; default: HEAD")
    add(
        "--registry",
        dest="registries",
        action="append",
        metavar="DESTINATION",
        help="HOST/NAMESPACE, or oci:PATH for a layout folder (repeatable)",
    )
    add("--plain-http", action="store_true", help="speak HTTP to registries that do not speak TLS")


def add_reference_arguments(parser: ArgumentParser) -> None:
    """Add the arguments that name a published artifact."""
    parser.add_argument("reference", help="HOST/REPOSITORY[:TAG|@DIGEST], or oci:PATH:NAME-VERSION")
    parser.add_argument("--plain-http", action="store_true", help="speak HTTP if the registry does not speak TLS")


def request_from(arguments: Namespace) -> PublishRequest:
    """Return the request that the arguments make; raise RequestError for the first part that is not valid."""
    fields = {name: value for name in PublishRequest.model_fields if (value := getattr(arguments, name, None))}
    for text in fields.get("registries", ()):
        parse_destination(text)
    try:
        request = PublishRequest.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        cause = fault.get("ctx", {}).get("error")
        if cause and isinstance(cause.__cause__, RequestError):
            raise cause.__cause__ from None
        raise RequestError(
            fault["msg"].removeprefix("Value error, "), subject="publish", remedy="see pluginyard publish --help"
        ) from None
    resolve_request(request)
    return request


def report_progress(step: str) -> None:
    """Print on a terminal what is done now; `publish` has its log."""
    if sys.stderr.isatty():
        print(printable(step), file=sys.stderr, flush=True)
