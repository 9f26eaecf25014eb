"""What a toolchain prints, translated: the first line of an error names the cause, and the host where there is one."""

from __future__ import annotations

import re
import time

import pytest

from pluginyard.builds import StepResult, explain_failure, image_error
from tests.unit.builds.test_recipe import FOLDER, plan

FAILURES = [
    ("go", "main.go:3:8: missing go.sum entry for module providing package a.example/b; to add:", "not tidy"),
    ("go", "go: updates to go.mod needed; to update it:\n\tgo mod tidy", "not tidy"),
    ("go", "main.go:4:2: no required module provides package a.example/b; to add it:", "not tidy"),
    ("go", "go: go.mod requires go >= 1.99 (running go 1.24.4; GOTOOLCHAIN=local)", "asks for Go 1.99"),
    ("go", "go: a.example/b@v1 requires go >= 1.99 (running go 1.24.4; GOTOOLCHAIN=local)", "newer Go"),
    ("go", "-buildmode=c-shared requires exactly one main package", "no package main"),
    ("go", "runtime.main_main·f: function main is undeclared in the main package", "no func main"),
    (
        "go",
        'go: a.example/b@v1: Get "https://p": dial tcp: lookup p: no such host',
        "the host p of a module cannot be reached",
    ),
    ("go", "./main.go:7:2: undefined: nothing", "undefined: nothing"),
    ("go", "compile: signal: killed", "2048 MiB of memory"),
    ("rust", "error: the lock file /build/src/Cargo.lock needs to be updated but --locked was passed", "Cargo.lock"),
    ("rust", "error: no library targets found in package `x`", "no library target"),
    ("rust", "pluginyard: the build left no wasm file: the library is no cdylib", "the library is no cdylib"),
    ("rust", "error: rustc 1.85.1 is not supported by the following packages:", "newer Rust"),
    ("rust", "error[E0425]: cannot find value `x`", "cannot find value"),
]


@pytest.mark.parametrize(("name", "printed", "told"), FAILURES)
def test_what_a_toolchain_prints_is_translated(name: str, printed: str, told: str) -> None:
    error = explain_failure(plan(name), "compile", StepResult(1, ("noise", *printed.splitlines())))
    assert told in error.message
    assert error.subject == FOLDER
    assert error.remedy
    assert not re.search(r"\{\w+\}", str(error))


PASSING = [
    ("go", 'go: a.example/b@v1: Get "https://p/b": dial tcp 10.0.0.1:443: i/o timeout'),
    ("go", 'go: a.example/b@v1: Get "https://p/b": read tcp 10.0.0.1:1->10.0.0.2:443: read: connection reset by peer'),
    ("go", "main.go:3:8: a.example/b@v1.0.0: reading https://p/b/@v/v1.0.0.zip: 503 Service Unavailable"),
    ("go", "main.go:3:8: a.example/b@v1.0.0: reading https://p/b/@v/v1.0.0.zip: 429 Too Many Requests"),
    ("tinygo", 'go: a.example/b@v1: Get "https://p/b": dial tcp 10.0.0.1:443: connect: connection refused'),
    ("rust", "warning: spurious network error (3 tries remaining): [28] Timeout\nerror: failed to download"),
    ("rust", "  failed to download from `https://i/config.json`\n\nCaused by:\n  [7] Could not connect to server (i)"),
    ("go", 'main.go:3:8: a.example/b@v1.0.0: Get "https://p/b/@v/v1.0.0.zip": EOF'),
    ("rust", "error: failed to get successful HTTP response from `https://i/a` (1.1.1.1), got 503\nbody:\nbusy"),
]
LASTING = [
    ("go", 'go: a.example/b@v1: Get "https://p": dial tcp: lookup p on 10.0.0.1:53: no such host'),
    ("go", 'go: a.example/b@v1: Get "https://p": tls: failed to verify certificate: x509: unknown authority'),
    ("go", "main.go:3:8: a.example/b@v1.0.0: reading https://p/b/@v/v1.0.0.zip: 404 Not Found"),
    ("go", "fatal: could not read Username for 'https://a.example': terminal prompts disabled"),
    ("go", "./main.go:7:2: undefined: nothing"),
    ("rust", "error: [60] SSL peer certificate or SSH remote key was not OK (SSL certificate problem: unable to get)"),
]


