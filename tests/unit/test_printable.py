"""What comes from outside is shown, never obeyed: each way out that needs no Prefect, each kind of character."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments import github_action
from pluginyard.errors import RegistryError
from pluginyard.gateways.verdict import GatewayVerdict
from pluginyard.oci import digest_of
from pluginyard.printable import printable, printable_values
from pluginyard.reports import render_markdown, render_text, render_verdict_text
from pluginyard.rules import find
from tests.machine.artifact_builder import Image, Layer, archive_layer, documents
from tests.machine.hostile_texts import HOSTILE_TEXTS, is_harmless
from tests.machine.published import REFUSED, published

ROOT = Path(__file__).parents[2]
FORGED = "ok: the required gateways load it"
TEXTS = tuple(HOSTILE_TEXTS.values())
texts = pytest.mark.parametrize("text", TEXTS, ids=HOSTILE_TEXTS)


def lines_of(shown: str) -> list[str]:
    assert is_harmless(shown), repr(shown)
    return shown.splitlines()


@texts
def test_one_line_stays_one_line_and_holds_nothing_to_obey(text: str) -> None:
    assert len(lines_of(printable(text))) == 1


@pytest.mark.parametrize("text", ["", "abc", "中文\u3000ü", "a\u00a0b", "😀", "\\x1b"])
def test_what_can_be_shown_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_the_escape_names_the_character() -> None:
    assert printable("\x1b\u202e\ud800\U000e0001") == r"\x1b\u202e\ud800\U000e0001"
    assert printable("a\r\n\tb", lines=True) == "a \n\tb"
    assert printable("abcdef", limit=4) == "abc…"
    assert printable_values({"a\n": ["\x1b", ("\0", 1, None)]}) == {"a ": [r"\x1b", [r"\x00", 1, None]]}


@texts
def test_an_error_shows_what_it_quotes(text: str) -> None:
    error = RegistryError(f"it says {text}", subject=text, remedy="ask")
    first, *others = str(error).splitlines()
    assert is_harmless(str(error).replace("\t", " "))
    assert first.startswith(f"{printable(text)}: it says ")
    assert all(line.startswith("  ") for line in others)


@texts
def test_findings_and_reasons_show_what_they_quote(text: str) -> None:
    finding, verdict = find("M8", text, text), GatewayVerdict("istio", False, reason=text)
    assert all(is_harmless(said.replace("\t", " ")) for said in (finding.message, finding.remedy, verdict.reason))


def told(text: str) -> dict[str, Any]:
    """Return what `publish` prints of a plugin whose every text is `text`."""
    verdict = {
        "summary": text,
        "gateways": [{"gateway": "higress", "loads": False, "variant": text, "reason": text, "rule": "M2"}],
        "findings": [{"rule": "M2", "level": "E", "message": text, "remedy": text}],
    }
    layer = {"title": text, "mediaType": text, "size": 1, "digest": "sha256:ab"}
    probe = {"summary": text, "exchanges": [{"request": text, "answer": text, "fault": text}]}
    return published(layers=(layer,), verdict=verdict, notes=(text,), probe=probe, builder=text).to_json()


@texts
def test_the_report_of_a_release_shows_what_it_quotes(text: str) -> None:
    plain = lines_of(render_text(printable_values(told("plain"))))
    assert len(lines_of(render_text(printable_values(told(text))))) == len(plain)
    assert len(lines_of(render_verdict_text(printable_values(told(text)["verdict"])))) == len(REFUSED["gateways"]) + 2


@texts
def test_the_markdown_of_a_release_shows_what_it_quotes(text: str) -> None:
    fields = {name: value for name, value in told(text).items() if name not in ("reference", "digest")}
    page = render_markdown(published(**fields))
    assert len(lines_of(page)) == len(render_markdown(published(**told_fields("plain"))).splitlines())


def told_fields(text: str) -> dict[str, Any]:
    return {name: value for name, value in told(text).items() if name not in ("reference", "digest")}


def write_layout(folder: Path, image: Image, tag: str) -> None:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    manifest = image.manifest.content
    for content in (manifest, b"{}", *(layer.content for layer in image.layers)):
        (blobs / digest_of(content).removeprefix("sha256:")).write_bytes(content)
    named = {"org.opencontainers.image.ref.name": tag}
    entry = {"mediaType": image.media_type, "digest": digest_of(manifest), "size": len(manifest), "annotations": named}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PLUGINYARD_", "IMAGE_"))}
    return subprocess.run(
        [sys.executable, "-m", "flows", *words],
        env=clean | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        cwd=cwd,
        capture_output=True,
        check=False,
    )


def test_a_terminal_is_shown_what_an_artifact_says_of_itself(tmp_path: Path) -> None:
    titled = [
        Layer(f"application/{number}", text.encode(errors="replace"), title=text) for number, text in enumerate(TEXTS)
    ]
    image = Image([*documents(), archive_layer(), *titled], annotations={text: text for text in TEXTS})
    write_layout(tmp_path / "layout", image, "x-1.0.0")
    done = run("verify", "oci:layout:x-1.0.0", cwd=tmp_path)
    shown = lines_of(done.stdout.decode())
    assert done.returncode == 6, done.stderr
    assert shown[-1] == "NOT ok: a required gateway refuses it"
    assert sum(FORGED in line for line in shown) >= 4
    assert not [line for line in shown if line.startswith(FORGED)]


@pytest.mark.parametrize("text", ["\x1b[2J\u202e", "\nerror: x\udcff"], ids=repr)
def test_a_terminal_is_shown_what_was_asked_for(text: str, tmp_path: Path) -> None:
    done = run("inspect", f"oci:no{text}where:x-1.0.0", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert sum(line.startswith("error: ") for line in lines_of(done.stderr.decode())) == 1


def test_a_terminal_of_another_encoding_is_shown_escapes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows", "inspect", "oci:nowhere-ü:x-1.0.0"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 8, done.stderr
    assert b"Traceback" not in done.stderr


@texts
def test_the_summary_of_the_action_shows_what_it_quotes(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert github_action._fail(f"no: {text}", 4, text) == 4
    summary = lines_of((tmp_path / "summary").read_text().replace("\t", " "))
    assert all(not line or line.startswith(("# Not published", "    ")) for line in summary)
    (command,) = lines_of(capsys.readouterr().out.replace("\t", " "))
    assert command.startswith("::error title=pluginyard::no: ")
