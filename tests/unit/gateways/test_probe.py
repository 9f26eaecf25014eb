from __future__ import annotations

import json
from pathlib import PurePosixPath
from textwrap import dedent, indent
from typing import Any

import pytest

from pluginyard.errors import ConfigurationError
from pluginyard.gateways import Answer, Exchange, Probe, judge_answers, reason_of_refusal, render_bootstrap
from pluginyard.settings import load_configuration


def parse(text: str) -> Probe:
    settings = load_configuration(f"plugins:\n  demo:\n    probe:\n{indent(dedent(text), ' ' * 6)}")
    return settings.plugin("demo").probe or Probe()


def exchange(path: str, expect: Any = 200, **more: Any) -> Exchange:
    return Exchange(path=path, expect=expect, **more)


def refuse(text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    return caught.value


def test_a_probe_holds_what_the_file_says() -> None:
    probe = parse("""
        configuration: {blocked: [/hello.html], message: 不}
        exchanges:
          - {path: /hello.html, expect: 403}
          - method: post
            path: /?x=1
            headers: {X-User: me}
            body: text
            expect: {status: 201, contains: done, headers: {X-Seen: ""}}
    """)
    assert probe.configuration == '{"blocked":["/hello.html"],"message":"不"}'
    first, second = probe.exchanges
    assert first == exchange("/hello.html", 403)
    assert (second.method, second.path, second.headers, second.body) == ("POST", "/?x=1", (("x-user", "me"),), "text")
    assert second.expect.model_dump() == {"status": 201, "contains": "done", "headers": (("x-seen", ""),)}


def test_a_configuration_that_is_text_is_given_as_it_is() -> None:
    assert parse('configuration: "not JSON"').configuration == "not JSON"
    assert parse("configuration: 2026-01-01").configuration == "2026-01-01"


def test_an_exchange_is_a_get_of_the_root_that_is_answered_200() -> None:
    assert parse("exchanges: [{}]").exchanges == (exchange("/", method="GET"),)


def test_a_plugin_without_a_probe_is_loaded_without_configuration() -> None:
    assert parse("{}") == parse("") == Probe()


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        ("exchange: []", "exchange", "did you mean exchanges?"),
        ("exchanges: [{}, {paht: /}]", "exchanges.1.paht", "did you mean path?"),
        ("exchanges: [{expect: {stauts: 1}}]", "exchanges.0.expect.stauts", "did you mean status?"),
        ("exchanges: [{zzzz: 1}]", "exchanges.0.zzzz", "known keys: body, expect, headers, method, path"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(text: str, key: str, remedy: str) -> None:
    error = refuse(text)
    assert error.subject == "pluginyard.yaml"
    assert error.message == f"unknown key plugins.demo.probe.{key}"
    assert error.remedy == remedy


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "a mapping with configuration, exchanges is expected here"),
        ("exchanges: {}", ""),
        ("exchanges: 3", "a list is expected here"),
        ("exchanges: [3]", "a mapping with method, path, headers, body, expect is expected here"),
        ("exchanges: [{path: hello}]", "not a path"),
        ("exchanges: [{path: '/a b'}]", "not a path"),
        ('exchanges: [{path: "/a\\r\\nHost: x"}]', "not a path"),
        ("exchanges: [{path: /é}]", "not a path"),
        ("exchanges: [{method: TRACE}]", "not one of GET"),
        ("exchanges: [{expect: 99}]", "200 to 599"),
        ("exchanges: [{expect: true}]", "200 to 599"),
        ("exchanges: [{expect: '403'}]", "200 to 599"),
        ("exchanges: [{headers: [a]}]", "`headers`"),
        ('exchanges: [{headers: {a: "b\\nc"}}]', "no header may hold"),
        ("exchanges: [{body: {a: b}}]", "body: "),
        ("exchanges: [{expect: {contains: 3}}]", "contains: "),
        ("configuration: {a: 1.0e+999}", "JSON"),
    ],
)
def test_a_wrong_value_is_refused_with_the_place_it_stands_in(text: str, told: str) -> None:
    if not told:
        assert parse(text).exchanges == ()
        return
    error = refuse(text)
    assert told in error.message
    assert error.message.startswith("plugins.demo.probe")
    assert error.remedy.startswith("fix plugins.demo.probe")


PROBE = Probe(exchanges=(exchange("/x", {"status": 403, "contains": "blocked"}), exchange("/")))


