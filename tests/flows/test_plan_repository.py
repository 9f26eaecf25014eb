"""What is planned of a repository, and what is found published: no build, no server."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flows.machine import choose_host, find_machine
from pluginyard.errors import AuthenticationError, RegistryUnavailableError
from pluginyard.forms import RepositoryRequest
from pluginyard.oci import Destination
from pluginyard.releases import PlannedPlugin, RepositoryPlan
from tasks.doors.registries import ArtifactRepository
from tasks.registries import look_up
from tasks.sources import plan_repository
from tests.machine.example_repository import commit, git

GO = "plugins/wasm-go/extensions"


def plan(repository: Path, **fields: Any) -> RepositoryPlan:
    named = {"registries": ["registry.example.com/plugins"]} | fields
    request = RepositoryRequest(repository=str(repository), **named)
    machine = find_machine()
    return plan_repository.fn(
        request,
        machine.cache,
        site=machine.site,
        builders=machine.builders,
        choose_host=choose_host(machine.site),
    )


def names(planned: RepositoryPlan) -> dict[str, str]:
    return {plugin.release.name: plugin.state for plugin in planned.plugins}


@pytest.mark.parametrize("settings", ["tidy: true\n", "plugins: {second: {builder: tinygo}}\n"])
def test_a_plugin_that_is_built_otherwise_has_changed_though_no_file_of_it_did(pair: Path, settings: str) -> None:
    (pair / "pluginyard.yaml").unlink()
    commit(pair, "no settings")
    git(pair, "tag", "before")
    (pair / "pluginyard.yaml").write_text(settings)
    commit(pair, "other settings")
    assert "second" in names(plan(pair, changed_since="before"))
    (pair / "LICENSE").write_text("something else")
    commit(pair, "unrelated")
    assert names(plan(pair, changed_since="HEAD~1")) == {}


def test_an_unfit_plugin_counts_as_changed_once_its_files_change(pair: Path) -> None:
    (pair / GO / "second/VERSION").write_text("first\n")
    (pair / GO / "request-block/README.md").write_text("changed")
    commit(pair, "unfit")
    git(pair, "tag", "before")
    (pair / GO / "request-block/README.md").write_text("changed again")
    commit(pair, "another plugin")
    assert names(plan(pair, changed_since="before")) == {"request-block": "build"}
    (pair / GO / "second/README.md").write_text("touched")
    commit(pair, "touched")
    assert names(plan(pair, changed_since="HEAD~1")) == {"second": "refused"}


def test_where_plugins_are_published_is_no_change_of_them(pair: Path) -> None:
    (pair / "pluginyard.yaml").write_text("registries: [registry.example.com/plugins]\n")
    commit(pair, "a registry")
    assert names(plan(pair, changed_since="HEAD~1", registries=[])) == {}


def test_a_commit_whose_settings_cannot_be_read_leaves_every_plugin_changed(pair: Path) -> None:
    settings = (pair / "pluginyard.yaml").read_text()
    (pair / "pluginyard.yaml").write_text("plugns: {}")
    commit(pair, "misspelt")
    (pair / "pluginyard.yaml").write_text(settings)
    commit(pair, "fixed")
    assert set(names(plan(pair, changed_since="HEAD~1"))) == {"request-block", "second"}


def test_plugins_of_two_languages_under_one_name_are_refused_before_anything_is_built(pair: Path) -> None:
    rust = pair / "plugins/wasm-rust/extensions/second"
    rust.mkdir(parents=True)
    (rust / "Cargo.toml").write_text('[package]\nname = "second"\nversion = "0.1.0"\n')
    commit(pair, "second, in Rust")
    planned = plan(pair)
    assert [(each.release.language, each.release.name, each.state) for each in planned.plugins] == [
        ("go", "request-block", "build"),
        ("go", "second", "refused"),
        ("rust", "second", "refused"),
    ]
    assert "would be published under one name" in planned.plugins[1].reason
    since = plan(pair, changed_since="HEAD~1").plugins
    assert [(each.release.language, each.state) for each in since] == [("rust", "refused")], "go's did not change"
    assert names(plan(pair, languages=["go"])) == {"request-block": "build", "second": "build"}


class Answers:
    """Stand where registries are opened: raise what each plugin's repository answers."""

    def __init__(self, errors: dict[str, Exception], every: Exception | None = None) -> None:
        self.errors, self.every = errors, every
        self.asked: list[str] = []
        self.slow = ""
        self.lock = threading.Lock()

    def open(self, place: Destination, name: str) -> ArtifactRepository:
        with self.lock:
            self.asked.append(name)
        if name == self.slow:
            time.sleep(0.3)
        raise self.every or self.errors[name]


def look_up_in(answers: Answers, planned: RepositoryPlan) -> RepositoryPlan:
    return look_up.fn(planned, answers, when_taken="refuse")  # type: ignore[arg-type]


def many(planned: RepositoryPlan, count: int) -> RepositoryPlan:
    (first,) = planned.plugins
    return RepositoryPlan(tuple(PlannedPlugin(first.release, "build", "", first.build) for _ in range(count)))


def test_a_registry_that_is_down_is_told_of_once_and_soon(pair: Path) -> None:
    down = RegistryUnavailableError("cannot talk to it", subject="registry.example.com", remedy="check it")
    answers = Answers({}, down)
    with pytest.raises(RegistryUnavailableError, match="cannot talk to it"):
        look_up_in(answers, many(plan(pair, plugins=["second"]), 60))
    assert len(answers.asked) < 20, "as many as were asked at once"


def test_what_one_repository_answers_holds_back_no_other_plugin(pair: Path) -> None:
    denied = AuthenticationError("the registry answers 403", subject="r/second", remedy="check the rights")
    answers = Answers({"second": denied, "request-block": OSError("disk full")})
    found = {plugin.release.name: plugin for plugin in look_up_in(answers, plan(pair)).plugins}
    assert found["second"].reason == "the registry answers 403"
    assert found["request-block"].reason == "a fault of pluginyard: OSError: disk full"
    assert {plugin.state for plugin in found.values()} == {"failed"}


def test_a_plugin_that_was_not_asked_about_while_nothing_answered_is_asked_about_later(pair: Path) -> None:
    busy = RegistryUnavailableError("the registry answers 503", subject="r/second", remedy="try later")
    denied = AuthenticationError("the registry answers 403", subject="r/request-block", remedy="check the rights")
    planned = plan(pair, plugins=["request-block"]).plugins + many(plan(pair, plugins=["second"]), 30).plugins
    answers = Answers({"second": busy, "request-block": denied})
    answers.slow = "request-block"
    found = look_up_in(answers, RepositoryPlan(planned)).plugins
    assert [plugin.reason for plugin in found] == ["the registry answers 403", *["the registry answers 503"] * 30]
    assert answers.asked.count("second") == 30
