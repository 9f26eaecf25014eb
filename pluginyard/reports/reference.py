"""docs/reference.md, rendered from the code, so that it cannot disagree with it (`make reference`)."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from pluginyard import errors
from pluginyard.audits import DRIFT_RULES
from pluginyard.builds import Definition
from pluginyard.errors import PluginyardError
from pluginyard.forms import PublishRequest, RepositoryRequest, VerifyRequest, WatchRequest
from pluginyard.rules import RULES, Rule
from pluginyard.settings import ReceiverSettings, RepositorySettings, Site, TrustedRepository, describe_setting

_CREDENTIALS = """\
What the machine that publishes decides; the same fields, as JSON in the Prefect variable `pluginyard_site`, are for all
workers of a server ([operate.md](operate.md)). Credentials: `REGISTRY_USERNAME` and `REGISTRY_PASSWORD`, or for one
registry `REGISTRY_USERNAME__<HOST>` and `REGISTRY_PASSWORD__<HOST>` (upper case, `_` for what is no letter or digit);
before them a Prefect block, after them the container engine's own store. Where a run has several registries,
the pair without a host is sent to each of them: use the pairs with a host."""
_STATUSES = """\
With `PLUGINYARD_GITHUB_TOKEN` (the right to write commit statuses) a worker posts how the release of a commit
goes, with a link to the run (`PREFECT_UI_URL`); two tasks called `post-status` do it. `PLUGINYARD_GITHUB_URL` is the
address of another GitHub, `PLUGINYARD_GITHUB_API` that of its API if it is not `/api/v3` below. A status that is
refused fails no release."""
_REPOSITORIES = """\
Repositories and their secrets are in the file that `PLUGINYARD_GITHUB_SECRETS_FILE` names, or in
`PLUGINYARD_GITHUB_REPOSITORIES` and `PLUGINYARD_GITHUB_SECRET`. Keys of a repository in the file:"""
_HEAD = "<!-- Rendered from the code by `make reference`; do not edit. -->\n\n# Reference"


def render_reference(command_help: Mapping[str, str]) -> str:
    """Return the whole page; `command_help` holds the help text of each command."""
    sections = [
        _HEAD,
        "## Commands",
        *(f"### pluginyard {name}\n\n```text\n{text.rstrip()}\n```" for name, text in command_help.items()),
        "## Exit codes",
        _table(("code", "error", "meaning"), _exit_codes()),
        "## Parameters of the flow `publish-plugin`",
        _table(("parameter", "default", "meaning"), _fields(PublishRequest)),
        "## Parameters of the flow `publish-plugins`",
        _table(("parameter", "default", "meaning"), _fields(RepositoryRequest)),
        "## Parameters of the flow `watch-tags`",
        _table(("parameter", "default", "meaning"), _fields(WatchRequest)),
        "## Parameters of the flow `verify-published`",
        _table(("parameter", "default", "meaning"), _fields(VerifyRequest)),
        "## Settings of a site (environment variables)",
        _CREDENTIALS,
        _table(("setting", "default", "variable"), _fields(Site)),
        "## Statuses of commits (environment variables)",
        _STATUSES,
        "## Settings of the webhook receiver (environment variables)",
        "[receiver.md](receiver.md) shows how they are used.",
        _table(("setting", "default", "variable"), _fields(ReceiverSettings)),
        _REPOSITORIES,
        _table(("key", "default", "meaning"), _fields(TrustedRepository)),
        "## pluginyard.yaml",
        "At the top of the plugin repository, read at the commit that is built; every key is optional.",
        _table(("key", "default", "meaning"), _fields(RepositorySettings)),
        "## builder.yaml",
        "One folder of `builders/` each; [builders.md](builders.md) shows how to add one.",
        _table(("key", "default", "meaning"), _fields(Definition)),
        "## Rules of the verdict",
        "E: a gateway would not load it. W: it violates the image spec. I: information.",
        _table(("rule", "level", "title", "remedy"), _rules(RULES)),
        "## Rules of drift",
        "What `verify-published` looks at. E: the run fails with exit code 10 (`VerificationError`). W: reported.",
        _table(("rule", "level", "title", "remedy"), _rules(DRIFT_RULES)),
    ]
    return "\n\n".join(sections) + "\n"


def _exit_codes() -> Iterator[tuple[str, str, str]]:
    yield "0", "", "done"
    kinds = (item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, PluginyardError))
    for kind in sorted((item for item in kinds if item is not PluginyardError), key=lambda item: item.exit_code):
        again = " (tried again)" if kind.transient else ""
        yield str(kind.exit_code), f"`{kind.__name__}`", f"{_first_line(kind)}{again}"
    yield "130", "", "interrupted"


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield a row for each field of `model`, those of nested models after their own."""
    model.model_rebuild()  # a model that nobody has used yet may not know the types of its fields
    for name, field in model.model_fields.items():
        nested = _nested(field.annotation)
        shown = "required" if field.is_required() else _plain(field.get_default(call_default_factory=True))
        yield f"`{prefix}{name}`", shown, describe_setting(field) or (_first_line(nested[0]) if nested else "")
        if nested:
            yield from _fields(nested[0], f"{prefix}{name}{nested[1]}.")


def _nested(annotation: Any) -> tuple[type[BaseModel], str] | None:
    """Return the model within `annotation`, and how a path goes on from its field."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    models = [item for item in arguments if isinstance(item, type) and issubclass(item, BaseModel)]
    if not models:
        return None
    if origin in (typing.Union, types.UnionType):
        return models[0], ""
    return models[0], "[]" if origin in (tuple, list) else ".NAME"


def _rules(rules: Mapping[str, Rule]) -> Iterator[tuple[str, str, str, str]]:
    for rule in rules.values():
        yield rule.id, rule.level, rule.title, rule.remedy


def _plain(value: Any) -> str:
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value is None or value in ("", (), [], {}):
        return "-"
    return f"`{', '.join(map(str, value)) if isinstance(value, tuple | list) else value}`"


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    """Return `text` as it stands in a table: outside of code, `<BUILDER>` would be taken for a tag and not be shown."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part if number % 2 else part.replace("<", "\\<") for number, part in enumerate(parts))
