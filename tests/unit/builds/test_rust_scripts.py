"""The fetch step of the Rust builder, with a cargo that prints what it is given."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

FETCH = Path(__file__).parents[3] / "builders" / "rust" / "fetch.sh"
CARGO = """#!/bin/sh
echo "in $PWD"
while [ $# -gt 0 ]; do
  if [ "$1" = --config ]; then echo "config"; cat "$2"; shift; fi
  shift
done
"""
MIRROR = "[source.crates-io]\nreplace-with = 'own'\n[source.own]\nregistry = 'sparse+https://own.example/'\n"
SITE = "sparse+https://site.example/"


@dataclass
class Work:
    """Hold the folder of a build."""

    folder: Path

    @property
    def plugin(self) -> Path:
        return self.folder / "src" / "plugins" / "a"

    def configure(self, text: str, place: Path | None = None, name: str = "config.toml") -> None:
        folder = (place or self.plugin) / ".cargo"
        folder.mkdir()
        (folder / name).write_text(text)

    def fetch(self, **environment: str) -> str:
        """Run the step; return what cargo was given, for the target and for this machine alike, or nothing."""
        own = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PLUGINYARD_WORK": str(self.folder),
            "CARGO_HOME": str(self.folder / "cargo"),
        }
        done = subprocess.run(
            ["sh", str(FETCH)], cwd=self.plugin, env=own | environment, capture_output=True, text=True, check=True
        )
        once = done.stdout[: len(done.stdout) // 2]
        assert done.stdout == 2 * once
        return once


@pytest.fixture
def work(tmp_path: Path) -> Work:
    for name in ("bin", "home", "src/plugins/a"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin" / "cargo").write_text(CARGO)
    (tmp_path / "bin" / "cargo").chmod(0o755)
    return Work(tmp_path)


@pytest.mark.parametrize(
    "table",
    [
        MIRROR,
        "[source]\ncrates-io = { replace-with = 'own' }\n",
        "source.crates-io.replace-with = 'own'\n",
        "[ source . 'git+https://h/r' ]\r\nreplace-with = 'own'\r\n",
    ],
)
def test_of_the_plugins_configuration_only_the_sources_of_crates_reach_the_fetch(work: Work, table: str) -> None:
    programs = "[build]\nrustc = './evil'\n[registry]\nglobal-credential-providers = ['./evil']\n"
    work.configure(f"{table}{programs}[[source-like]]\nx = './evil'\n")
    assert work.fetch() == f"in {work.folder}/home\nconfig\n{table}".replace("\r\n", "\n")


def test_the_nearest_configuration_counts_most_and_none_above_the_source_at_all(work: Work) -> None:
    work.configure("[source.far]\n", work.folder / "src")
    work.configure("[source.hidden]\n")
    (work.plugin / ".cargo" / "config").write_text("[source.near]\n")
    work.configure("[source.machine]\n", work.folder)
    told = work.fetch(CARGO_SOURCE_MIRROR=SITE)
    assert [line for line in told.splitlines() if line.startswith("[")] == [
        "[source.far]",
        "[source.near]",
        "[source.crates-io]",
        "[source.pluginyard-mirror]",
    ]


@pytest.mark.parametrize(
    "table",
    [
        "[source.v]\ndirectory = 'vendor'\n",
        "[source.v]\nlocal-registry='crates'\n",
        "[source]\nv = {directory = 'vendor'}\n",
        "source.v.directory = 'vendor'\n",
    ],
)
def test_of_vendored_crates_none_is_fetched(work: Work, table: str) -> None:
    work.configure(table, work.folder / "src")
    assert work.fetch(CARGO_SOURCE_MIRROR=SITE) == ""
    assert not (work.folder / "cargo" / "config.toml").exists(), "compile.sh would look at the mirror"


def test_a_mirror_that_both_name_is_named_once(work: Work) -> None:
    work.configure(MIRROR.replace("sparse+https://own.example/", SITE))
    assert work.fetch(CARGO_SOURCE_MIRROR=SITE).count(SITE) == 1
    assert not (work.folder / "cargo" / "config.toml").exists()
