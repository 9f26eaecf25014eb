from __future__ import annotations

from pathlib import Path

import yaml

from pluginyard.releases import PublishedPlugin
from pluginyard.reports import render_markdown, render_text, render_verdict_text
from pluginyard.reports.release import pull_commands, render_wasm_plugin

DIGEST = "sha256:" + "ab" * 32
REFUSED = {
    "summary": "no gateway loads it",
    "gateways": [{"gateway": "higress", "loads": False, "variant": None, "reason": "two\n\tlines | <b>", "rule": "M2"}],
    "findings": [{"rule": "M2", "level": "E", "message": "why", "remedy": "what to do"}],
}


def published(reference: str = "r.example.com/p/my_plugin:1.0.0", **changes: object) -> PublishedPlugin:
    place = {
        "registry": reference.rpartition("/")[0],
        "reference": reference,
        "state": "published",
        "latest": "moved: newest",
        "plain_http": False,
    }
    known = {
        "name": "my_plugin", "language": "go", "version": "1.0.0", "commit": "c" * 40, "commit_time": 0,
        "repository": "https://example.com/x.git", "fingerprint": DIGEST, "builder": "go", "digest": DIGEST,
        "registries": (place,),
        "layers": ({"title": "plugin.tar.gz", "mediaType": "t", "size": 1234567, "digest": DIGEST},),
        "verdict": REFUSED, "published": True,
    }  # fmt: skip
    return PublishedPlugin(**{**known, **changes})  # type: ignore[arg-type]


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


def test_text_from_an_artifact_cannot_break_the_report() -> None:
    report = render_markdown(published())
    assert "| higress | **refuses** |  |\n" in report
    assert "- **higress**: two lines \\| &lt;b>\n" in report
    assert "<b>" not in report


def test_a_gateways_reason_stays_on_its_line_with_the_remedy_below() -> None:
    lines = render_verdict_text(REFUSED).splitlines()
    assert lines[1] == "  higress        REFUSES  two lines | <b>"
    assert lines[2] == "  M2  E  why; what to do"


def test_the_terminal_says_where_what_and_how_to_check() -> None:
    text = render_text(published().to_json())
    for fact in ("published  r.example.com/p/my_plugin:1.0.0", DIGEST, "c" * 40, "pluginyard verify"):
        assert fact in text


def test_the_commands_to_paste_name_the_transport() -> None:
    place = {"reference": "r.example.com:5000/p/a:1.0.0", "plain_http": False}
    secure = (f"oras pull r.example.com:5000/p/a@{DIGEST}", "pluginyard verify r.example.com:5000/p/a:1.0.0")
    assert pull_commands(place, DIGEST) == secure
    plain = tuple(line.replace(" r.", " --plain-http r.") for line in secure)
    assert pull_commands(place | {"plain_http": True}, DIGEST) == plain
    layout = {"reference": "oci:/srv/l:a-1.0.0", "plain_http": False}
    assert pull_commands(layout, DIGEST)[0] == f"oras pull --oci-layout /srv/l@{DIGEST}"


def test_the_readme_shows_what_a_publish_prints() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    shown = "published " + readme.partition("```text\npublished ")[2].partition("```")[0]
    printed = render_text(published().to_json())
    assert [line[:11] for line in shown.splitlines()] == [line[:11] for line in printed.splitlines() if line[:1] > " "]


def test_no_table_is_wider_than_the_run_page_and_each_digest_can_be_copied_whole() -> None:
    report = render_markdown(published("registry.example.com:5000/acme/team/my_plugin:1.0.0"))
    layer = next(line for line in report.splitlines() if line.startswith("| plugin.tar.gz"))
    assert layer == "| plugin.tar.gz | t | 1,234,567 | `sha256:abababababab` |"
    assert f"\n{DIGEST}  plugin.tar.gz\n" in report
    assert f"\noras pull \\\n  registry.example.com:5000/acme/team/my_plugin@{DIGEST}\n" in report
    assert max(len(line) for line in report.splitlines() if line.startswith("| ")) < 95


def test_a_finding_says_what_to_do_in_a_line_that_the_page_can_break() -> None:
    assert "- **M2** (E): why; remedy: what to do\n" in render_markdown(published())
