"""A repository of many different Go plugins in Higress's layout, made from the example plugins."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.machine.example_repository import HIGRESS_PLUGINS, commit, git

EXTENSIONS = Path("plugins/wasm-go/extensions")
_SHARED = Path("plugins/wasm-go/pkg")
_BUILT = "plugin.wasm\nplugin.tar.gz\n"
_SETTINGS = "pluginyard.yaml"
# By example: what it answers with. Another answer is another module: no cache of compiled packages holds this one.
_ANSWERS = {
    "request-block": 'Message: "blocked',
    "shared-rules": '"denied',
    "prompt-embed": '"no such prompt',
    "request-validation": '" is missing',
}
ALONE = ("request-block",)
"""The example that needs nothing outside its folder."""
MIXED = tuple(_ANSWERS)
"""Examples of which most share modules that lie outside their folders, and one embeds files."""


@dataclass
class SamplePlugins:
    """Own the repository; `version` is what its newest commit says, for every plugin."""

    folder: Path
    names: tuple[str, ...]
    examples: tuple[str, ...] = ALONE
    """What the plugins are made from, in turns."""
    version: str = "0.0.0"

    def change(self) -> str:
        """Change the source and the version of every plugin in a new commit; return the version."""
        major, minor, patch = self.version.split(".")
        self.version = f"{major}.{minor}.{int(patch) + 1}"
        for number, name in enumerate(self.names):
            self._write(name, self.examples[number % len(self.examples)])
        commit(self.folder, self.version)
        return self.version

    def _write(self, name: str, example: str) -> None:
        source, target = HIGRESS_PLUGINS / EXTENSIONS / example, self.folder / EXTENSIONS / name
        for path in sorted(source.rglob("*")):
            if path.suffix in (".go", ".mod", ".md", ".yaml"):
                text = path.read_text().replace(example, name)
                text = re.sub(r"(?m)^  version: .*$", f"  version: {self.version}", text)
                text = text.replace(_ANSWERS[example], f"{_ANSWERS[example]} by {name} {self.version}")
                copy = target / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(text)
        if not (target / "README_EN.md").exists():  # the shell pipeline pushes one of every plugin
            shutil.copy(target / "README.md", target / "README_EN.md")
        (target / "VERSION").write_text(f"{self.version}\n")


def make_plugins(folder: Path, count: int, examples: tuple[str, ...] = ALONE) -> SamplePlugins:
    """Make a git repository of `count` plugins in `folder`, without a commit yet.

    Where they are of several examples, the modules these share and their settings are there too.
    """
    names = tuple(f"plugin-{number:02}" for number in range(1, count + 1))
    plugins = SamplePlugins(folder, names, examples)
    for name in names:
        (folder / EXTENSIONS / name).mkdir(parents=True)
    if examples != ALONE:
        shutil.copytree(HIGRESS_PLUGINS / _SHARED, folder / _SHARED)
        _write_settings(plugins)
    (folder / ".gitignore").write_text(_BUILT)
    git(folder, "init", "--quiet", "--initial-branch", "main", "--template", "")
    return plugins


def _write_settings(plugins: SamplePlugins) -> None:
    """Give every plugin the settings of the example it is made from."""
    known = yaml.safe_load((HIGRESS_PLUGINS / _SETTINGS).read_text())["plugins"]
    turns = (plugins.examples[number % len(plugins.examples)] for number in range(len(plugins.names)))
    settings = {name: known[example] for name, example in zip(plugins.names, turns, strict=True)}
    # As a person writes it: no anchors for what is the same.
    dumper = type("Plain", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    (plugins.folder / _SETTINGS).write_text(yaml.dump({"plugins": settings}, Dumper=dumper))


def copy_work_tree(plugins: SamplePlugins, folder: Path) -> Path:
    """Return a copy of the plugins' files, as the shell pipeline's checkout leaves them."""
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(plugins.folder, folder, ignore=shutil.ignore_patterns(".git")))
