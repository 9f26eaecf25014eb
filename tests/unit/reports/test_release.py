from __future__ import annotations

from pathlib import Path

from pluginyard.reports import render_markdown, render_text, render_verdict_text
from pluginyard.reports.release import pull_commands
from tests.machine.published import DIGEST, REFUSED, published


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
