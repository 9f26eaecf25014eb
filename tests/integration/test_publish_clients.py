"""What we publish is read by clients that are not ours, and what they push by hand is judged."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.machine.command_line import CommandLine
from tests.machine.registries import RunningRegistry
from tests.machine.stored import Shelf, new_shelf

TAG = "wasm-go-request-block-v1.0.0"
FOLDER = "plugins/wasm-go/extensions/request-block"
DOCUMENTS = ("spec.yaml", "README.md", "README_EN.md", "icon.png")
# The file:type arguments of the old workflow's `oras push` (its "File Check" step), archive last.
BY_HAND = (
    "README_EN.md:application/vnd.module.wasm.doc.v1.en+markdown",
    "README.md:application/vnd.module.wasm.doc.v1+markdown",
    "spec.yaml:application/vnd.module.wasm.spec.v1+yaml",
    "plugin.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip",
)


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Published:
    """One published example, and where."""

    shelf: Shelf
    found: Mapping[str, Any]

    @property
    def repository(self) -> str:
        return f"{self.shelf.destination}/request-block"

    @property
    def digest(self) -> str:
        return str(self.found["digest"])


@pytest.fixture(scope="module")
def published(shared_command_line: CommandLine, example_repository: Path, open_registry: RunningRegistry) -> Published:
    shelf = new_shelf(open_registry)
    return Published(shelf, shared_command_line.published(example_repository, TAG, shelf.destination))


@pytest.fixture
def pulled(published: Published, oras_program: str, tmp_path: Path) -> Path:
    """Return the folder into which oras pulled the artifact by its digest."""
    folder = tmp_path / "pulled"
    folder.mkdir()
    run(oras_program, "pull", "--plain-http", f"{published.repository}@{published.digest}", folder=folder)
    return folder


def test_oras_pulls_by_digest_the_very_files_of_the_repository(pulled: Path, example_repository: Path) -> None:
    assert {path.name for path in pulled.iterdir()} == {*DOCUMENTS, "plugin.tar.gz"}
    for name in DOCUMENTS:
        assert (pulled / name).read_bytes() == (example_repository / FOLDER / name).read_bytes()
    with tarfile.open(pulled / "plugin.tar.gz") as archive:
        assert archive.getnames() == ["plugin.wasm"]
        module = archive.extractfile("plugin.wasm")
        assert module is not None
        assert module.read(4) == b"\0asm"


@pytest.mark.parametrize("tag", ["1.0.0", "latest"])
def test_oras_pulls_by_tag_what_it_pulls_by_digest(
    published: Published, pulled: Path, oras_program: str, tmp_path: Path, tag: str
) -> None:
    folder = tmp_path / "by-tag"
    folder.mkdir()
    run(oras_program, "pull", "--plain-http", f"{published.repository}:{tag}", folder=folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in pulled.iterdir()
    }


def test_what_skopeo_copies_to_another_registry_is_accepted_there(
    published: Published,
    shared_command_line: CommandLine,
    skopeo_program: str,
    basic_registry: RunningRegistry,
    tmp_path: Path,
) -> None:
    target = f"{new_shelf(basic_registry).destination}/request-block:1.0.0"
    credentials = f"{basic_registry.username}:{basic_registry.password}"
    run(
        *(skopeo_program, "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests"),
        *(f"--dest-creds={credentials}", f"docker://{published.repository}:1.0.0", f"docker://{target}"),
        folder=tmp_path,
    )
    user = shared_command_line.with_credentials(basic_registry)
    verified = user.run("verify", target, "--plain-http", "--output", "json", "--gateway", "envoy")
    assert verified.exit_code == 0, verified.stderr
    assert verified.json["digest"] == published.digest
    assert verified.json["ok"] is True


def test_what_skopeo_copies_to_a_layout_folder_is_accepted_there(
    published: Published, shared_command_line: CommandLine, skopeo_program: str, tmp_path: Path
) -> None:
    target = f"oci:{tmp_path}/layout:request-block-1.0.0"
    source = f"docker://{published.repository}:1.0.0"
    run(skopeo_program, "copy", "--src-tls-verify=false", "--preserve-digests", source, target, folder=tmp_path)
    verified = shared_command_line.run("verify", target, "--output", "json")
    assert verified.exit_code == 0, verified.stderr
    assert verified.json["digest"] == published.digest


def test_what_oras_pushes_by_hand_as_the_old_workflow_did_is_judged_loadable(
    pulled: Path, shared_command_line: CommandLine, oras_program: str, open_registry: RunningRegistry
) -> None:
    (pulled / "plugin.tar.gz").rename(pulled / "ours.tar.gz")
    run("tar", "xzf", "ours.tar.gz", folder=pulled)
    run("tar", "czf", "plugin.tar.gz", "plugin.wasm", folder=pulled)
    target = f"{new_shelf(open_registry).destination}/request-block:1.0.0"
    run(oras_program, "push", "--plain-http", target, *BY_HAND, folder=pulled)
    verified = shared_command_line.run("verify", target, "--plain-http", "--output", "json")
    assert verified.exit_code == 0, verified.stderr
    assert verified.json["ok"] is True
    assert verified.json["verdict"]["portability"] == "portable"
    assert verified.json["verdict"]["variant"] == "compat"


def test_a_raw_module_alone_is_refused_with_the_rule_and_the_gateways_reason(
    pulled: Path, shared_command_line: CommandLine, oras_program: str, open_registry: RunningRegistry
) -> None:
    run("tar", "xzf", "plugin.tar.gz", folder=pulled)
    target = f"{new_shelf(open_registry).destination}/request-block:1.0.0"
    layer = "plugin.wasm:application/vnd.module.wasm.content.layer.v1+wasm"
    run(oras_program, "push", "--plain-http", target, layer, folder=pulled)
    refused = shared_command_line.run("verify", target, "--plain-http", "--output", "json")
    assert refused.exit_code == 6
    assert refused.json["ok"] is False
    for gateway in refused.json["verdict"]["gateways"]:
        assert gateway["rule"] == "M2"
        assert "number of layers must be 2 but got 1" in gateway["reason"]
    told = shared_command_line.run("verify", target, "--plain-http")
    assert told.exit_code == 6
    assert "number of layers must be 2 but got 1" in told.stdout
    assert "NOT ok" in told.stdout
