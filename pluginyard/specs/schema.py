"""Does the example of a configuration satisfy its own schema (rule S3)?

The schema comes from a stranger: only the keywords of the Higress document are taken from it, references are not
followed, and a regular expression is run only where it cannot run for long. What was left out is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pluginyard.rules import Finding, find
from pluginyard.specs.work import WorkBudget, backtracks_for_long, compiling

SCOPES = ("GLOBAL", "RULE", "ANY", "INSTANCE", "ALL")
_MAX_SCHEMAS = 5_000
_MAX_ERRORS = 10
_MAX_FINDINGS = 50
_MAX_EXAMPLE_TEXT = 128
_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_COUNTS = ("maxLength", "minLength", "maxItems", "minItems")
_BOUNDS = ("maximum", "minimum")
_UNCHECKED = ("$ref", "allOf", "anyOf", "oneOf", "not", "discriminator", "exclusiveMinimum", "exclusiveMaximum")
_REPEATED_GROUP = re.compile(r"\)[*+?{]|\\[1-9]")  # it or a back reference need not end at all


def judge_schema(schema: Mapping[str, Any], where: str) -> list[Finding]:
    """Return what is wrong with `schema`, the openAPIV3Schema found at `where` (rules S1, S3, S4)."""
    walk = _Walk(where)
    walk.enter(schema, "")
    if walk.unchecked:
        names = ", ".join(sorted(walk.unchecked))
        said = find("S3", f"{where}: not checked: {names}", "check the example by hand", level="I")
        walk.findings.insert(0, said)  # first, so that it is not among those that are too many
    return walk.findings


class _Walk:
    """Go through a schema once, from the outside in."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._seen = 0
        self._budget = WorkBudget()
        self.findings: list[Finding] = []
        self.unchecked: set[str] = set()

    def enter(self, schema: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Judge `schema` and what it contains; return the part of it that validates examples."""
        self._seen += 1
        if self._seen > _MAX_SCHEMAS:
            self.unchecked.add("a schema of that size")
            return {}
        self.unchecked.update(key for key in _UNCHECKED if key in schema)
        checkable = self._own_keywords(schema, path)
        properties = schema.get("properties")
        if isinstance(properties, dict):
            inner = {k: self.enter(v, f"{path}.{k[:80]}") for k, v in properties.items() if isinstance(v, dict)}
            checkable["properties"] = inner
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                checkable[key] = self.enter(schema[key], f"{path}[]")
            elif schema.get(key) is False:
                checkable[key] = False
        checkable |= self._required(schema, path)
        if any(key in schema for key in ("$ref", "allOf", "anyOf", "oneOf")):
            checkable.pop("additionalProperties", None)
        self._example(schema, checkable, path)
        return checkable

    def _say(self, rule: str, path: str, message: str) -> None:
        if len(self.findings) < _MAX_FINDINGS:
            self.findings.append(find(rule, f"{self._where}{path}: {message}"))

    def _own_keywords(self, schema: Mapping[str, Any], path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        kind = schema.get("type")
        if kind in _TYPES:
            found["type"] = [kind, "null"] if schema.get("nullable") is True else kind
        elif kind is not None:
            self._say("S1", path, f"unknown type {str(kind)[:40]!r}")
        found |= {key: schema[key] for key in _COUNTS if _is_count(schema.get(key))}
        found |= {key: schema[key] for key in _BOUNDS if _is_number(schema.get(key))}
        if isinstance(schema.get("enum"), list):
            found["enum"] = schema["enum"]
        if "pattern" in schema and self._is_harmless(schema):
            found["pattern"] = schema["pattern"]
        for key in ("x-scope", "scope"):
            if isinstance(schema.get(key), str) and schema[key] not in SCOPES:
                self._say("S4", path, f"{key} is {schema[key]!r}; known are {', '.join(SCOPES)}")
        return found

    def _is_harmless(self, schema: Mapping[str, Any]) -> bool:
        pattern = schema["pattern"]
        harmless = isinstance(pattern, str) and not (_REPEATED_GROUP.search(pattern) or backtracks_for_long(pattern))
        harmless = harmless and self._budget.spend(compiling(pattern))
        try:
            re.compile(pattern if harmless else "")
        except (re.error, RecursionError, OverflowError):
            harmless = False
        if not harmless:
            self.unchecked.add("pattern")
        return harmless

    def _required(self, schema: Mapping[str, Any], path: str) -> dict[str, Any]:
        required = schema.get("required")
        if required is None:
            return {}
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            self._say("S3", path, "required is no list of names")
            return {}
        properties = schema.get("properties")
        known = properties if isinstance(properties, dict) else {}
        for name in required if "$ref" not in schema else []:
            if name not in known:
                self._say("S3", path, f"required names {name[:80]!r}, which is no property")
        return {"required": required}

    def _example(self, schema: Mapping[str, Any], checkable: dict[str, Any], path: str) -> None:
        if "example" not in schema or self._seen > _MAX_SCHEMAS:
            return
        if _longest_text(schema["example"]) > _MAX_EXAMPLE_TEXT:
            checkable = _without_patterns(checkable)
            self.unchecked.add("pattern")
        if not self._budget.allows(schema["example"], checkable):
            self.unchecked.add("examples that would take long")
            return
        for message in _violations(schema["example"], checkable):
            self._say("S3", path, f"the example does not satisfy the schema: {message}")


def _violations(example: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield at most ten reasons; the empty registry keeps the library from fetching anything."""
    # Not above: `pluginyard plan` checks no example, and these take a tenth of its time to import.
    from jsonschema import Draft202012Validator
    from referencing import Registry

    validator = Draft202012Validator(schema, registry=Registry())
    for count, error in enumerate(validator.iter_errors(example)):
        if count >= _MAX_ERRORS:
            return
        place = "".join(f".{part}" if isinstance(part, str) else f"[{part}]" for part in error.absolute_path)
        yield f"{place.lstrip('.') or 'it'}: {error.message[:200]}"


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 31


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _longest_text(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max(map(_longest_text, inner), default=0)


def _without_patterns(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` with no regular expression anywhere in it."""
    kept = {key: value for key, value in schema.items() if key != "pattern"}
    if "properties" in kept:
        kept["properties"] = {name: _without_patterns(inner) for name, inner in kept["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = _without_patterns(kept[key])
    return kept
