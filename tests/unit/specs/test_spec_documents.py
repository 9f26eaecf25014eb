from __future__ import annotations

import time

import pytest

from pluginyard.specs import judge_documents
from tests.machine.artifact_builder import GOOD_SPEC


def said(spec: bytes, rule: str = "", **versions: str) -> str:
    """Return what is said, of one rule or of all."""
    return "\n".join(f"{f.rule} {f.message}" for f in judge_documents(spec, **versions) if rule in ("", f.rule))


def changed(old: bytes, new: bytes) -> bytes:
    assert old in GOOD_SPEC
    return GOOD_SPEC.replace(old, new, 1)


def schema(text: str) -> bytes:
    """Return a good spec.yaml with this openAPIV3Schema, given from its own first column."""
    head = GOOD_SPEC[: GOOD_SPEC.index(b"      type: object")]
    return head + "".join(f"      {line}\n" for line in text.splitlines()).encode()


def test_nothing_is_said_against_a_good_spec() -> None:
    assert said(GOOD_SPEC, version="1.0.0", declared_version="1.0.0") == ""


# S1


@pytest.mark.parametrize(
    "path", ["apiVersion", "info.category", "info.name", "info.title", "info.description", "info.version", "spec.phase"]
)
def test_a_required_field_that_is_missing_is_named(path: str) -> None:
    key = path.rpartition(".")[2].encode()
    line = next(line for line in GOOD_SPEC.splitlines(True) if line.strip().startswith(key + b":"))
    assert said(changed(line, b"")) == f"S1 spec.yaml: {path} is missing"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"priority: 320", b'priority: "320"', "spec.priority is a string, not an integer"),
        (b"priority: 320", b"priority: true", "spec.priority is a boolean, not an integer"),
        (b"version: 1.0.0\nspec", b"version: 1.0\nspec", "info.version is a number, not a string"),
        (b"  name: request-block", b"  name: request-block\n  contact: {name: 7}", "info.contact.name is an integer"),
        (b"  title:", b"  x-title-i18n: {zh-CN: 1}\n  title:", "x-title-i18n is a map, not a map of strings"),
        (b"apiVersion: 1.0.0", b"apiVersion: 2.0.0", "apiVersion is '2.0.0'"),
        (b"type: object", b"type: thing", "unknown type 'thing'"),
    ],
)
def test_a_field_of_another_type_is_named(old: bytes, new: bytes, message: str) -> None:
    assert message in said(changed(old, new), "S1")


def test_a_duplicate_key_is_named_with_its_line() -> None:
    found = said(changed(b"  phase:", b"  priority: 1\n  phase:"), "S1")
    assert found == "S1 spec.yaml: line 11: the key 'priority' stands twice; the last one wins"


def test_the_same_key_in_two_maps_is_no_duplicate() -> None:
    assert said(changed(b"  title:", b"  contact: {name: a}\n  title:")) == ""


