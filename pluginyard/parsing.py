"""Read JSON and YAML from untrusted sources: bounded, duplicate keys and the nearest known key reported.

Of YAML, PyYAML only builds the tree; values are made here, so no constructor of a tag ever runs.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Annotated, Any, NoReturn, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pluginyard.errors import ConfigurationError

_MAX_NODES = 100_000
_MAX_VALUES = 50_000
_MAX_DEPTH = 100
_MAX_DUPLICATES = 20
_PREFIX = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]{0,30})")
_BASED = re.compile(r"([-+]?0)([xb]?)([0-9A-Fa-f_]{1,60})")  # YAML 1.1: 0x1f, 0b11, 017
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]{0,30})?(\.[0-9_]{0,30})?([eE][-+]?[0-9]{1,3})?")
_TRUE, _NULL = ("true", "yes", "on"), ("", "~", "null")


class UnreadableYamlError(Exception):
    """The text is not YAML, or more than a document of its kind can be. Its readers translate it."""


class _BoundedLoader(yaml.SafeLoader):
    """Stop at a document that is larger or deeper than any of its kind."""

    _nodes = _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._nodes += 1
        self._depth += 1
        if self._nodes > _MAX_NODES:
            raise UnreadableYamlError("it holds too many values")
        if self._depth > _MAX_DEPTH:
            raise UnreadableYamlError("it is nested too deeply")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def load_document(text: bytes | str, limit_bytes: int, *, loader: Any = _BoundedLoader) -> tuple[Any, list[str]]:
    """Return the value of the one document in `text`, and a sentence for each duplicate key.

    Raises UnreadableYamlError. Aliases count as often as they are used, so no small text becomes a huge value.
    """
    if len(text) > limit_bytes:
        raise UnreadableYamlError(f"it is larger than {limit_bytes} bytes")
    try:
        node = yaml.compose(text if isinstance(text, str) else text.decode("utf-8-sig"), Loader=loader)
    except UnicodeDecodeError:
        raise UnreadableYamlError("it is not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise UnreadableYamlError(f"{line}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: an escape that names no character
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
                for source in value if isinstance(value, list) else [value]:
                    for name, inner in source.items() if isinstance(source, dict) else ():
                        merged.setdefault(name, inner)
                continue
            key = _text_of(key_node) if isinstance(key_node, yaml.ScalarNode) else "?"
            if key in found and len(self.duplicates) < _MAX_DUPLICATES:
                line = key_node.start_mark.line + 1
                self.duplicates.append(f"line {line}: the key {key[:80]!r} stands twice; the last one wins")
            found[key] = value
        return merged | found


def _scalar(node: yaml.Node) -> Any:
    text, kind = _text_of(node), str(node.tag).removeprefix(_PREFIX)
    if kind == "null" and text.lower() in _NULL:
        return None
    if kind == "bool":
        return text.lower() in _TRUE
    if kind == "int" and _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    if kind == "int" and (based := _BASED.fullmatch(text)):
        with suppress(ValueError):
            return int(f"{based[1]}{based[2] or 'o'}{based[3].replace('_', '')}", 0)
    if kind in ("float", "int") and any(c.isdigit() for c in text) and _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    return text


def _text_of(node: yaml.Node) -> str:
    """Return the text of a scalar; refuse half of a surrogate pair, which no encoding can write."""
    text = str(node.value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnreadableYamlError(f"line {node.start_mark.line + 1}: half of a surrogate pair") from None
    return text


MAX_JSON_BYTES = 4 * 1024 * 1024  # what registries accept of a manifest (distribution-spec, "Pushing Manifests")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def load_json(content: bytes | str, limit_bytes: int = MAX_JSON_BYTES) -> Any:
    """Return the value in `content`; ValueError where it is too long, too deep, or no JSON (NaN is none)."""
    if len(content) > limit_bytes:
        raise ValueError(f"longer than {limit_bytes} bytes")
    text = (
        content if isinstance(content, str) else content.decode()
    )  # not by json, which also takes UTF-16 and surrogates
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not _SURROGATE.search(text):
        return value
    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))  # as Go: half a pair is replaced


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


class FrozenModel(BaseModel):
    """Be a value read from a file, a form or the environment: frozen, unknown keys refused.

    Its validator is built when it is first used: a command needs few of all models, and each takes milliseconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


Model = TypeVar("Model", bound=BaseModel)
MAX_SETTINGS_BYTES = 256 * 1024
"""Fifty plugins with long probes take a tenth of it."""
# In place of pydantic's words, which name the types of Python.
_EXPECTED = {
    "tuple_type": "a list is expected here",
    "list_type": "a list is expected here",
    "dict_type": "a mapping is expected here",
    "mapping_type": "a mapping is expected here",
}


def load_model(model: type[Model], text: str, *, subject: str, loader: Any = _BoundedLoader) -> Model:
    """Load YAML `text` as `model`; raise ConfigurationError that names the key and the nearest known one.

    `loader` is a safe one of PyYAML; that of libyaml is ten times faster, and deep nesting ends the process.
    """
    try:
        document, duplicates = load_document(text, MAX_SETTINGS_BYTES, loader=loader)
    except UnreadableYamlError as error:
        raise ConfigurationError(f"not valid YAML: {error}", subject=subject, remedy="fix the file") from None
    if duplicates:
        raise ConfigurationError("; ".join(duplicates), subject=subject, remedy="keep one of them")
    if not isinstance(document, dict | None):
        raise ConfigurationError("not a mapping of keys", subject=subject, remedy="write `key: value` lines")
    return check_model(model, document or {}, subject=subject)


def check_model(model: type[Model], document: Any, *, subject: str) -> Model:
    """Validate `document` as `model`; raise ConfigurationError for its first fault."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    # A misspelt key explains the missing one, so it is reported first.
    fault = next((item for item in faults if item["type"] == "extra_forbidden"), faults[0])
    path = tuple(_path(document, fault["loc"], lacks_last=fault["type"] == "missing"))
    key = ".".join(map(str, path))
    if fault["type"] == "extra_forbidden":
        known = sorted({name for place in _models_at(model, path[:-1]) for name in place.model_fields})
        near = get_close_matches(str(path[-1]), known, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        raise ConfigurationError(f"unknown key {key}", subject=subject, remedy=remedy)
    said = _EXPECTED.get(fault["type"], fault["msg"].removeprefix("Value error, "))
    if fault["type"] == "model_type":
        names = (name for place in _models_at(model, path) for name in place.model_fields)
        said = f"a mapping with {', '.join(dict.fromkeys(names))} is expected here"
    raise ConfigurationError(f"{key}: {said}" if key else said, subject=subject, remedy=f"fix {key or 'it'}")


def _path(document: Any, location: Sequence[int | str], *, lacks_last: bool) -> Iterator[int | str]:
    """Yield the parts of `location` that lead through `document`: pydantic names the branches of unions too."""
    value = document
    for part in location:
        holds = part in value if isinstance(value, Mapping) else isinstance(value, list) and isinstance(part, int)
        if holds:
            value = value[part]
            yield part
    if lacks_last:
        yield location[-1]


def _models_at(annotation: Any, path: Sequence[int | str]) -> Iterator[type[BaseModel]]:
    """Yield the models of which one stands at `path` below `annotation`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path:
            yield annotation
        elif field := annotation.model_fields.get(str(path[0])):
            yield from _models_at(field.annotation, path[1:])
        return
    is_container = get_origin(annotation) not in (Union, types.UnionType, Annotated, None)
    if is_container and not path:
        return
    for inner in get_args(annotation):
        yield from _models_at(inner, path[1:] if is_container else path)
