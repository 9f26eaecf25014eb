"""YAML is read as PyYAML's own parser reads it, whichever parser does."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from pluginyard.configuration import load_configuration
from pluginyard.errors import ConfigurationError
from pluginyard.yaml_parsing import Loader, compose_yaml, load_yaml

PROJECT = Path(__file__).parents[2]
FILES = sorted([*PROJECT.glob("examples/**/*.yaml"), *PROJECT.glob("builders/*/builder.yaml")])
TEXTS = [
    "",
    "a: |\n  text\n   more\nb: >-\n  fold\n  ed\n\n  x\n",
    "- &a {b: c}\n- *a\n- [x, 'y', \"z\\u00e9\", ]\n",
    "? k\n: v\n",
    'path: {path: "/hello.html?x=1", expect: 403}\n',
    "当: 对指定的路径返回\n",
    "a: Really? Yes!\n",
]
# Read by libyaml, refused by PyYAML's own parser.
REFUSED = [
    '{path:"/x?y", expect: 403}\n',
    "a:\tb\n",
    "{a: b, c?: d}\n",
    '{a: b", c?, d": e}\n',
    "a: >-#\n  x\n",
    "b: x\t: y\n",
]
PIECES = [
    ": ",
    "- ",
    "? ",
    "\n  ",
    "\n",
    "\t",
    " #",
    '"',
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "!x ",
    "|\n",
    "%",
    "?",
]


def tree(text: str, loader: type) -> object:
    """Return the nodes of `text` as plain tuples, or the kind of error."""

    def plain(node: yaml.Node | None) -> object:
        if isinstance(node, yaml.MappingNode):
            return node.tag, [(plain(key), plain(value)) for key, value in node.value]
        if isinstance(node, yaml.SequenceNode):
            return node.tag, [plain(item) for item in node.value]
        return node and (node.tag, node.value)

    try:
        return plain(compose_yaml(text) if loader is Loader else yaml.compose(text, Loader=loader))
    except yaml.YAMLError as error:
        return str(error)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_every_file_of_the_project_has_the_same_nodes(path: Path) -> None:
    text = path.read_text()
    assert tree(text, Loader) == tree(text, yaml.SafeLoader)
    if "broken-spec" not in path.parts:
        assert load_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize("text", TEXTS + REFUSED)
def test_what_is_read_and_what_is_refused_is_the_same_in_the_same_words(text: str) -> None:
    assert tree(text, Loader) == tree(text, yaml.SafeLoader)


def test_texts_with_something_put_in_or_taken_out_are_read_alike() -> None:
    chosen = random.Random(7)
    texts = [path.read_text() for path in FILES] + TEXTS
    for _ in range(2000):
        text = chosen.choice(texts)
        begin = chosen.randrange(len(text) + 1)
        text = text[begin : begin + 200]
        for _ in range(chosen.randrange(1, 4)):
            place = chosen.randrange(len(text) + 1)
            text = text[:place] + chosen.choice([*PIECES, ""]) + text[place + chosen.randrange(2) :]
        assert tree(text, Loader) == tree(text, yaml.SafeLoader), repr(text)


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml here")
def test_libyaml_parses_where_it_is_there() -> None:
    assert issubclass(Loader, yaml.cyaml.CParser)


@pytest.mark.parametrize("text", ["[" * 200_000 + "]" * 200_000, "- " * 200_000, "a: " + "{a: " * 100_000])
def test_deep_nesting_is_an_error_and_not_the_end_of_the_process(text: str) -> None:
    with pytest.raises(RecursionError):
        compose_yaml(text)
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        load_configuration(text)


def test_a_date_that_is_none_is_told_as_a_fault_of_the_file() -> None:
    with pytest.raises(ConfigurationError, match="not valid YAML: month must be"):
        load_configuration("source_url: 2026-13-45\n")