HOSTILE = {
    "nothing": b"",
    "a list": b"- a\n",
    "a scalar": b"plugin",
    "a tab": b"a:\n\t- b",
    "an unclosed quote": b'a: "b',
    "no UTF-8": b"a: \xff\xfe\xfa",
    "a control character": b"a: \x07",
    "two documents": GOOD_SPEC + b"---\n" + GOOD_SPEC,
    "an unknown alias": b"a: *b",
    "an alias of itself": b"a: &a\n  b: *a",
    "a thousand brackets": b"[" * 1_000,
    "a hundred thousand brackets": b"a: " + b"[" * 100_000,
    "six hundred kilobytes": b"#" + b"x" * 600_000,
    "a billion laughs": b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 10)) for i in range(9)),
    "maps nested two hundred times": b"".join(b" " * i + b"a:\n" for i in range(200)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_spec_breaks_rule_s1_and_nothing_else_happens(case: str) -> None:
    begin = time.process_time()
    found = judge_documents(HOSTILE[case])
    assert found
    assert {f.rule for f in found} == {"S1"}
    assert time.process_time() - begin < 5


def test_no_tag_ever_makes_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    spec = changed(b"title: Request Block", b"title: !!python/object/apply:builtins.print [called]")
    assert "info.title is a list" in said(spec, "S1")
    assert capsys.readouterr().out == ""


def test_an_integer_in_base_sixty_and_a_date_are_text() -> None:
    assert said(changed(b"title: Request Block", b"title: 2024-99-99")) == ""
    begin = time.process_time()
    judge_documents(changed(b"title: Request Block", b"title: 1" + b":1" * 100_000))
    assert time.process_time() - begin < 5


def test_merge_keys_are_followed() -> None:
    spec = changed(b"apiVersion: 1.0.0\ninfo:\n", b"x: &x {category: auth}\napiVersion: 1.0.0\ninfo:\n  <<: *x\n")
    assert said(spec.replace(b"\n  category: auth", b"", 1)) == ""


# S2


@pytest.mark.parametrize(
    ("tag", "declared", "broken"),
    [
        ("1.0.0", "1.0.0", False),
        ("", "", False),
        ("1.0.0", "1.0.0\n", False),
        ("1.0.1", "", True),
        ("", "2.0.0", True),
        ("1.0.0", "2.0.0", True),
    ],
)
def test_the_three_versions_must_agree_where_they_are_given(tag: str, declared: str, broken: bool) -> None:
    assert bool(said(GOOD_SPEC, "S2", version=tag, declared_version=declared)) == broken


# S3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type: object\nexample: {a: x}\nproperties: {a: {type: integer}}", "a: 'x' is not of type 'integer'"),
        ("type: object\nexample: {}\nrequired: [a]\nproperties: {a: {type: string}}", "'a' is a required property"),
        ("type: object\nrequired: [b]\nproperties: {a: {type: string}}", "required names 'b', which is no property"),
        ("type: object\nproperties: {a: {type: string, required: true}}", ".a: required is no list of names"),
        ("type: object\nproperties: {a: {type: integer, example: 11, maximum: 10}}", "11 is greater than the maximum"),
        ("type: object\nproperties: {a: {type: string, example: abc, maxLength: 2}}", "'abc' is too long"),
        ("type: object\nproperties: {a: {type: string, example: abc, pattern: '^[0-9]+$'}}", "does not match"),
        (
            "type: object\nexample: {b: 1}\nadditionalProperties: false\nproperties: {a: {type: string}}",
            "'b' was unexpected",
        ),
        ("type: array\nexample: [1, x]\nitems: {type: integer}", "[1]: 'x' is not of type"),
        ("type: object\nproperties: {a: {type: string, enum: [x, y], example: z}}", "'z' is not one of"),
    ],
)
def test_an_example_that_breaks_its_own_schema_is_named(text: str, message: str) -> None:
    assert message in said(schema(text), "S3")


@pytest.mark.parametrize(
    "text",
    [
        "type: object\nexample: {a: 1}\nproperties: {a: {type: integer}}",
        "type: object\nproperties: {a: {type: string, nullable: true, example: null}}",
        "type: object\nexample: {b: 1}\nproperties: {a: {type: string}}",
        "type: object\nproperties: {a: {type: number, example: 1}}",
        "type: object\nadditionalProperties: {type: integer}\nexample: {x: 1}",
    ],
)
def test_an_example_that_keeps_its_schema_is_not_named(text: str) -> None:
    assert said(schema(text)) == ""


