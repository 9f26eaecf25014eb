from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pluginyard.errors import GatewayError
from pluginyard.gateways import (
    Exchange,
    Probe,
    ProbeResult,
    choose_probe,
    judge_answers,
    require_alive,
    summarize_outcome,
)
from tasks.doors.gateways import Envoy, load_in_envoy
from tests.machine.host_toolchains import CompiledPlugins
from tests.machine.processes import processes_in

BLOCK_HELLO = Probe.model_validate(
    {
        "configuration": {"blocked": ["/hello.html"]},
        "exchanges": [
            {"path": "/hello.html", "expect": {"status": 403, "contains": "blocked"}},
            {"path": "/hello.html?x=1", "expect": 403},
            {"path": "/", "expect": 200},
        ],
    }
)
Load = Callable[..., ProbeResult]


def expecting(path: str, status: int) -> Exchange:
    return Exchange.model_validate({"path": path, "expect": status})


@pytest.fixture
def load(envoy: Envoy, tmp_path: Path) -> Load:
    def load(module: Path, probe: Probe | None = None, **options: object) -> ProbeResult:
        lines: list[str] = []
        load.lines = lines  # type: ignore[attr-defined]
        try:
            return load_in_envoy(envoy, module, probe or Probe(), workdir=tmp_path, **({"log": lines.append} | options))  # type: ignore[arg-type]
        finally:
            assert processes_in(tmp_path) == []
            assert list(tmp_path.glob("envoy-*")) == []

    return load


def test_a_real_envoy_answers_403_on_the_blocked_path_and_200_elsewhere(
    load: Load, compiled_plugins: CompiledPlugins
) -> None:
    result = load(compiled_plugins.go("request-block"), BLOCK_HELLO)
    assert result.loaded, result.reason
    assert [answer.status for answer in result.answers] == [403, 403, 200]
    assert result.answers[0].body == "blocked"
    assert judge_answers(BLOCK_HELLO, result.answers) == ()
    assert result.version.startswith("1.")
    assert result.ready_seconds > 0


def test_a_rust_plugin_answers_as_the_go_plugin_does(load: Load, compiled_plugins: CompiledPlugins) -> None:
    result = load(compiled_plugins.rust("header-guard"), BLOCK_HELLO)
    assert judge_answers(BLOCK_HELLO, result.answers) == ()


def test_a_probe_sees_the_request_that_reaches_the_service(load: Load, compiled_plugins: CompiledPlugins) -> None:
    request = {"method": "POST", "path": "/p?q=1", "headers": {"x-user": "me"}, "body": "a body"}
    exchange = Exchange.model_validate({**request, "expect": {"contains": '"x-mcp-server":"v2"'}})
    probe = Probe(configuration='{"tools":[]}', exchanges=(exchange,))
    result = load(compiled_plugins.go("mcp-server-v2"), probe)
    assert judge_answers(probe, result.answers) == ()
    for expected in ('"method":"POST"', '"path":"/p?q=1"', '"x-user":"me"', '"body":"a body"'):
        assert expected in result.answers[0].body


def test_an_answer_that_is_not_expected_is_a_finding(load: Load, compiled_plugins: CompiledPlugins) -> None:
    probe = BLOCK_HELLO.model_copy(update={"exchanges": (expecting("/", 403),)})
    result = load(compiled_plugins.go("request-block"), probe)
    assert result.loaded
    assert judge_answers(probe, result.answers) == ("GET /: answered 200, expected 403",)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken-no-abi", "Missing or unknown Proxy-Wasm ABI version"),
        ("broken-no-memory", "Wasm module is missing malloc function."),
        ("broken-missing-import", "Failed to load Wasm module due to a missing import: env.proxy_nonexistent"),
        ("broken-panic-at-start", "Function: _initialize failed"),
        ("sdk-headers", "Missing or unknown Proxy-Wasm ABI version"),
    ],
)
def test_a_module_that_envoy_refuses_is_told_with_its_reason(
    load: Load, compiled_plugins: CompiledPlugins, name: str, reason: str
) -> None:
    result = load(compiled_plugins.go(name))
    assert not result.loaded
    assert reason in result.reason
    assert result.answers == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Unable to create Wasm plugin"),
        (b"not wasm at all", "Failed to load Wasm code"),
        (b"\0asm\x01\0\0\0", "Missing or unknown Proxy-Wasm ABI version"),
    ],
    ids=["empty", "garbage", "header-only"],
)
def test_what_is_no_module_is_refused_as_envoy_does(load: Load, tmp_path: Path, content: bytes, reason: str) -> None:
    module = tmp_path / "plugin.wasm"
    module.write_bytes(content)
    result = load(module)
    assert not result.loaded
    assert reason in result.reason


