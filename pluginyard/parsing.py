"""Read YAML nobody has vouched for: plain values only, duplicate keys reported, size and depth bounded.

PyYAML only builds the tree; values are made here, so no constructor of a tag ever runs.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

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
    builder = _Builder()
    return (None if node is None else builder.value(node, 0)), builder.duplicates


class _Builder:
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