def test_the_route_schema_is_judged_too() -> None:
    route = b"  routeConfigSchema: {openAPIV3Schema: {type: object, required: [z]}}\n"
    assert "spec.routeConfigSchema: required names 'z'" in said(GOOD_SPEC + route, "S3")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("(a+)+$", False),
        ("(a|aa)*b", False),
        ("a*a*a*a*b", False),
        ("(?:a{1,9}){1,9}", True),
        ("a?" * 30 + "a" * 30, True),
        ("(a|a)" * 30, True),
    ],
)
def test_a_pattern_that_would_backtrack_for_years_is_checked_at_once(pattern: str, matches: bool) -> None:
    begin = time.process_time()
    found = said(
        schema(f"type: object\nproperties: {{a: {{type: string, example: {'a' * 10_000}!, pattern: '{pattern}'}}}}")
    )
    assert time.process_time() - begin < 2
    assert "not checked" not in found
    assert ("does not match" in found) != matches


@pytest.mark.parametrize("pattern", ["([", r"(a)\1{5}", "(?=a)b", "(?!a)b", "(abcdefgh){1000}", "a{9999}"])
def test_a_pattern_that_has_no_linear_way_to_run_is_not_run_but_said(pattern: str) -> None:
    found = judge_documents(
        schema(f"type: object\nproperties: {{a: {{type: string, example: {'a' * 100}!, pattern: '{pattern}'}}}}")
    )
    assert [(f.rule, f.level) for f in found] == [("S3", "I")]
    assert "pattern" in found[0].message


def test_the_longest_pattern_that_is_run_ends_soon() -> None:
    begin = time.process_time()
    worst = "a*a*a?a?a?a?b"
    assert "not match" in said(schema(f"type: string\nexample: {'a' * 128}\npattern: {worst}"), "S3")
    assert time.process_time() - begin < 5


_NAMES = ",".join(f"e{number}" for number in range(9_000))
_PATTERNS = {
    "a pattern, for each alias of a property": "type: object\nproperties:\n"
    f"  p: &p {{type: string, pattern: 'a*a*a?a?a?a?b', example: {'a' * 127}b}}\n"
    + "".join(f"  p{number}: *p\n" for number in range(900)),
    "a pattern, for each item of an example": "type: array\nitems: {pattern: 'a*a*a?a?a?a?b'}\n"
    f"example: [{','.join(['a' * 127 + 'b'] * 900)}]",
}
_AGAIN = {
    "an enumeration": f"type: array\nitems: {{enum: [{_NAMES}]}}\nexample: [{','.join(['e8999'] * 9_000)}]",
    "a long text": f"type: string\npattern: '(?:[ab]*a[ab]{{20}}){{40}}z'\nexample: {'ab' * 200_000}",
    "a long text, in an enumeration": f"type: array\nitems: {{enum: [&t {'x' * 100_000}]}}\n"
    f"example: [{','.join(['*t'] * 5_000)}]",
    "all properties": "type: array\n"
    f"items: {{properties: {{{','.join(f'e{number}: {{}}' for number in range(4_000))}}}}}\n"
    f"example: [{','.join(['{}'] * 9_000)}]",
}


@pytest.mark.parametrize("what", _PATTERNS)
def test_a_pattern_that_is_run_again_and_again_is_checked_each_time(what: str) -> None:
    begin = time.process_time()
    assert said(schema(_PATTERNS[what])) == ""
    assert time.process_time() - begin < 5
    assert "does not match" in said(schema(_PATTERNS[what].replace("aab", "aac")))


@pytest.mark.parametrize("what", _AGAIN)
def test_what_is_looked_at_again_and_again_is_not_checked_to_its_end_but_said(what: str) -> None:
    begin = time.process_time()
    found = said(schema(_AGAIN[what]), "S3")
    assert time.process_time() - begin < 5
    assert "not checked: examples that would take long" in found


def test_of_thousands_of_names_that_each_item_lacks_the_first_are_named_in_no_time() -> None:
    items = f"type: array\nitems: {{required: [{_NAMES}]}}\nexample: [{','.join(['{}'] * 9_000)}]"
    begin = time.process_time()
    assert "required names 'e0', which is no property" in said(schema(items), "S3")
    assert time.process_time() - begin < 5


