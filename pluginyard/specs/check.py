"""The spec.yaml of a plugin: does it parse, is it complete, do its examples satisfy its own schema (S1 to S4)?

Source: the Higress image specification and the values its own plugins use: both are accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pluginyard.errors import SourceError
from pluginyard.parsing import UnreadableYamlError, load_document
from pluginyard.rules import Finding, find
from pluginyard.specs.schema import judge_schema

MAX_SPEC_BYTES = 512 * 1024
API_VERSIONS = ("1.0.0",)
RESOURCE_PHASES = ("AUTHN", "AUTHZ", "STATS")
PHASES = ("unspecified_phase", "authn", "authz", "stats", "unspecified", "default")
CATEGORIES = (
    *("auth", "security", "protocol", "flow-control", "flow-monitor", "custom"),  # the document
    *("ai", "transform", "transformation", "traffic", "o11y"),  # in use
)
TYPES = ("enterprise", "oss")
_MAX_FINDINGS = 50
_STRING, _INTEGER, _MAP, _TEXTS = "a string", "an integer", "a map", "a map of strings"
# Path, type, required by the document.
_FIELDS = (
    ("apiVersion", _STRING, True),
    ("info", _MAP, True),
    ("info.category", _STRING, True),
    ("info.name", _STRING, True),
    ("info.title", _STRING, True),
    ("info.description", _STRING, True),
    ("info.version", _STRING, True),
    ("info.image", _STRING, False),
    ("info.type", _STRING, False),
    ("info.gatewayMinVersion", _STRING, False),
    ("info.iconUrl", _STRING, False),
    ("info.readmeUrl", _STRING, False),
    ("info.x-title-i18n", _TEXTS, False),
    ("info.x-description-i18n", _TEXTS, False),
    ("info.x-readmeUrl-i18n", _TEXTS, False),
    ("info.contact", _MAP, False),
    ("info.contact.name", _STRING, False),
    ("info.contact.url", _STRING, False),
    ("info.contact.email", _STRING, False),
    ("spec", _MAP, True),
    ("spec.phase", _STRING, True),
    ("spec.priority", _INTEGER, True),
    ("spec.configSchema", _MAP, True),
    ("spec.configSchema.openAPIV3Schema", _MAP, True),
    ("spec.routeConfigSchema", _MAP, False),
    ("spec.routeConfigSchema.openAPIV3Schema", _MAP, False),
)


def check_spec(spec_yaml: bytes, *, subject: str) -> Mapping[str, Any]:
    """Return what spec.yaml holds; raise SourceError for one that cannot be read, or that readers read differently.

    That is all that keeps a release from being published: no gateway looks at what else S1 to S4 are about.
    """
    remedy = "fix spec.yaml: the console and other readers would fail on it, or each take another value"
    try:
        document, duplicates = load_document(spec_yaml, MAX_SPEC_BYTES)
    except UnreadableYamlError as error:
        raise SourceError(f"rule S1: {error}", subject=subject, remedy=remedy) from None
    if duplicates or not isinstance(document, dict):
        raise SourceError(f"rule S1: {'; '.join(duplicates) or 'it is no map'}", subject=subject, remedy=remedy)
    return document


def choose_placement(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return where in the gateway's chain the plugin wants to run, as a WasmPlugin says it: `phase` and `priority`.

    What is not said, or not fit for the resource, is left to the gateway.
    """
    declared = spec.get("spec")
    section = declared if isinstance(declared, Mapping) else {}
    phase, priority = section.get("phase"), section.get("priority")
    chosen: dict[str, Any] = {}
    if isinstance(phase, str) and phase.upper() in RESOURCE_PHASES:
        chosen["phase"] = phase.upper()
    if isinstance(priority, int) and not isinstance(priority, bool):
        chosen["priority"] = priority
    return chosen


def judge_documents(spec_yaml: bytes, *, version: str = "", declared_version: str = "") -> tuple[Finding, ...]:
    """Return what is wrong with the spec.yaml of a plugin released as `version` (rules S1 to S4).

    `declared_version` is the content of the VERSION file. Empty versions are not compared.
    """
    try:
        document, duplicates = load_document(spec_yaml, MAX_SPEC_BYTES)
    except UnreadableYamlError as error:
        return (find("S1", f"spec.yaml: {error}"),)
    findings = [find("S1", f"spec.yaml: {place}") for place in duplicates]
    if not isinstance(document, dict):
        return (*findings, find("S1", "spec.yaml is no map"))
    findings += [*_judge_fields(document), *_judge_versions(document, version, declared_version)]
    findings += _judge_values(document)
    for name in ("configSchema", "routeConfigSchema"):
        schema = _at(document, f"spec.{name}.openAPIV3Schema")
        if isinstance(schema, dict):
            findings += judge_schema(schema, f"spec.{name}")
    return tuple(findings[:_MAX_FINDINGS])


def _at(document: Any, path: str) -> Any:
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _judge_fields(document: Mapping[str, Any]) -> Iterator[Finding]:
    for path, expected, required in _FIELDS:
        value = _at(document, path)
        if value is None:
            if required:
                yield find("S1", f"spec.yaml: {path} is missing")
        elif not _is(value, expected):
            yield find("S1", f"spec.yaml: {path} is {_kind(value)}, not {expected}")
    api = document.get("apiVersion")
    if isinstance(api, str) and api not in API_VERSIONS:
        yield find("S1", f"spec.yaml: apiVersion is {api!r}, the document fixes {API_VERSIONS[0]!r}")


def _is(value: Any, expected: str) -> bool:
    if expected == _STRING:
        return isinstance(value, str)
    if expected == _INTEGER:
        return type(value) is int
    if expected == _TEXTS:
        return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    return isinstance(value, dict)


def _kind(value: Any) -> str:
    kinds = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "a list", dict: "a map"}
    return kinds.get(type(value), "of another type")


def _judge_versions(document: Mapping[str, Any], version: str, declared: str) -> Iterator[Finding]:
    stated = _at(document, "info.version")
    known = {"info.version": stated if isinstance(stated, str) else "", "tag": version, "VERSION": declared.strip()}
    given = {name: value for name, value in known.items() if value}
    if len(set(given.values())) > 1:
        yield find("S2", ", ".join(f"{name} is {value}" for name, value in given.items()))


def _judge_values(document: Mapping[str, Any]) -> Iterator[Finding]:
    for path, accepted, fold in (
        ("spec.phase", PHASES, True),
        ("info.category", CATEGORIES, False),
        ("info.type", TYPES, False),
    ):
        value = _at(document, path)
        if isinstance(value, str) and (value.lower() if fold else value) not in accepted:
            yield find("S4", f"spec.yaml: {path} is {value!r}; known are {', '.join(accepted)}")
