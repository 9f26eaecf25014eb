from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.variables import Variable

from flows.publish_plugins import publish_plugins
from pluginyard.errors import ConfigurationError
from pluginyard.forms import RepositoryRequest
from pluginyard.oci import parse_destination
from pluginyard.settings import SITE_VARIABLE, load_site
from tasks.server import LIMIT_PREFIX, RegistryCredentials, at_most, find_credentials


@pytest.fixture
def variable() -> Iterator[None]:
    yield
    Variable.unset(SITE_VARIABLE)


@pytest.mark.usefixtures("variable")
def test_a_run_that_names_nothing_takes_repository_and_registries_from_the_servers_variable(
    example: Path, tmp_path: Path
) -> None:
    registry = f"oci:{tmp_path / 'layout'}"
    Variable.set(SITE_VARIABLE, {"repository": str(example), "registries": [registry]})
    done = asyncio.run(publish_plugins(RepositoryRequest(plugins=["request-block"])))
    assert done["plugins"][0]["why"] == "published now"
    assert parse_destination(registry).is_layout
    assert (tmp_path / "layout" / "index.json").exists()


@pytest.mark.usefixtures("variable")
def test_a_variable_that_is_not_valid_ends_the_run_with_its_name(example: Path) -> None:
    Variable.set(SITE_VARIABLE, {"registrys": ["r.example.com/p"]})
    with pytest.raises(ConfigurationError, match="did you mean registries") as refused:
        asyncio.run(publish_plugins(RepositoryRequest(repository=str(example))))
    assert SITE_VARIABLE in refused.value.subject


def test_no_more_than_the_limit_run_at_once_whoever_asks() -> None:
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(f"{LIMIT_PREFIX}builder-go", 1)
    site = load_site({"PLUGINYARD_LIMITS": "builder-go=1"})
    inside, most = [0], [0]

    def build() -> None:
        with at_most(site, "builder-go"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.3)
            inside[0] -= 1

    threads = [threading.Thread(target=build) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_limit_that_no_setting_names_asks_nobody() -> None:
    nobody_listens = {PREFECT_API_URL: "http://127.0.0.1:9/api"}
    with temporary_settings(nobody_listens), at_most(load_site({"PLUGINYARD_LIMITS": "builder-rust=1"}), "builder-go"):
        pass


def test_a_place_that_cannot_be_given_back_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pluginyard")
    nobody_listens = {PREFECT_API_URL: "http://127.0.0.1:9/api"}
    site = load_site({"PLUGINYARD_LIMITS": "builder-go=2"})
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(f"{LIMIT_PREFIX}builder-go", 2)
    for error in (None, ValueError("of the step")):

        def lose_the_server(error: Exception | None = error) -> None:
            with ExitStack() as away, at_most(site, "builder-go"):
                away.enter_context(temporary_settings(nobody_listens))
                if error:
                    raise error

        with pytest.raises(ValueError, match="of the step") if error else nullcontext():
            lose_the_server()
    assert caplog.text.count("places in limits are not given back") == 2


def test_of_several_blocks_the_first_for_the_registry_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, host in (("one", "one.example.com"), ("two", "two.example.com"), ("any", "")):
        RegistryCredentials(username=name, password="s3cret", host=host).save(name)  # type: ignore[arg-type]
    site = load_site({"PLUGINYARD_CREDENTIALS_BLOCK": "one, two,any"})
    for host, expected in (("two.example.com", "two"), ("one.example.com", "one"), ("else.example.com", "any")):
        found = find_credentials(host, site)
        assert found is not None
        assert found.username == expected
