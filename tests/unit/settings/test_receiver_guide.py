from __future__ import annotations

import re
from pathlib import Path

from pluginyard.releases import release_key
from pluginyard.releases.tag import TAG_FORM
from pluginyard.settings import ReceiverSettings, find_trusted, load_trusted
from pluginyard.settings import trusted as trusted_repositories
from pluginyard.settings.trusted import WORKFLOWS
from pluginyard.webhooks.github import GITHUB, MANUAL_EVENT

PROJECT = Path(__file__).parents[3]
GUIDE = (PROJECT / "docs" / "receiver.md").read_text(encoding="utf-8")


def test_the_secrets_file_of_the_guide_can_be_used() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    environment = {"PLUGINYARD_GITHUB_SECRETS_FILE": "secrets.yaml"}
    found = load_trusted(GITHUB.name, GITHUB.address, environment, lambda path: block.encode())
    assert set(found) == {"acme/plugins", "acme/gateway", "acme-labs/*"}
    assert len(found["acme/gateway"].secrets) == 2
    assert find_trusted(found, "acme-labs/any") is found["acme-labs/*"]
    assert found["acme/plugins"].clone_url_of("acme/plugins") == "https://github.com/acme/plugins.git"


def test_every_variable_of_the_guide_is_one_that_is_read() -> None:
    code = Path(trusted_repositories.__file__ or "").read_text()
    of_the_forge = {GITHUB.variable(setting) for setting in re.findall(r"\{prefix\}([A-Z_]+)", code)}
    described = " ".join(field.description or "" for field in ReceiverSettings.model_fields.values())
    named = set(re.findall(r"PLUGINYARD_[A-Z_]+", GUIDE))
    assert named
    assert named - {GITHUB.variable("API")} <= of_the_forge | set(re.findall(r"PLUGINYARD_[A-Z_]+", described))
    assert len(of_the_forge) == 4
    assert of_the_forge <= named


def test_the_guide_names_the_events_the_workflows_and_the_key() -> None:
    table = re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)
    assert table == list(GITHUB.readers)
    assert all(f"`{name}`" in GUIDE for name in (*WORKFLOWS, MANUAL_EVENT))
    assert f"`{release_key('{repository}', '{tag}')}`" in GUIDE
    assert f"`{TAG_FORM.partition(',')[0]}`" in GUIDE


def test_the_proxy_of_the_guide_is_the_file_that_is_shipped_and_tested() -> None:
    (block,) = re.findall(r"```nginx\n(.*?)```", GUIDE, re.DOTALL)
    assert block == (PROJECT / "deployments" / "receiver" / "nginx.conf").read_text(encoding="utf-8")
