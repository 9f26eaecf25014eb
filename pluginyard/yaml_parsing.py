"""Parse YAML by libyaml where PyYAML has it: the nodes that PyYAML's own parser gives, about nine times sooner.

libyaml only scans and parses, on a stack of its own. Nodes are composed in Python, where deep nesting is a
RecursionError; PyYAML's CSafeLoader composes in C, and 200,000 brackets end the process (measured).
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

Loader: type[Any]
try:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs name its loaders only
except ImportError:  # PyYAML was built without libyaml
    Loader = yaml.SafeLoader
else:

    class _Loader(Composer, CParser, SafeConstructor, Resolver):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    Loader = _Loader

# What the two parsers read differently, found by comparing mutated texts: characters beyond ordinary ones (tabs, other
# line ends, byte order marks), tags, directives, a comment at a block's header, and question marks within { } or [ ].
_UNLIKE = re.compile(
    r"[^\n -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    r"|(?<!\w)!|^%|[|>][-+0-9]*#",
    re.MULTILINE,
)
_QUOTED = re.compile(r'(?<=[\s,\[{])"[^"\\\n]*"')


def compose_yaml(text: str) -> yaml.Node | None:
    """Return the node of the one document in `text`, None for an empty one; raise yaml.YAMLError or RecursionError."""
    return _parse(yaml.compose, text)  # type: ignore[no-any-return]


def load_yaml(text: str) -> Any:
    """Return the value of the one document in `text`, by safe types only; raise yaml.YAMLError or RecursionError."""
    return _parse(yaml.load, text)


def _parse(parse: Any, text: str) -> Any:
    if _is_read_alike(text):
        try:
            return parse(text, Loader=Loader)
        except yaml.YAMLError:
            pass  # PyYAML's own parser says it in its words, and has the last one
    return parse(text, Loader=yaml.SafeLoader)


def _is_read_alike(text: str) -> bool:
    """Tell whether both parsers read `text` alike, wherever libyaml reads it at all."""
    plain = _QUOTED.sub("", text)
    return not _UNLIKE.search(text) and not ("?" in plain and ("{" in plain or "[" in plain))