def test_a_long_list_of_examples_is_checked() -> None:
    items = "items: {type: object, properties: {a: {type: string, pattern: '^[a-z]+$', enum: [x, y]}}}"
    assert said(schema(f"type: array\n{items}\nexample: [{','.join(['{a: x}'] * 1_000)}]")) == ""
    assert "'z' is not one of" in said(schema(f"type: array\n{items}\nexample: [{','.join(['{a: z}'] * 1_000)}]"))


def test_thousands_of_faults_below_a_long_name_are_told_in_no_time() -> None:
    faults = ",".join(f"e{number}: {{type: x}}" for number in range(4_000))
    begin = time.process_time()
    found = said(schema(f"type: object\nproperties:\n  ? {'k' * 300_000}\n  : {{properties: {{{faults}}}}}"))
    assert time.process_time() - begin < 5
    assert "unknown type 'x'" in found
    assert len(found) < 50 * 700


def test_a_pattern_is_run_over_a_long_text() -> None:
    text = "type: object\nproperties: {a: {type: string, example: EXAMPLE, pattern: '^a+b?$'}}"
    assert said(schema(text.replace("EXAMPLE", "a" * 50_000))) == ""
    assert "does not match" in said(schema(text.replace("EXAMPLE", "a" * 50_000 + "c")))


def test_a_pattern_knows_the_letters_of_every_script_and_the_end_of_the_text_only() -> None:
    assert said(schema("type: string\nexample: 中文\npattern: '^[\\p{Han}]+$'")) == ""
    assert "does not match" in said(schema("type: string\nexample: \"a\\n\"\npattern: '^a$'"))


def test_a_schema_of_thousands_of_parts_is_not_checked_to_its_end() -> None:
    properties = "\n".join(f"  p{i}: {{type: string}}" for i in range(6_000))
    assert "a schema of that size" in said(schema(f"type: object\nproperties:\n{properties}"))


def test_a_reference_is_never_followed() -> None:
    for target in ("http://127.0.0.1:9/x", "#", "#/components/schemas/x", "file:///etc/passwd"):
        found = judge_documents(schema(f"type: object\nexample: {{a: 1}}\nproperties: {{a: {{$ref: '{target}'}}}}"))
        assert [(f.rule, f.level) for f in found] == [("S3", "I")]
        assert "$ref" in found[0].message


def test_schemas_that_multiply_themselves_end() -> None:
    lines = ["type: object", "properties:", "  p0: &p0 {type: object, example: {}, properties: {x: {type: string}}}"]
    lines += [f"  p{i}: &p{i} {{type: object, properties: {{a: *p{i - 1}, b: *p{i - 1}}}}}" for i in range(1, 30)]
    begin = time.process_time()
    assert judge_documents(schema("\n".join(lines)))
    assert time.process_time() - begin < 5


# S4


@pytest.mark.parametrize("phase", ["UNSPECIFIED_PHASE", "AUTHN", "authz", "STATS", "default", "unspecified"])
def test_the_phases_of_the_document_and_of_the_console_are_known(phase: str) -> None:
    assert said(changed(b"UNSPECIFIED_PHASE", phase.encode())) == ""


@pytest.mark.parametrize("category", ["auth", "flow-control", "ai", "transform", "transformation", "traffic", "o11y"])
def test_the_categories_of_the_document_and_those_in_use_are_known(category: str) -> None:
    assert said(changed(b"category: auth", b"category: " + category.encode())) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"UNSPECIFIED_PHASE", b"SOON"),
        (b"category: auth", b"category: misc"),
        (b"category: auth", b"category: auth\n  type: free"),
        (b"x-scope: GLOBAL", b"x-scope: WORLD"),
    ],
)
def test_an_unknown_value_is_named_with_the_known_ones(old: bytes, new: bytes) -> None:
    found = said(changed(old, new))
    assert found.startswith("S4")
    assert "known are" in found