@pytest.mark.parametrize(("name", "printed"), PASSING)
def test_a_fetch_that_may_succeed_later_is_worth_another_try(name: str, printed: str) -> None:
    result = StepResult(1, ("noise", *printed.splitlines()))
    assert explain_failure(plan(name), "fetch", result).transient
    assert not explain_failure(plan(name), "compile", result).transient, "it has no network"


@pytest.mark.parametrize(("name", "printed"), LASTING)
def test_a_fetch_that_fails_again_is_not_tried_again(name: str, printed: str) -> None:
    assert not explain_failure(plan(name), "fetch", StepResult(1, tuple(printed.splitlines()))).transient


@pytest.mark.parametrize(
    ("why", "printed", "transient"),
    [
        ("toomanyrequests: You have reached your unauthenticated pull rate limit.", "", True),
        ("received unexpected HTTP status: 503 Service Unavailable", "", True),
        ('Get "https://r.example.com/v2/": dial tcp 10.0.0.1:443: connect: connection refused', "", True),
        ('Get "https://r.example.com/v2/": net/http: request canceled (Client.Timeout exceeded)', "", True),
        ('Get "https://r.example.com/v2/": EOF', "", True),
        ("The command 'apt-get' returned a non-zero code: 100", "W: Temporary failure resolving 'deb.example'", True),
        ("The command 'rustup' returned a non-zero code: 1", "error: component is unavailable", False),
        ('Get "https://r.example.com/v2/": dial tcp: lookup r.example.com: no such host', "", False),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "", False),
        ("manifest for golang:9 not found: manifest unknown", "", False),
    ],
)
def test_an_image_that_may_be_had_later_is_worth_another_try(why: str, printed: str, transient: bool) -> None:
    error = image_error("r.example.com/go:1", why, printed)
    assert error.transient is transient
    assert error.exit_code == 5
    assert why[:40] in str(error)


def test_the_remedy_for_an_untidy_module_names_the_folder_and_the_setting() -> None:
    error = explain_failure(plan(), "compile", StepResult(1, (FAILURES[0][1],)))
    assert f"run `go mod tidy` in {FOLDER}" in error.remedy
    assert "tidy: true" in error.remedy


GIT_DEPENDENCY = """\
    Updating git repository `https://git.example/tiny.git`
warning: spurious network error (3 tries remaining): {why}; class=Net (12)
error: failed to get `tiny` as a dependency of package `small v0.1.0 (/build/src)`

Caused by:
  failed to load source for dependency `tiny`

Caused by:
  Unable to update https://git.example/tiny.git#01234567

Caused by:
  network failure seems to have happened
  if a proxy or similar is necessary `net.git-fetch-with-cli` may help here

Caused by:
  {why}; class=Net (12)
"""
PROXY_WITHOUT_IT = """\
go: downloading example.com/a v1.99.0
main.go:5:2: example.com/a@v1.99.0: reading https://proxy.example.com/example.com/a/@v/v1.99.0.zip: 403 Forbidden
\tserver response: This module version is not available.
"""
BUILD_SCRIPT = """\
error: failed to run custom build command for `needs-clang v0.1.0`

Caused by:
  process didn't exit successfully: `/build/tmp/target/release/build/needs-clang/build-script-build` (exit status: 101)
  --- stderr

  thread 'main' panicked at build.rs:3:5:
  Unable to find libclang
"""
CAUSES = [
    ("rust", GIT_DEPENDENCY.format(why="[6] Could not resolve hostname (Could not resolve host: git.example)"),
     "the host git.example of a git dependency cannot be reached: it has no address", False),
    ("rust", GIT_DEPENDENCY.format(why="failed to resolve address for git.example: Name or service not known"),
     "the host git.example of a git dependency cannot be reached: it has no address", False),
    ("rust", "fatal: unable to access 'https://git.example/tiny.git/': Could not resolve host: git.example",
     "the host git.example of a git dependency cannot be reached: it has no address", False),
    ("rust", GIT_DEPENDENCY.format(why="[28] Timeout was reached"),
     "git.example, which has a git dependency, does not answer", True),
    ("rust", "  failed to download from `https://index.example/config.json`\n\nCaused by:\n  [7] Could not connect",
     "the crate registry index.example does not answer", True),
    ("rust", "error: failed to get successful HTTP response from `https://i.example/a/b` (1.1.1.1), got 403\nbody:\n",
     "the crate registry i.example answers 403 for /a/b", False),
    ("rust", BUILD_SCRIPT, "the build script of needs-clang v0.1.0 failed: Unable to find libclang", False),
    ("rust", "error: failed to parse lock file at: /src/Cargo.lock\n\nCaused by:\n  package `x` is specified twice",
     "rust 1.85.1 could not fetch the dependencies: failed to parse lock file at: "
     "/src/Cargo.lock: package `x` is specified twice", False),
    ("go", PROXY_WITHOUT_IT, "the module proxy proxy.example.com does not give example.com/a@v1.99.0: 403 Forbidden "
     "This module version is not available.", False),
    ("go", 'main.go:3:8: a.example/b@v1: Get "https://p.example/b/@v/v1.zip": dial tcp 10.0.0.1:443: i/o timeout',
     "the module proxy p.example does not answer", True),
    ("tinygo", "go: a.example/b@v1.0.0: reading https://p.example/a.example/b/@v/v1.0.0.mod: 503 Service Unavailable",
     "the module proxy p.example does not answer", True),
    ("go", 'go: a.example/b@v1: Get "https://p.example/b": tls: failed to verify certificate: x509: unknown authority',
     "the host p.example cannot be reached: x509: unknown authority", False),
    ("go", "# example.com/small\n./main.go:7:2: undefined: nothing\n",
     "go 1.24.4 could not fetch the dependencies (exit 1): ./main.go:7:2: undefined: nothing", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "printed", "first_line", "transient"), CAUSES)
