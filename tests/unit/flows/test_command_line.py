"""The command line in a process of its own, as far as it goes without Prefect."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine.example_repository import make_repository

ROOT = Path(__file__).parents[3]


def run(*arguments: str, cwd: Path = ROOT, **settings: str) -> tuple[int, str, str]:
    """Run the command line; a last line on stderr says whether Prefect was imported."""
    script = (
        "import sys; from flows.__main__ import main; code = main(sys.argv[1:]);"
        "print('prefect' in sys.modules, file=sys.stderr); sys.exit(code)"
    )
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PLUGINYARD_", "IMAGE_", "DOCKER_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=clean | {"PYTHONPATH": str(ROOT), "PLUGINYARD_ENGINE": "container"} | settings,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("repository") / "example")


def test_plan_tells_what_would_be_done_without_prefect_and_changes_nothing(example: Path, tmp_path: Path) -> None:
    place = f"oci:{tmp_path / 'out'}"
    code, out, err = run(
        "plan", "--tag", "wasm-go-request-block-v1.0.0", "--registry", place, "--output", "json", cwd=example
    )
    planned = json.loads(out)
    assert (code, err.split()[-1]) == (0, "False")
    assert planned["references"] == [f"{place}:request-block-1.0.0"]
    assert planned["layers"] == ["spec.yaml", "README.md", "README_EN.md", "icon.png", "plugin.tar.gz"]
    assert planned["builder"] == "go (go 1.24.4, container)"
    assert list(tmp_path.iterdir()) == []


def test_a_bad_tag_never_starts_prefect_and_is_told_to_man_and_machine(tmp_path: Path) -> None:
    code, out, err = run(
        "publish", "--tag", "wasm-go-x-v1.0.0+b", "--registry", "oci:x", "--output", "json", cwd=tmp_path
    )
    assert (code, err.split()[-1]) == (2, "False")
    assert "remedy: nearest: wasm-go-x-v1.0.0" in err
    assert json.loads(out)["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["verify", "--output", "json"], "the following arguments are required: reference"),
        (["plan", "--output=json", "--tga", "wasm-go-x-v1.0.0"], "unrecognized arguments: --tga wasm-go-x-v1.0.0"),
        (["publsh", "--output", "json"], "invalid choice: 'publsh'"),
    ],
)
def test_a_wrong_command_line_is_told_to_man_and_machine(words: list[str], told: str, tmp_path: Path) -> None:
    code, out, err = run(*words, cwd=tmp_path)
    error = json.loads(out)["error"]
    assert (code, error["exit_code"], error["type"]) == (2, 2, "RequestError")
    assert told in error["message"]
    assert told in err
    assert "--help" in error["remedy"]
    assert run(*(word for word in words if "json" not in word and word != "--output"), cwd=tmp_path)[1] == ""


def on_a_terminal(*arguments: str, cwd: Path) -> tuple[str, str]:
    """Run a command whose standard error is a terminal; return what it printed, and what the terminal shows."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "flows", *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT), "PLUGINYARD_ENGINE": "container"},
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            check=False,
        )
        return done.stdout, os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_terminal_is_told_each_step_and_a_pipe_nothing(example: Path, tmp_path: Path) -> None:
    asked = ("plan", "--tag", "wasm-go-request-block-v1.0.0", "--registry", "oci:out", "--repository", example.as_uri())
    out, shown = on_a_terminal(*asked, cwd=tmp_path)
    assert [line.split()[0] for line in shown.splitlines()] == ["reading", "planning"]
    assert shown.splitlines()[0].split()[1] == example.as_uri()
    assert out.startswith("plan       request-block")
    _, shown = on_a_terminal("verify", "oci:nowhere:x-1.0.0", cwd=tmp_path)
    assert [line.split()[0] for line in shown.splitlines()][:2] == ["asking", "pulling"]
    code, _, err = run(*asked, cwd=tmp_path)
    assert (code, err.splitlines()) == (0, ["False"])


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["publish"], 2, "give either a release tag or a plugin's name"),
        (["plan", "--tag", "wasm-go-x-v1.0.0", "--registry", "oci:x"], 4, "not a git repository"),
        (["plan", "--repository", "/no/such", "--tag", "wasm-go-x-v1.0.0", "--registry", "oci:x"], 4, "no such folder"),
        (["verify", "oci:nowhere:x-1.0.0"], 8, "x-1.0.0"),
        (["inspect", "not a reference"], 2, "remedy"),
        (["publish", "--tag", "wasm-go-x-v1.0.0", "--registry", "x"], 2, "error: x: not a registry destination\n"),
    ],
)
def test_what_cannot_be_done_ends_with_its_exit_code(
    arguments: list[str], code: int, text: str, tmp_path: Path
) -> None:
    done, out, err = run(*arguments, cwd=tmp_path)
    assert done == code, err
    assert text in err
    assert out == ""


@pytest.mark.parametrize("variable", ["PLUGINYARD_NETRC", "PLUGINYARD_CA_BUNDLE"])
def test_a_file_that_a_build_would_miss_is_missed_before_it(variable: str, example: Path, tmp_path: Path) -> None:
    asked = ("plan", "--tag", "wasm-go-request-block-v1.0.0", "--registry", "oci:x")
    code, out, err = run(*asked, cwd=example, **{variable: str(tmp_path / "absent")})
    assert (code, out) == (3, "")
    assert "cannot be read: No such file or directory" in err
    assert variable in err
