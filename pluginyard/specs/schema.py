"""Does the example of a configuration satisfy its own schema (rule S3)?

The schema is not trusted: only the keywords of the Higress document are taken from it, references are not followed,
patterns are run by RE2 (linear in the text; what Kubernetes' own validation uses), and the work is counted as it is
done. What was not checked is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from pluginyard.rules import Finding, find

SCOPES = ("GLOBAL", "RULE", "ANY", "INSTANCE", "ALL")
_MAX_SCHEMAS = 5_000
_MAX_ERRORS = 10
_MAX_FINDINGS = 50
_MAX_PATTERN_MEMORY = 1 << 16  # bytes: a program of some 2,000 steps
_BUDGET = 5_000_000
"""Comparisons for all examples of one schema: a second or two, whatever they are of."""
_CALL = 50
"""What it costs to call a keyword's function, in comparisons (jsonschema 4.26)."""
_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_COUNTS = ("maxLength", "minLength", "maxItems", "minItems")
_BOUNDS = ("maximum", "minimum")
_UNCHECKED = ("$ref", "allOf", "anyOf", "oneOf", "not", "discriminator", "exclusiveMinimum", "exclusiveMaximum")


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
        self._budget = _BUDGET
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
        if "pattern" in schema:
            if _compile(schema["pattern"]):
                found["pattern"] = schema["pattern"]
            else:
                self.unchecked.add("pattern")
        for key in ("x-scope", "scope"):
            if isinstance(schema.get(key), str) and schema[key] not in SCOPES:
                self._say("S4", path, f"{key} is {schema[key]!r}; known are {', '.join(SCOPES)}")
        return found

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
        try:
            for message in _violations(schema["example"], checkable, self._spend):
                self._say("S3", path, f"the example does not satisfy the schema: {message}")
        except _BudgetSpentError:
            self.unchecked.add("examples that would take long")

    def _spend(self, comparisons: int) -> None:
        self._budget -= comparisons
        if self._budget < 0:
            raise _BudgetSpentError


class _BudgetSpentError(Exception):
    """The examples of one schema took as much work as is allowed."""


def _violations(example: Any, schema: Mapping[str, Any], spend: Callable[[int], None]) -> Iterator[str]:
    """Yield at most ten reasons; the empty registry keeps the library from fetching anything."""
    # Not above: `pluginyard plan` checks no example, and these take a tenth of its time to import.
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry

    known = {**Draft202012Validator.VALIDATORS, "pattern": _match}
    counted = {keyword: partial(_counted, spend, keyword, check) for keyword, check in known.items()}
    checker = extend(Draft202012Validator, counted)  # type: ignore[no-untyped-call]
    validator = checker(schema, registry=Registry())
    for count, error in enumerate(validator.iter_errors(example)):
        if count >= _MAX_ERRORS:
            return
        place = "".join(f".{part}" if isinstance(part, str) else f"[{part}]" for part in error.absolute_path)
        yield f"{place.lstrip('.') or 'it'}: {error.message[:200]}"


def _counted(
    spend: Callable[[int], None], keyword: str, check: Any, validator: Any, value: Any, instance: Any, schema: Any
) -> Any:
    """Check one keyword, and spend what that costs."""
    parts = len(value) if isinstance(value, str | list | dict) else 1
    compared = parts * _size(instance) + _size(value) if keyword in ("enum", "pattern") else parts
    spend(_CALL + compared)
    return check(validator, value, instance, schema)


def _match(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _compile(pattern).search(instance):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern!r}")


@cache
def _options() -> Any:
    import re2

    options = re2.Options()
    options.max_mem, options.never_capture, options.log_errors = _MAX_PATTERN_MEMORY, True, False
    return options


def _compile(pattern: Any) -> Any:
    """Return the compiled `pattern`; None where RE2 has no linear way to run it (look-around, back references)."""
    import re2

    try:
        return re2.compile(pattern, _options()) if isinstance(pattern, str) else None
    except re2.error:
        return None


def _size(value: Any) -> int:
    """Return how many letters, or values, there are to compare."""
    if isinstance(value, str):
        return 1 + len(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, inner))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 31


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
