"""Read JSON and YAML from untrusted sources: bounded, duplicate keys and the nearest known key reported.

Of YAML, PyYAML only builds the tree; values are made here, so no constructor of a tag ever runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pluginyard.errors import ConfigurationError

_MAX_VALUES = 50_000
_MAX_DEPTH = 100
_PREFIX = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]{0,30})")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]{0,30})?(\.[0-9_]{0,30})?([eE][-+]?[0-9]{1,3})?")
_TRUE, _NULL = ("true", "yes", "on"), ("", "~", "null")


class UnreadableYamlError(Exception):
    """The text is not YAML, or more than a document of its kind can be. Never leaves the judge."""


def load_document(text: bytes) -> tuple[Any, list[str]]:
    """Return the value of the one document in `text`, and a sentence for every duplicate key.

    Raises UnreadableYamlError. Aliases count as often as they are used, so no small text becomes a huge value.
    """
    try:
        node = yaml.compose(text.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise UnreadableYamlError("it is not UTF-8") from None
    except RecursionError:
        raise UnreadableYamlError("it is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise UnreadableYamlError(f"{line}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableYamlError(str(error).splitlines()[0]) from None
    builder = _ValueBuilder()
    return (None if node is None else builder.value(node, 0)), builder.duplicates


class _ValueBuilder:
    """Turn the tree into values; count what is made."""

    def __init__(self) -> None:
        self.duplicates: list[str] = []
        self._made = 0

    def value(self, node: yaml.Node, depth: int) -> Any:
        self._made += 1
        if self._made > _MAX_VALUES or depth > _MAX_DEPTH:
            raise UnreadableYamlError("it is nested too deeply, or its aliases multiply it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            value = self.value(value_node, depth + 1)
            if key_node.tag == f"{_PREFIX}merge":
                sources = value if isinstance(value, list) else [value]
                merged = {k: v for s in reversed(sources) if isinstance(s, dict) for k, v in s.items()} | merged
                continue
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            if key in found:
                line = key_node.start_mark.line + 1
                self.duplicates.append(f"line {line}: the key {key[:80]!r} stands twice; the last one wins")
            found[key] = value
        return merged | found


def _scalar(node: yaml.Node) -> Any:
    text, kind = str(node.value), str(node.tag).removeprefix(_PREFIX)
    if kind == "null" and text.lower() in _NULL:
        return None
    if kind == "bool":
        return text.lower() in _TRUE
    if kind == "int" and _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    if kind in ("float", "int") and any(c.isdigit() for c in text) and _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    return text


MAX_JSON_BYTES = 4 * 1024 * 1024  # what registries accept of a manifest (distribution-spec, "Pushing Manifests")


def load_json(content: bytes | str, limit_bytes: int = MAX_JSON_BYTES) -> Any:
    """Return the value in `content`; ValueError where it is too long, too deep, or no JSON (NaN is none)."""
    if len(content) > limit_bytes:
        raise ValueError(f"longer than {limit_bytes} bytes")
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


class FrozenModel(BaseModel):
    """Be a value read from a file, a form or the environment: frozen, unknown keys refused.

    Its validator is built when it is first used: a command needs few of all models, and each takes milliseconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


Model = TypeVar("Model", bound=BaseModel)


def load_model(model: type[Model], text: str, *, subject: str, loader: Any = yaml.SafeLoader) -> Model:
    """Load YAML `text` as `model`; raise ConfigurationError that names the key and the nearest known one.

    `loader` is a safe one of PyYAML; that of libyaml is ten times faster, and deep nesting ends the process.
    """
    try:
        document = yaml.load(text, loader) or {}  # noqa: S506 - a safe loader, says the contract
    except RecursionError:
        raise ConfigurationError("it is nested too deeply", subject=subject, remedy="mend the file") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: what looks like a date and is none
        raise ConfigurationError(f"not valid YAML: {error}", subject=subject, remedy="mend the file") from error
    if not isinstance(document, dict):
        raise ConfigurationError("not a mapping of keys", subject=subject, remedy="write `key: value` lines")
    return check_model(model, document, subject=subject)


def check_model(model: type[Model], document: Mapping[str, Any], *, subject: str) -> Model:
    """Validate `document` as `model`; raise ConfigurationError for its first fault."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        # A misspelt key explains the missing one, so it is told first.
        fault = next((item for item in faults if item["type"] == "extra_forbidden"), faults[0])
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            known = _known_keys(model, fault["loc"][:-1])
            near = get_close_matches(str(fault["loc"][-1]), known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(known))}"
            raise ConfigurationError(f"unknown key {key}", subject=subject, remedy=remedy) from None
        said = fault["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{key}: {said}", subject=subject, remedy=f"mend {key}") from None


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys known at `location`; nested models are reached through their fields or mappings."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel) and part in current.model_fields:
            current = current.model_fields[str(part)].annotation
        arguments = getattr(current, "__args__", ())
        nested = [item for item in arguments if isinstance(item, type) and issubclass(item, BaseModel)]
        current = nested[0] if nested and not isinstance(part, int) and part not in _fields(current) else current
    return list(_fields(current))


def _fields(model: Any) -> tuple[str, ...]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        return tuple(model.model_fields)
    nested = [item for item in getattr(model, "__args__", ()) if isinstance(item, type) and issubclass(item, BaseModel)]
    return tuple(nested[0].model_fields) if nested else ()
