"""A module that died is a failure, whatever was answered; Envoy's words say so, the module's own do not."""

from __future__ import annotations

import pytest

from pluginyard.errors import GatewayError
from pluginyard.gateways import (
    Answer,
    Exchange,
    Expectation,
    Probe,
    ProbeResult,
    choose_probe,
    find_crashes,
    require_alive,
)

LINE = "[2026-01-01 00:00:00.000][12][{level}][wasm] [source/extensions/common/wasm/{place}] {words}\n"


def line(words: str, level: str = "error", place: str = "wasm_vm.cc:38") -> str:
    return LINE.format(level=level, place=place, words=words)


TRAP = "Function: proxy_on_context_create failed: Uncaught RuntimeError: unreachable"


def test_a_failed_function_is_found_once_and_what_the_module_said_with_it() -> None:
    log = line("wasm log plugin plugin: panic: ") + line("wasm log plugin plugin: not registered") + line(TRAP) * 2
    assert find_crashes(f"{log}Proxy-Wasm plugin in-VM backtrace:\n  0: 0x1 - abort\n") == (
        TRAP,
        "the module said: panic: not registered",
    )


def test_a_dead_vm_is_found() -> None:
    assert find_crashes(line("Wasm VM failed Failed to initialize Wasm code")) == (
        "Wasm VM failed Failed to initialize Wasm code",
    )


@pytest.mark.parametrize(
    "log",
    [
        "",
        line(f"wasm log plugin plugin: {TRAP}"),
        line("wasm log plugin plugin: something is wrong", "warning"),
        line("Function call is slow", "warning"),
        TRAP,
    ],
)
def test_what_a_module_writes_itself_is_no_crash(log: str) -> None:
    assert find_crashes(log) == ()


def test_a_crash_counts_more_than_an_answer_as_expected() -> None:
    probe = Probe(exchanges=(Exchange(expect=Expectation(status=503)),))
    result = ProbeResult("1.40.0", True, answers=(Answer(503),), crashes=(TRAP,))
    with pytest.raises(GatewayError) as caught:
        require_alive(probe, result, subject="a")
    assert caught.value.message == f"it dies in the gateway: {TRAP}"
    assert "init()" in caught.value.remedy


def test_without_exchanges_a_plain_request_is_sent_and_any_answer_will_do() -> None:
    own = Probe(configuration="configuration", exchanges=(Exchange(path="/x"),))
    assert choose_probe(own) is own
    sent = choose_probe(Probe(configuration="configuration"))
    assert (sent.configuration, [str(each) for each in sent.exchanges]) == ("configuration", ["GET /"])
    for answer in (Answer(200), Answer(403), Answer(failure="no answer within 10 s")):
        require_alive(Probe(), ProbeResult("1.40.0", True, answers=(answer,)), subject="a")
