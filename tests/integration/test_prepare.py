"""`pluginyard prepare`: the images of builders before anybody waits for them."""

from __future__ import annotations

from tasks.doors.containers import Engine
from tests.machine.command_line import CommandLine


def test_the_image_that_builds_will_use_is_made_whole(shared_command_line: CommandLine, engine: Engine) -> None:
    outcome = shared_command_line.run("prepare", "go", "--output", "json")
    assert outcome.exit_code == 0, outcome.stderr
    (prepared,) = outcome.json["builders"]
    assert (prepared["builder"], prepared["toolchain"]) == ("go", "go 1.24.4")
    history = engine.client.history(prepared["image"])
    assert any("net/http" in layer["CreatedBy"] for layer in history), "what modules import is compiled"


def test_a_builder_that_nobody_knows_is_told_before_any_image_is_made(shared_command_line: CommandLine) -> None:
    outcome = shared_command_line.run("prepare", "go", "rsut", "--output", "json")
    assert outcome.exit_code == 3
    assert (outcome.error["subject"], outcome.error["remedy"]) == ("rsut", "did you mean rust?")
    assert "Step" not in outcome.stderr


def test_a_machine_that_builds_without_an_engine_has_nothing_to_make(command_line: CommandLine) -> None:
    outcome = command_line.with_settings(PLUGINYARD_ENGINE="host", DOCKER_HOST="").run("prepare", "go")
    assert outcome.exit_code == 0, outcome.stderr
    assert "this machine's own toolchain" in outcome.stdout
