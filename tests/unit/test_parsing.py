from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import pytest
from pydantic import Field

from pluginyard.errors import ConfigurationError
from pluginyard.parsing import FrozenModel, UnreadableYamlError, check_model, load_document


class Leaf(FrozenModel):
    colour: str = ""
    weight: int = 0


class Other(FrozenModel):
    length: int = 0


class Tree(FrozenModel):
    one: Leaf = Leaf()
    maybe: Leaf | None = None
    either: Leaf | Other | None = None
    row: tuple[Leaf, ...] = ()
    named: Mapping[str, Leaf] = Field(default_factory=dict)
    rows: Mapping[str, tuple[Leaf, ...]] = Field(default_factory=dict)
    limits: Mapping[Annotated[str, Field(pattern="^[a-z]+$")], int] = Field(default_factory=dict)
    switch: bool | tuple[str, ...] = False


def refuse(document: object) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        check_model(Tree, document, subject="a file")
    return caught.value


@pytest.mark.parametrize(
    ("document", "key", "near"),
    [
        ({"ones": {}}, "ones", "one"),
        ({"one": {"color": "red"}}, "one.color", "colour"),
        ({"maybe": {"color": "red"}}, "maybe.color", "colour"),
        ({"either": {"color": "red"}}, "either.color", "colour"),
        ({"either": {"lenght": 1}}, "either.lenght", "length"),
        ({"row": [{}, {"wieght": 1}]}, "row.1.wieght", "weight"),
        ({"named": {"row": {"wieght": 1}}}, "named.row.wieght", "weight"),
        ({"rows": {"a": [{"wieght": 1}]}}, "rows.a.0.wieght", "weight"),
    ],
)
def test_the_nearest_known_key_is_found_at_any_depth(document: object, key: str, near: str) -> None:
    error = refuse(document)
    assert error.message == f"unknown key {key}"
    assert error.remedy == f"did you mean {near}?"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "a mapping with one, maybe, "),
        ({"one": []}, "one: a mapping with colour, weight is expected here"),
        ({"either": 3}, "either: a mapping with colour, weight, length is expected here"),
        ({"row": {}}, "row: a list is expected here"),
        ({"named": []}, "named: a mapping is expected here"),
        ({"limits": {"A b": 1}}, "limits.A b: "),
        ({"limits": {"a": "x"}}, "limits.a: "),
        ({"switch": "a b"}, "switch: "),
    ],
)
def test_a_wrong_value_is_named_by_its_place_in_the_document(document: object, message: str) -> None:
    assert refuse(document).message.startswith(message)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x1F", 31), ("017", 15), ("0b11", 3), ("-0x1f", -31), ("0_7", 7), ("1_000", 1000), ("0", 0), (".5", 0.5),
        ("09", "09"), ("0x_", "0x_"), ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), ("!!int 0xZZ", "0xZZ"),
        ("yes", True), ("~", None), ("", None),
    ],
)  # fmt: skip
def test_scalars_are_read_as_yaml_1_1_reads_them_except_dates_and_base_sixty(text: str, value: object) -> None:
    assert load_document(text, 100) == (value, [])


@pytest.mark.parametrize("text", [b"a: \xff", b"x" * 101, '"\\ud800"', '"\\UFFFFFFFF": 1', "{\ud800: 1}", "a: \x1b"])
def test_what_no_reader_should_take_is_one_error(text: bytes | str) -> None:
    with pytest.raises(UnreadableYamlError):
        load_document(text, 100)