def test_answers_as_expected_give_no_finding() -> None:
    assert judge_answers(PROBE, (Answer(403, body="it is blocked."), Answer(200))) == ()


def test_each_difference_is_one_sentence() -> None:
    found = judge_answers(PROBE, (Answer(200, body="hello"), Answer(failure="no answer within 10 s")))
    assert found == (
        "GET /x: answered 200, expected 403",
        "GET /x: body 'hello' does not contain 'blocked'",
        "GET /: no answer within 10 s",
    )


def test_an_exchange_that_was_not_sent_is_a_finding() -> None:
    assert judge_answers(PROBE, (Answer(403, body="blocked"),)) == ("GET /: not sent",)


def test_expected_headers_are_compared_by_name_and_value() -> None:
    probe = Probe(exchanges=(exchange("/", {"headers": {"x-a": "1", "x-b": "", "x-c": ""}}),))
    found = judge_answers(probe, (Answer(200, (("x-a", "2"), ("x-b", "any"))),))
    assert found == ("GET /: header x-a is '2', expected '1'", "GET /: header x-c is missing")


def test_the_bootstrap_puts_the_module_before_the_upstream() -> None:
    text = render_bootstrap(PurePosixPath("/m/plugin.wasm"), '{"a":"\\""}', upstream_port=9, name="demo")
    resources = json.loads(text)["static_resources"]
    manager = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    wasm, router = manager["http_filters"]
    assert wasm["typed_config"]["config"]["vm_config"]["code"] == {"local": {"filename": "/m/plugin.wasm"}}
    assert wasm["typed_config"]["config"]["configuration"]["value"] == '{"a":"\\""}'
    assert router["name"] == "envoy.filters.http.router"
    assert '"port_value":9' in json.dumps(resources["clusters"], separators=(",", ":"))


def test_everything_the_bootstrap_opens_is_on_loopback() -> None:
    text = render_bootstrap(PurePosixPath("/m"), "", upstream_port=9, name="demo")
    assert text.count('"address":"127.0.0.1"') == text.count("port_value") == 3


HEAD = "[2026-01-01 00:00:00.000][7]"
REFUSED = f"""{HEAD}[critical][wasm] [source/extensions/common/wasm/wasm.cc:626] Plugin demo failed to load
{HEAD}[critical][main] [source/server/server.cc:449] error `Unable to create Wasm plugin demo` initializing config 'x'
Unable to create Wasm plugin demo
"""


def test_the_reason_is_what_envoy_says_once() -> None:
    line = f"{HEAD}[error][wasm] [source/wasm.cc:104] Wasm VM failed Missing or unknown Proxy-Wasm ABI version\n"
    assert reason_of_refusal(line + line + REFUSED) == "Wasm VM failed Missing or unknown Proxy-Wasm ABI version"


def test_the_reason_ends_with_what_the_module_said() -> None:
    log = (
        f"{HEAD}[info][wasm] [source/context.cc:1] wasm log demo demo: starting\n"
        f"{HEAD}[warning][wasm] [source/context.cc:1] wasm log demo demo: `blocked` names no path\n"
        f"{HEAD}[error][wasm] [source/wasm.cc:104] Wasm VM failed Failed to configure base Wasm plugin\n"
    )
    told = "Wasm VM failed Failed to configure base Wasm plugin; the module said: `blocked` names no path"
    assert reason_of_refusal(log + REFUSED) == told


def test_a_panic_that_arrives_in_pieces_is_one_sentence_of_bounded_length() -> None:
    pieces = ["panic: ", "cannot start", "", "goroutine ", *["x" * 50] * 20]
    log = "".join(f"{HEAD}[error][wasm] [source/context.cc:1157] wasm log: {piece}\n" for piece in pieces)
    reason = reason_of_refusal(log + REFUSED)
    assert "the module said: panic: cannot start goroutine x" in reason
    assert len(reason) < 400


def test_a_log_with_only_the_closing_lines_still_gives_a_reason() -> None:
    assert reason_of_refusal(REFUSED) == "Unable to create Wasm plugin"


def test_an_end_that_is_not_for_the_module_is_no_refusal() -> None:
    log = f"{HEAD}[critical][main] [source/server/server.cc:449] error `cannot bind '127.0.0.1:1'` initializing\n"
    assert reason_of_refusal(log) == ""
