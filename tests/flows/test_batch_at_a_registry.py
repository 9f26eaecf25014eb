"""A whole repository at a registry with a password, with what a site keeps in the Prefect server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.variables import Variable
from pydantic import SecretStr

from flows.publish_plugins import publish_plugins
from pluginyard.forms import RepositoryRequest
from pluginyard.settings import SITE_VARIABLE
from tasks.builds import build_once
from tasks.server import LIMIT_PREFIX, RegistryCredentials
from tests.machine.registries import RunningRegistry, basic_registry  # noqa: F401


@pytest.fixture
def kept_site(basic_registry: RunningRegistry, pair: Path) -> Iterator[tuple[str, ...]]:  # noqa: F811
    """Keep settings, credentials and limits of a site in the server; return the names of the limits."""
    registry = basic_registry
    block = RegistryCredentials(username=registry.username, password=SecretStr(registry.password), host=registry.host)
    block.save("of-the-batch", overwrite=True)
    limits = {"builder-go": 1, f"registry-{registry.host}": 2}
    with get_client(sync_client=True) as client:
        for name, count in limits.items():
            client.upsert_global_concurrency_limit_by_name(f"{LIMIT_PREFIX}{name}", count)
    settings = {
        "repository": str(pair),
        "registries": [f"{registry.host}/batch"],
        "plain_http": True,
        "credentials_block": "of-the-batch",
        "limits": limits,
    }
    Variable.set(SITE_VARIABLE, settings, overwrite=True)
    yield tuple(f"{LIMIT_PREFIX}{name}" for name in limits)
    Variable.unset(SITE_VARIABLE)


def test_a_batch_takes_credentials_from_a_block_and_keeps_to_the_limits_of_the_site(
    kept_site: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, most = [0], [0]

    def counted(*arguments: Any) -> Any:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.5)  # long enough for the other one to begin, were it let
        try:
            return build_once(*arguments)
        finally:
            inside[0] -= 1

    monkeypatch.setattr("flows.publish_plugin.build_once", counted)
    done = asyncio.run(publish_plugins(RepositoryRequest(at_once=2)))
    assert [row["why"] for row in done["plugins"]] == ["published now"] * 2
    assert most == [1], "two at once were asked for, and the site allows one build"
    with get_client(sync_client=True) as client:
        held = [client.read_global_concurrency_limit_by_name(name) for name in kept_site]
    assert [limit.active_slots for limit in held] == [0, 0], "every place is given back"
