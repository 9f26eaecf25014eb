from __future__ import annotations

import pkgutil

import yaml

from pluginyard import rollouts
from pluginyard.gateways import HOSTS
from pluginyard.reports import render_markdown
from pluginyard.rollouts.higress import render as render_wasm_plugin
from tests.machine.published import published


def test_the_resource_to_apply_pins_the_manifest_by_its_digest() -> None:
    resource = yaml.safe_load(render_wasm_plugin(published()))
    assert resource["spec"]["url"] == "oci://r.example.com/p/my_plugin:1.0.0"
    assert resource["spec"]["sha256"] == "ab" * 32
    assert resource["metadata"]["name"] == "my-plugin", "a Kubernetes name has no underscore"


def test_the_resource_to_apply_places_the_plugin_where_its_spec_wants_it() -> None:
    assert "phase" not in yaml.safe_load(render_wasm_plugin(published()))["spec"]
    placed = published(placement={"phase": "AUTHZ", "priority": 310})
    spec = yaml.safe_load(render_wasm_plugin(placed))["spec"]
    assert (spec["phase"], spec["priority"]) == ("AUTHZ", 310)


def test_a_layout_folder_is_said_to_serve_no_gateway() -> None:
    text = render_wasm_plugin(published("oci:/srv/layout:my_plugin-1.0.0"))
    assert text.startswith("# a layout folder serves no gateway")


def test_each_file_is_named_as_a_gateway_and_the_report_shows_what_it_renders() -> None:
    files = [found.name for found in pkgutil.iter_modules(rollouts.__path__)]
    assert set(files) <= {gateway.replace("-", "_") for gateway in HOSTS}
    rendered = rollouts.render_rollouts(published())
    assert len(rendered) == len(files)
    assert all(f"```yaml\n{text}```" in render_markdown(published()) for text in rendered)