def test_the_first_line_names_the_cause_and_the_host(name: str, printed: str, first_line: str, transient: bool) -> None:
    packages = tuple(f"internal/package{number}" for number in range(300))
    error = explain_failure(plan(name), "fetch", StepResult(1, tuple(printed.splitlines()), packages))
    assert error.message.splitlines()[0] == first_line
    assert error.transient is transient
    assert "internal/package" not in error.message, "standard error comes first"


def test_the_error_lines_are_quoted_however_many_warnings_follow_them() -> None:
    error_lines = ["error[E0425]: cannot find function `missing` in this scope", " --> src/lib.rs:61:10", "  |"]
    error_lines += ["61 | fn f() { missing() }", "   |          ^^^^^^^ not found in this scope"]
    warnings = [f"warning: unused variable: `x{number}`\n --> src/lib.rs:{number}:21\n" for number in range(200)]
    last = "error: could not compile `small` (lib) due to 1 previous error; 200 warnings emitted"
    printed = "\n".join(["   Compiling small v0.1.0", *error_lines, "", *warnings, last]).splitlines()
    error = explain_failure(plan("rust"), "compile", StepResult(101, tuple(printed)))
    head, *quoted = error.message.splitlines()
    assert head == f"rust 1.85.1 did not compile (exit 101): {error_lines[0]}"
    assert quoted == [f"  | {line}" for line in [*error_lines, last]]


def test_standard_output_is_quoted_where_there_is_nothing_else() -> None:
    output = tuple(f"line {number}" for number in range(100))
    error = explain_failure(plan("rust"), "compile", StepResult(1, ("", " "), output))
    assert error.message.splitlines()[0] == "rust 1.85.1 did not compile (exit 1): line 99"
    assert "line 85" in error.message
    assert "line 84" not in error.message
    assert "it printed nothing" in explain_failure(plan(), "compile", StepResult(1)).message


@pytest.mark.parametrize("name", ["go", "rust", "tinygo"])
def test_what_a_hostile_build_prints_takes_no_time_to_explain(name: str) -> None:
    words = 'error: Unable to update x://h from `x://h failed to download `a reading https://h/ lookup Get "https://h/ '
    started = time.process_time()
    explain_failure(plan(name), "fetch", StepResult(1, (words * 80,) * 1000, (words * 80,) * 1000))
    assert time.process_time() - started < 2
