"""A repository of many different Go plugins without dependencies, made from the example `request-block`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.machine.example_repository import HIGRESS_PLUGINS, commit, git

EXTENSIONS = Path("plugins/wasm-go/extensions")
_SOURCE = "request-block"
_BUILT = "plugin.wasm\nplugin.tar.gz\n"


@dataclass
class SamplePlugins:
    """Own the repository; `version` is what its newest commit says, for every plugin."""

    folder: Path
    names: tuple[str, ...]
    version: str = "0.0.0"

    def change(self) -> str:
        """Change the source and the version of every plugin in a new commit; return the version."""
        major, minor, patch = self.version.split(".")
        self.version = f"{major}.{minor}.{int(patch) + 1}"
        for name in self.names:
            self._write(name)
        commit(self.folder, self.version)
        return self.version

    def _write(self, name: str) -> None:
        source, target = HIGRESS_PLUGINS / EXTENSIONS / _SOURCE, self.folder / EXTENSIONS / name
        for path in source.iterdir():
            if path.suffix in (".go", ".mod", ".md", ".yaml"):
                text = path.read_text().replace(_SOURCE, name).replace("version: 1.0.0", f"version: {self.version}")
                # Another answer is another module: no cache of compiled packages holds this one.
                text = text.replace('Message: "blocked"', f'Message: "blocked by {name} {self.version}"')
                (target / path.name).write_text(text)
        (target / "VERSION").write_text(f"{self.version}\n")


def make_plugins(folder: Path, count: int) -> SamplePlugins:
    """Make a git repository of `count` plugins in `folder`, without a commit yet."""
    plugins = SamplePlugins(folder, tuple(f"plugin-{number:02}" for number in range(1, count + 1)))
    for name in plugins.names:
        (folder / EXTENSIONS / name).mkdir(parents=True)
    (folder / ".gitignore").write_text(_BUILT)
    git(folder, "init", "--quiet", "--initial-branch", "main", "--template", "")
    return plugins


def copy_work_tree(plugins: SamplePlugins, folder: Path) -> Path:
    """Return a copy of the plugins' files, as the shell pipeline's checkout leaves them."""
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(plugins.folder, folder, ignore=shutil.ignore_patterns(".git")))