def test_a_truncated_module_is_refused(load: Load, compiled_plugins: CompiledPlugins, tmp_path: Path) -> None:
    module = tmp_path / "plugin.wasm"
    module.write_bytes(compiled_plugins.go("request-block").read_bytes()[:100_000])
    assert "Failed to load Wasm code" in load(module).reason


def test_a_refused_configuration_is_told_in_the_plugins_words(load: Load, compiled_plugins: CompiledPlugins) -> None:
    result = load(compiled_plugins.go("request-block"), Probe(configuration='{"blokked": []}'))
    assert not result.loaded
    assert "Failed to configure base Wasm plugin" in result.reason
    assert "the module said: request-block cannot use its configuration: `blocked` names no path" in result.reason


def test_a_panic_is_told_with_its_message(load: Load, compiled_plugins: CompiledPlugins) -> None:
    assert "the module said: panic: cannot start" in load(compiled_plugins.go("broken-panic-at-start")).reason


def test_a_panic_in_a_request_answers_503_on_every_path(load: Load, compiled_plugins: CompiledPlugins) -> None:
    probe = Probe(exchanges=(expecting("/", 200), expecting("/other", 200)))
    result = load(compiled_plugins.go("broken-panic-in-request"), probe)
    assert result.loaded
    assert [answer.status for answer in result.answers] == [503, 503]
    assert result.crashes[0].startswith("Function: proxy_on_request_headers failed: ")
    assert "the module said: panic: cannot answer" in result.crashes[-1]
    assert "cannot answer" in "".join(load.lines)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "function", "remedy"),
    [
        ("broken-registers-in-main", "proxy_on_context_create", "register the plugin in init()"),
        ("broken-panic-in-request", "proxy_on_request_headers", "backtrace"),
    ],
)
def test_a_module_that_dies_in_the_gateway_is_a_failure_without_a_probe_too(
    load: Load, compiled_plugins: CompiledPlugins, name: str, function: str, remedy: str
) -> None:
    result = load(compiled_plugins.go(name), choose_probe(Probe()))
    assert result.loaded
    with pytest.raises(GatewayError, match=f"it dies in the gateway: Function: {function} failed: ") as caught:
        require_alive(Probe(), result, subject=name)
    assert remedy in caught.value.remedy
    # And where the status that the death gives is just what a probe expects.
    as_it_dies = Probe(exchanges=(expecting("/", result.answers[0].status),))
    with pytest.raises(GatewayError, match="it dies in the gateway"):
        require_alive(as_it_dies, load(compiled_plugins.go(name), as_it_dies), subject=name)


def test_a_module_without_a_probe_that_lives_is_sent_a_plain_request(
    load: Load, compiled_plugins: CompiledPlugins
) -> None:
    result = load(compiled_plugins.go("mcp-server-v2"), choose_probe(Probe(configuration='{"tools":[]}')))
    require_alive(Probe(), result, subject="mcp-server-v2")
    assert result.crashes == ()
    assert "no probe is configured; GET /: 200" in summarize_outcome(Probe(), result)["summary"]


def test_a_start_without_end_is_cut_off_at_the_time_limit(load: Load, compiled_plugins: CompiledPlugins) -> None:
    module = compiled_plugins.go("broken-endless-start")
    started = time.monotonic()
    with pytest.raises(GatewayError) as caught:
        load(module, seconds=4)
    assert 4 <= time.monotonic() - started < 9
    assert "was not ready within 4 s" in caught.value.message
    assert caught.value.subject.endswith("broken-endless-start.wasm")
    assert "endless loop" in caught.value.remedy


def test_two_probes_at_once_do_not_meet(envoy: Envoy, compiled_plugins: CompiledPlugins, tmp_path: Path) -> None:
    module = compiled_plugins.go("request-block")

    def probe(path: str) -> ProbeResult:
        wanted = Probe(
            configuration=f'{{"blocked":["{path}"]}}', exchanges=(expecting("/a", 403), expecting("/b", 403))
        )
        return load_in_envoy(envoy, module, wanted, log=lambda _: None, workdir=tmp_path)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(probe, ["/a", "/b"])
    assert [answer.status for answer in first.answers] == [403, 200]
    assert [answer.status for answer in second.answers] == [200, 403]


def test_a_module_that_is_not_there_is_an_error_and_no_verdict(load: Load, tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="not a file"):
        load(tmp_path / "absent.wasm")
